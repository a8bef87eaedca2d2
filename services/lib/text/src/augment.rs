//! Questions that change each time they are seen: an adapter that sees each wording with other words missing, or in another order,
//! every epoch learns the subject and not the wording.
//!
//! Sources: Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text
//! Classification" (word dropout); Wei & Zou 2019, "EDA" (random swap). Here on tokens, and only on those that are the user's.

use std::ops::Range;

use thiserror::Error;

/// What comes in the place of a dropped token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// Nothing: the prompt gets shorter.
    Remove,
    /// A fixed id.
    Id(u32),
    /// An id drawn evenly from those below `vocab_size`.
    Random {
        /// One more than the highest id that is drawn.
        vocab_size: u32,
    },
}

/// How tokens are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenDropout {
    probability: f64,
    replacement: Replacement,
}

/// A probability that is none.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("token dropout {0} is outside of 0 (included) to 1 (excluded)")]
pub struct DropoutError(pub f64);

impl TokenDropout {
    /// Drops each of the user's tokens with `probability`, in 0..1.
    ///
    /// # Errors
    /// A probability out of range, or not a number.
    pub fn new(probability: f64, replacement: Replacement) -> Result<Self, DropoutError> {
        if (0.0..1.0).contains(&probability) {
            Ok(Self { probability, replacement })
        } else {
            Err(DropoutError(probability))
        }
    }

    /// The probability with which a token is dropped.
    pub fn probability(&self) -> f64 {
        self.probability
    }

    fn substitute(&self, uniform: f64) -> Option<u32> {
        match self.replacement {
            Replacement::Remove => None,
            Replacement::Id(id) => Some(id),
            Replacement::Random { vocab_size } => {
                // The product is below vocab_size but for rounding, and casts of floats saturate.
                let drawn = (uniform * f64::from(vocab_size)) as u32;
                Some(drawn.min(vocab_size.saturating_sub(1)))
            }
        }
    }
}

/// Drops tokens of a prompt at the positions `user`, each on its own. One of them always stays: if all
/// would go, the one with the highest draw is kept.
///
/// `uniform(n)` gives the `n`-th number of 0..1 of a counter-based generator that the caller has keyed by
/// seed, epoch and example: `2 i` decides on position `i` of the prompt, `2 i + 1` draws what replaces it.
/// So the result depends on the keys alone, and not on what was drawn before.
pub fn token_dropout(
    prompt_ids: &[u32],
    user: &[Range<usize>],
    dropout: &TokenDropout,
    uniform: impl FnMut(u64) -> f64,
) -> Vec<u32> {
    drop_tokens(prompt_ids, user, dropout, uniform).0
}

/// As [`token_dropout`], with the user's positions in what is left.
pub(crate) fn drop_tokens(
    prompt_ids: &[u32],
    user: &[Range<usize>],
    dropout: &TokenDropout,
    mut uniform: impl FnMut(u64) -> f64,
) -> (Vec<u32>, Vec<Range<usize>>) {
    let is_user = |i: &usize| user.iter().any(|range| range.contains(i));
    let draws: Vec<(usize, f64)> =
        (0..prompt_ids.len()).filter(is_user).map(|i| (i, uniform(2 * i as u64))).collect();
    let mut dropped: Vec<usize> =
        draws.iter().filter(|(_, draw)| *draw < dropout.probability).map(|(i, _)| *i).collect();
    if dropped.len() == draws.len() {
        let highest = draws.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| *i);
        dropped.retain(|&i| Some(i) != highest);
    }
    let mut kept = Vec::with_capacity(prompt_ids.len());
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (i, &id) in prompt_ids.iter().enumerate() {
        let id = match dropped.binary_search(&i) {
            Ok(_) => dropout.substitute(uniform(2 * i as u64 + 1)),
            Err(_) => Some(id),
        };
        let Some(id) = id else { continue };
        if is_user(&i) {
            match ranges.last_mut() {
                Some(last) if last.end == kept.len() => last.end += 1,
                _ => ranges.push(kept.len()..kept.len() + 1),
            }
        }
        kept.push(id);
    }
    (kept, ranges)
}

/// Tokens of a span that changes places.
const SPAN: usize = 3;

/// The prompt with spans of three of the user's tokens moved: each, from the first on, changes places with the next one of its run with
/// `probability`, and the two are done then. `uniform(i)` decides on the span that begins at position `i`; see [`token_dropout`].
pub(crate) fn shuffle_spans(
    prompt_ids: &[u32],
    user: &[Range<usize>],
    probability: f64,
    mut uniform: impl FnMut(u64) -> f64,
) -> Vec<u32> {
    let mut ids = prompt_ids.to_vec();
    for run in user {
        let mut start = run.start;
        while start + SPAN < run.end {
            let end = (start + 2 * SPAN).min(run.end);
            if uniform(start as u64) < probability {
                ids[start..end].rotate_left(SPAN);
                start = end;
            } else {
                start += SPAN;
            }
        }
    }
    ids
}
