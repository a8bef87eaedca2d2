//! Masked language modelling: BERT's shares, whole words, special tokens let be, and nothing lost.

use proptest::prelude::*;
use rootstock_text::{IGNORE_INDEX, MaskedText, Masking, Unit, words};

use crate::fixtures::uniform;

const MASK: u32 = 4;
const VOCAB: u32 = 50;

fn masking(unit: Unit) -> Masking {
    Masking::new(0.15, unit, MASK, VOCAB).unwrap()
}

#[test]
fn chosen_tokens_become_the_mask_another_token_or_stay_as_in_bert() {
    let ids = vec![60; 40_000];
    let words: Vec<_> = (0..40_000).map(Some).collect();
    let masked = masking(Unit::Token).apply(MaskedText { ids: &ids, words: &words }, uniform(1));
    let chosen: Vec<u32> =
        (0..ids.len()).filter(|i| masked.labels[*i] != IGNORE_INDEX).map(|i| masked.input_ids[i]).collect();
    let share = |n: usize, of: usize| n as f64 / of as f64;
    assert!((share(chosen.len(), ids.len()) - 0.15).abs() < 0.005);
    let count = |is: fn(&u32) -> bool| share(chosen.iter().filter(|id| is(id)).count(), chosen.len());
    assert!((count(|id| *id == MASK) - 0.8).abs() < 0.02);
    assert!((count(|id| *id == 60) - 0.1).abs() < 0.02);
    assert!((count(|id| *id < VOCAB && *id != MASK) - 0.1).abs() < 0.02);
}

#[test]
fn the_tokens_of_a_word_are_chosen_together() {
    let ids: Vec<u32> = (10..40).collect();
    let words: Vec<_> = (0..30).map(|i| Some(i / 3)).collect();
    for key in 0..50 {
        let masked = masking(Unit::Word).apply(MaskedText { ids: &ids, words: &words }, uniform(key));
        for word in masked.labels.chunks(3) {
            assert!(word.iter().all(|label| (*label == IGNORE_INDEX) == (word[0] == IGNORE_INDEX)));
        }
    }
}

#[test]
fn a_probability_that_hides_nothing_or_all_is_refused() {
    for bad in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(Masking::new(bad, Unit::Token, MASK, VOCAB).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn every_token_can_be_read_from_input_or_label_and_special_ones_are_let_be(
        tokens in prop::collection::vec((5_u32..50, any::<bool>()), 0..80),
        (probability, key, whole) in (0.01_f64..0.99, any::<u64>(), any::<bool>()),
    ) {
        let ids: Vec<u32> = tokens.iter().map(|(id, _)| *id).collect();
        let words: Vec<Option<u32>> =
            tokens.iter().enumerate().map(|(i, (_, special))| (!special).then_some(i as u32 / 2)).collect();
        let unit = if whole { Unit::Word } else { Unit::Token };
        let masking = Masking::new(probability, unit, MASK, VOCAB).unwrap();
        let masked = masking.apply(MaskedText { ids: &ids, words: &words }, uniform(key));
        prop_assert_eq!(&masked, &masking.apply(MaskedText { ids: &ids, words: &words }, uniform(key)));
        for (i, id) in ids.iter().enumerate() {
            match masked.labels[i] {
                IGNORE_INDEX => prop_assert_eq!(masked.input_ids[i], *id),
                label => prop_assert_eq!(label, i64::from(*id)),
            }
            prop_assert!(words[i].is_some() || masked.labels[i] == IGNORE_INDEX);
            prop_assert!(masked.input_ids[i] < VOCAB);
        }
    }
}

#[test]
fn words_are_letters_in_a_row_and_ideographs_and_marks_stand_alone() {
    let text = "the don't 狐狸 é!";
    let cut = |parts: &[&str]| {
        let mut start = 0;
        let range = |part: &&str| {
            start += part.len();
            start - part.len()..start
        };
        parts.iter().map(range).collect::<Vec<_>>()
    };
    let offsets = cut(&["th", "e", " do", "n", "'", "t", " 狐", "狸", " ", "é", "!"]);
    assert_eq!(words(text, &offsets), [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9].map(Some));
    let bytes_of_a_character = [0..0, 10..13, 10..13, 13..16];
    assert_eq!(words(text, &bytes_of_a_character), [None, Some(1), Some(1), Some(2)]);
}
