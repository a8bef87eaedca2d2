//! Infilling: nothing is lost, what was cut out can be put back, and T5's proportions are kept.

use proptest::prelude::*;
use rootstock_text::{Corruption, DenoiseError, Denoised, Denoiser, Denoising, IGNORE_INDEX};

use crate::fixtures::uniform;

const EOS: u32 = 1000;
const R: Denoiser = spans(0.15, 3.0, Some(2000));
const X: Denoiser = spans(0.5, 32.0, Some(2001));
const S: Denoiser = Denoiser { corruption: Corruption::Continuation, prefix: Some(2002), weight: 1.0 };

const fn spans(rate: f64, mean_length: f64, prefix: Option<u32>) -> Denoiser {
    Denoiser { corruption: Corruption::Spans { rate, mean_length }, prefix, weight: 1.0 }
}

fn sentinels(count: u32) -> Vec<u32> {
    (3000..3000 + count).collect()
}

fn mixture(denoisers: &[Denoiser]) -> Denoising {
    Denoising::new(denoisers.to_vec(), sentinels(100), EOS).unwrap()
}

/// How many tokens are cut out, and in how many spans.
fn proportions(row: &Denoised) -> (usize, usize) {
    let answer = &row.input_ids[row.prompt_len..row.input_ids.len() - 1];
    let marks = answer.iter().filter(|id| **id >= 3000).count();
    (answer.len() - marks, marks + 1)
}

#[test]
fn a_text_has_a_sentinel_for_each_span_and_the_spans_follow() {
    let text: Vec<u32> = (0..20).collect();
    let row = mixture(&[spans(0.3, 3.0, None)]).denoise(&text, uniform(4));
    assert_eq!(proportions(&row), (6, 2));
    let (prompt, answer) = row.input_ids.split_at(row.prompt_len);
    assert_eq!(prompt[0], 0, "the text's first token is never cut out");
    let marks: Vec<u32> = prompt.iter().copied().filter(|id| *id >= 3000).collect();
    assert_eq!(marks, [3000, 3001, 3000], "the last one asks for the spans");
    assert_eq!(answer.last(), Some(&EOS));
    assert!(row.labels()[..row.prompt_len].iter().all(|label| *label == IGNORE_INDEX));
    assert_eq!(row.labels()[row.prompt_len..], answer.iter().map(|id| i64::from(*id)).collect::<Vec<_>>());
}

/// `tests/golden/infilling.json`: texts and the rows that `make_infilling.py` makes of them.
#[derive(serde::Deserialize)]
struct Reference {
    sentinels: Vec<u32>,
    eos: u32,
    texts: Vec<Vec<Vec<u32>>>,
    batches: Vec<Rows>,
}

#[derive(serde::Deserialize)]
struct Rows {
    input_ids: Vec<Vec<u32>>,
    labels: Vec<Vec<i64>>,
}

#[test]
fn rows_are_laid_out_and_labelled_as_those_whose_loss_the_reference_tells() {
    let json = include_str!("../../../../tests/golden/infilling.json");
    let Reference { sentinels, eos, texts, batches } = serde_json::from_str(json).unwrap();
    let here = Denoising::new(vec![spans(0.3, 3.0, None)], sentinels, eos).unwrap();
    let rows = batches.iter().flat_map(|rows| rows.input_ids.iter().zip(&rows.labels));
    assert_eq!(texts.concat().len(), 6);
    for (text, (ids, labels)) in texts.concat().iter().zip(rows) {
        let prompt_len = labels.iter().position(|label| *label != IGNORE_INDEX).unwrap();
        let length = ids.iter().position(|id| *id == eos).unwrap() + 1;
        let row = Denoised { input_ids: ids[..length].to_vec(), prompt_len };
        assert_eq!(here.restore(&row).as_ref(), Some(text));
        assert_eq!(row.labels(), labels[..length]);
    }
}

#[test]
fn shares_and_lengths_of_spans_are_those_asked_for() {
    let text: Vec<u32> = (0..512).collect();
    assert_eq!(proportions(&mixture(&[R]).denoise(&text, uniform(1))), (77, 26));
    assert_eq!(proportions(&mixture(&[X]).denoise(&text, uniform(1))), (256, 8));
    let few = Denoising::new(vec![R], sentinels(5), EOS).unwrap();
    assert_eq!(proportions(&few.denoise(&text, uniform(1))), (77, 5), "as many spans as there are sentinels");
}

#[test]
fn a_continuation_is_the_rest_of_the_text() {
    let text: Vec<u32> = (0..20).collect();
    let row = mixture(&[S]).denoise(&text, uniform(7));
    assert_eq!(row.input_ids, [&[2002], text.as_slice(), &[EOS]].concat());
    assert!((2..=20).contains(&row.prompt_len));
}

#[test]
fn denoisers_are_drawn_in_proportion_to_their_weights() {
    let rare = Denoiser { weight: 0.5, ..S };
    let mixture = mixture(&[Denoiser { weight: 1.5, ..R }, rare, Denoiser { weight: 0.0, ..X }]);
    let text: Vec<u32> = (0..30).collect();
    let firsts: Vec<u32> = (0..4000).map(|key| mixture.denoise(&text, uniform(key)).input_ids[0]).collect();
    let share = |prefix| firsts.iter().filter(|first| **first == prefix).count() as f64 / 4000.0;
    assert!((share(2000) - 0.75).abs() < 0.03 && (share(2002) - 0.25).abs() < 0.03, "{}", share(2000));
}

#[test]
fn all_places_of_a_text_are_cut_out_alike_but_its_first() {
    let (mixture, text) = (mixture(&[spans(0.25, 2.0, None)]), (0..16).collect::<Vec<u32>>());
    let mut cut = [0_u32; 16];
    for key in 0..8000 {
        let row = mixture.denoise(&text, uniform(key));
        let answer = &row.input_ids[row.prompt_len..];
        answer.iter().filter(|id| **id < 16).for_each(|id| cut[*id as usize] += 1);
    }
    assert_eq!(cut[0], 0);
    assert!(cut[1..].iter().all(|count| (1000..=3500).contains(count)), "{cut:?}");
    assert_eq!(cut.iter().sum::<u32>(), 4 * 8000);
}

#[test]
fn a_mixture_that_can_not_work_is_refused() {
    let refused =
        |denoisers: Vec<Denoiser>, count| Denoising::new(denoisers, sentinels(count), EOS).unwrap_err();
    assert_eq!(refused(vec![], 1), DenoiseError::NoDenoiser);
    assert_eq!(refused(vec![Denoiser { weight: 0.0, ..R }], 1), DenoiseError::NoDenoiser);
    assert_eq!(refused(vec![R, Denoiser { weight: f64::NAN, ..S }], 1), DenoiseError::Weight(1));
    assert_eq!(refused(vec![spans(1.0, 3.0, None)], 1), DenoiseError::Spans(0));
    assert_eq!(refused(vec![spans(0.5, 0.5, None)], 1), DenoiseError::Spans(0));
    assert_eq!(refused(vec![R], 0), DenoiseError::NoSentinels);
    assert!(Denoising::new(vec![S], vec![], EOS).is_ok());
}

#[test]
fn a_row_that_was_not_made_so_is_not_restored() {
    let mixture = mixture(&[spans(0.3, 3.0, None)]);
    let row = mixture.denoise(&(0..20).collect::<Vec<u32>>(), uniform(4));
    let mut cut = row.clone();
    cut.input_ids.pop();
    assert_eq!(mixture.restore(&cut), None);
    let mut swapped = row;
    let last = swapped.input_ids.iter().rposition(|id| *id == 3001).unwrap();
    swapped.input_ids[last] = 3007;
    assert_eq!(mixture.restore(&swapped), None);
    assert!(mixture.accepts(&[1, 2]) && !mixture.accepts(&[1, 3000]));
}

proptest! {
    #[test]
    fn every_token_is_kept_and_the_text_can_be_put_back(
        text in prop::collection::vec(0_u32..50, 2..200),
        key in any::<u64>(),
        (rate, mean_length) in (0.01_f64..0.99, 1.0_f64..40.0),
        (count, with_prefix) in (1_u32..40, any::<bool>()),
    ) {
        let prefix = with_prefix.then_some(2005);
        let denoisers = vec![R, X, S, spans(rate, mean_length, prefix)];
        let mixture = Denoising::new(denoisers, sentinels(count), EOS).unwrap();
        let row = mixture.denoise(&text, uniform(key));
        prop_assert_eq!(&row, &mixture.denoise(&text, uniform(key)));
        prop_assert_eq!(mixture.restore(&row), Some(text.clone()));
        prop_assert!(row.input_ids.len() <= mixture.longest(text.len()));
        let mut kept: Vec<u32> = row.input_ids.iter().copied().filter(|id| *id < 50).collect();
        let mut all = text;
        kept.sort_unstable();
        all.sort_unstable();
        prop_assert_eq!(kept, all);
        prop_assert!(row.prompt_len < row.input_ids.len());
    }

    #[test]
    fn the_longest_text_for_a_length_fits_and_one_token_more_does_not(max_length in 0_usize..600) {
        let mixture = mixture(&[R, X, S]);
        let tokens = mixture.text_length(max_length);
        prop_assert!(tokens == 0 || mixture.longest(tokens) <= max_length);
        prop_assert!(mixture.longest((tokens + 1).max(2)) > max_length);
    }
}
