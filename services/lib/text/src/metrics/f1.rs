//! Token F1: how far two answers have the same words, whatever their order; for answers that are right in other words.
//!
//! Source: Rajpurkar et al. 2016, "SQuAD" (`evaluate-v1.1.py`); the words are those of Lewis et al. 2020, "MLQA"
//! (`mlqa_evaluation_v1.py`, mixed segmentation), whatever the language: questions come in Chinese and English together. It
//! differs in this: text is [folded](super::fold) rather than lower-cased, and kana are words as Han characters are.

use std::collections::HashMap;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::fold;

/// Words that say nothing about an answer.
const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// The harmonic mean of precision and recall of the answer's words, each counted as often as it occurs; in [0, 1]. Where one
/// of them has no words, 1 if the other one has none either, else 0.
pub fn token_f1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    if answer.is_empty() && reference.is_empty() {
        return 1.0;
    }
    2.0 * shared(&answer, &reference) as f64 / (answer.len() + reference.len()) as f64
}

/// The words that [`token_f1`] compares: folded, without punctuation and English articles; between spaces, but each Han
/// character and each kana by itself.
pub fn words(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    for character in fold(text).chars().filter(|&character| !is_punctuation(character)) {
        if stands_alone(character) {
            spaced.extend([' ', character, ' ']);
        } else {
            spaced.push(character);
        }
    }
    let words = spaced.split_whitespace().filter(|word| !ARTICLES.contains(word));
    words.map(str::to_owned).collect()
}

/// Words of one bag that are in the other one too, as often as they are in both.
fn shared(answer: &[String], reference: &[String]) -> usize {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in reference {
        *left.entry(word).or_default() += 1;
    }
    let mut take = |word: &&String| match left.get_mut(word.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    answer.iter().filter(|word| take(word)).count()
}

fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation()
        || character.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// Hiragana and Katakana; Han with its extensions A, B to I, and what is compatible with it.
fn stands_alone(character: char) -> bool {
    matches!(
        character,
        '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
    )
}
