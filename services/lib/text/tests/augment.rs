//! Token dropout: only the user's tokens go, at the asked rate, the same way for the same keys.

use proptest::prelude::*;
use rootstock_text::{
    EncodedPrompt, IGNORE_INDEX, Replacement, SupervisedExample, TokenDropout, Truncation,
    supervised_example, token_dropout,
};

use crate::fixtures::uniform;

/// One run of the user's tokens.
fn run(start: usize, end: usize) -> [std::ops::Range<usize>; 1] {
    std::array::from_fn(|_| start..end)
}

fn dropout(probability: f64, replacement: Replacement) -> TokenDropout {
    TokenDropout::new(probability, replacement).unwrap()
}

fn example() -> SupervisedExample {
    let prompt = EncodedPrompt { ids: (10..20).collect(), user: vec![2..5, 6..9] };
    supervised_example(&prompt, &[30, 31], 7, (64, Truncation::Drop)).into_example().unwrap()
}

#[test]
fn the_rate_is_the_probability() {
    let ids: Vec<u32> = (0..20_000).collect();
    let kept = token_dropout(&ids, &run(0, 20_000), &dropout(0.25, Replacement::Remove), uniform(1));
    let rate = 1.0 - kept.len() as f64 / ids.len() as f64;
    assert!((rate - 0.25).abs() < 0.01, "{rate}");
}

#[test]
fn replacing_keeps_the_length_and_every_template_token() {
    let ids: Vec<u32> = (10..20).collect();
    let masked = token_dropout(&ids, &run(2, 8), &dropout(0.9, Replacement::Id(0)), uniform(3));
    assert_eq!((&masked[..2], &masked[8..]), (&ids[..2], &ids[8..]));
    assert!(masked[2..8].contains(&0) && masked[2..8].iter().any(|&id| id != 0));
    let random =
        token_dropout(&ids, &run(2, 8), &dropout(0.9, Replacement::Random { vocab_size: 5 }), uniform(3));
    assert_eq!(random.len(), ids.len());
    assert!((2..8).all(|i| random[i] == ids[i] || random[i] < 5));
}

#[test]
fn one_of_the_users_tokens_always_stays() {
    let kept = token_dropout(&[1, 2, 3], &run(0, 3), &dropout(0.5, Replacement::Remove), |n| {
        [0.1, 0.3, 0.2][n as usize / 2]
    });
    assert_eq!(kept, [2]);
}

#[test]
fn an_augmented_example_keeps_its_answer_and_its_mask() {
    let example = example();
    let augmented = example.augmented(&dropout(0.5, Replacement::Remove), uniform(5));
    assert!(augmented.prompt_len < example.prompt_len);
    assert_eq!(augmented.input_ids[augmented.prompt_len..], [30, 31, 7]);
    assert!(augmented.labels[..augmented.prompt_len].iter().all(|&label| label == IGNORE_INDEX));
    assert_eq!(augmented.labels[augmented.prompt_len..], [30, 31, 7]);
    assert_eq!(example.augmented(&dropout(0.0, Replacement::Remove), uniform(5)), example);
}

#[test]
fn shuffled_spans_stay_among_the_users_words_and_keep_their_order_within() {
    let prompt = EncodedPrompt { ids: (0..16).collect(), user: vec![1..9, 10..14] };
    let example = supervised_example(&prompt, &[30], 7, (64, Truncation::Drop)).into_example().unwrap();
    let always = example.shuffled(0.9, |_| 0.0);
    assert_eq!(always.input_ids, [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 10, 11, 12, 14, 15, 30, 7]);
    assert_eq!((&always.labels, &always.user), (&example.labels, &example.user));
    assert_eq!(example.shuffled(0.0, uniform(3)), example);
    assert_eq!(example.shuffled(0.5, uniform(3)), example.shuffled(0.5, uniform(3)));
}

#[test]
fn a_probability_out_of_range_is_refused() {
    for bad in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
        assert!(TokenDropout::new(bad, Replacement::Remove).is_err());
    }
}

proptest! {
    #[test]
    fn the_template_stays_and_the_user_positions_follow(key in any::<u64>(), p in 0.0_f64..1.0) {
        let example = example();
        let augmented = example.augmented(&dropout(p, Replacement::Remove), uniform(key));
        prop_assert_eq!(&augmented, &example.augmented(&dropout(p, Replacement::Remove), uniform(key)));
        let is_user = |id: &u32| (12..15).contains(id) || (16..19).contains(id);
        let prompt = &augmented.input_ids[..augmented.prompt_len];
        let fixed: Vec<u32> = prompt.iter().copied().filter(|id| !is_user(id)).collect();
        prop_assert_eq!(fixed, vec![10, 11, 15, 19]);
        for (i, id) in prompt.iter().enumerate() {
            prop_assert_eq!(is_user(id), augmented.user.iter().any(|range| range.contains(&i)));
        }
        prop_assert!(prompt.is_sorted());
    }
}
