//! Masked language modelling (BERT: Devlin et al., 2019): some tokens are hidden or replaced, and are to be told from those around
//! them, as transformers' `DataCollatorForLanguageModeling` does it.

use std::ops::{Range, RangeInclusive};

use thiserror::Error;

use crate::supervised::IGNORE_INDEX;

/// Of the chosen tokens these shares become the mask, and a token drawn evenly from the vocabulary; the rest stay.
const MASKED: f64 = 0.8;
const REPLACED: f64 = 0.1;
/// Numbers of the generator for each token: whether it is chosen, what becomes of it, and which token it becomes.
const DRAWS: u64 = 3;
/// Ideographs, each of which BERT's own tokenizer takes for a word.
const IDEOGRAPHS: [RangeInclusive<char>; 4] =
    ['\u{3400}'..='\u{4DBF}', '\u{4E00}'..='\u{9FFF}', '\u{F900}'..='\u{FAFF}', '\u{20000}'..='\u{2FA1F}'];

/// What is chosen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Each token on its own.
    Token,
    /// All tokens of a word.
    Word,
}

/// How tokens are hidden.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masking {
    probability: f64,
    unit: Unit,
    mask: u32,
    vocab_size: u32,
}

/// A probability that hides nothing or all.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("mlm_probability {0} is not between 0 and 1")]
pub struct MaskError(pub f64);

/// A text to be masked.
#[derive(Debug, Clone, Copy)]
pub struct MaskedText<'t> {
    /// Token ids.
    pub ids: &'t [u32],
    /// For each token the number of its word, ascending; `None` for special tokens, which are never chosen.
    pub words: &'t [Option<u32>],
}

/// A text of which tokens are hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskedExample {
    /// The tokens as they are seen.
    pub input_ids: Vec<u32>,
    /// As long: the token that was there where it is to be told, else [`IGNORE_INDEX`]. Not to be shifted.
    pub labels: Vec<i64>,
}

/// For each token of a text the number of its word, from the bytes that it stands for. Words are letters and digits in a row, or one
/// other character; an ideograph is a word. Tokens that stand for no bytes are in none.
pub fn words(text: &str, offsets: &[Range<usize>]) -> Vec<Option<u32>> {
    let (mut word, mut end) = (0, None);
    let mut number = |range: &Range<usize>| {
        if range.is_empty() {
            return None;
        }
        if !end.is_some_and(|end| goes_on(text, end, range.start)) {
            word += 1;
        }
        end = Some(range.end);
        Some(word)
    };
    offsets.iter().map(&mut number).collect()
}

/// Whether what starts here is of the same word as what ended there.
fn goes_on(text: &str, end: usize, start: usize) -> bool {
    let within_word = |c: char| c.is_alphanumeric() && !IDEOGRAPHS.iter().any(|range| range.contains(&c));
    // Tokens that are parts of one character have its whole range.
    start < end
        || start == end
            && text.get(..start).and_then(|before| before.chars().next_back()).is_some_and(within_word)
            && text.get(start..).and_then(|after| after.chars().next()).is_some_and(within_word)
}

impl Masking {
    /// Chooses with a probability between 0 and 1; `mask` is the mask's id, and replacements are drawn from the ids below
    /// `vocab_size`.
    ///
    /// # Errors
    /// A probability that is none, or is 0 or 1.
    pub fn new(probability: f64, unit: Unit, mask: u32, vocab_size: u32) -> Result<Self, MaskError> {
        if probability > 0.0 && probability < 1.0 {
            Ok(Self { probability, unit, mask, vocab_size })
        } else {
            Err(MaskError(probability))
        }
    }

    /// Hides tokens of a text.
    ///
    /// `uniform(n)` gives the `n`-th number of 0..1 of a counter-based generator that the caller has keyed by seed, epoch and
    /// row. A word is chosen by the number of its first token.
    pub fn apply(&self, text: MaskedText<'_>, uniform: impl Fn(u64) -> f64) -> MaskedExample {
        let mut masked =
            MaskedExample { input_ids: text.ids.to_vec(), labels: vec![IGNORE_INDEX; text.ids.len()] };
        let mut first = 0;
        for (i, id) in text.ids.iter().enumerate() {
            let word = text.words.get(i).copied().flatten();
            if self.unit == Unit::Token || i == 0 || word.is_none() || word != text.words[i - 1] {
                first = i;
            }
            let draw = |of: usize, n: u64| uniform(DRAWS * of as u64 + n);
            if word.is_some() && draw(first, 0) < self.probability {
                masked.labels[i] = i64::from(*id);
                masked.input_ids[i] = self.substitute(*id, draw(i, 1), draw(i, 2));
            }
        }
        masked
    }

    fn substitute(&self, id: u32, what: f64, which: f64) -> u32 {
        if what < MASKED {
            self.mask
        } else if what < MASKED + REPLACED {
            // Casts of floats saturate, and the product is below vocab_size but for rounding.
            ((which * f64::from(self.vocab_size)) as u32).min(self.vocab_size.saturating_sub(1))
        } else {
            id
        }
    }
}
