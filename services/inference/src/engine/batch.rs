//! One step of several sequences together: one reading of the weights serves them all, and each gets the bits it gets alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use candle_core::Tensor;
use rootstock_model::Continued;

use super::sequence::Sequence;
use crate::{error::Error, metrics::Metrics};

/// A sequence in a step, and how many of its tokens are computed in it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) sequence: Sequence,
    pub(super) tokens: usize,
}

/// Computes a step of sequences of one model; those that have ended come back as `None`. Blocks for as long as a forward takes.
pub(super) fn step(turns: Vec<Turn>, metrics: &Metrics) -> Vec<Option<Sequence>> {
    let mut stepped: Vec<Option<Sequence>> = Vec::with_capacity(turns.len());
    let mut together = Vec::with_capacity(turns.len());
    for (place, mut turn) in turns.into_iter().enumerate() {
        stepped.push(None);
        match turn.sequence.begin() {
            Ok(true) => together.push((place, turn)),
            // Scores are computed without a cache, and alone.
            Ok(false) => stepped[place] = turn.sequence.score(metrics),
            Err(error) => turn.sequence.fail(error, metrics),
        }
    }
    if together.is_empty() {
        return stepped;
    }
    let computed = catch_unwind(AssertUnwindSafe(|| forward(&mut together)));
    let computed = computed.unwrap_or_else(|_| Err(Error::Internal("a step of the model panicked".into())));
    for (row, (place, turn)) in together.into_iter().enumerate() {
        match &computed {
            Ok(logits) => stepped[place] = turn.sequence.took(turn.tokens, logits, row, metrics),
            Err(error) => turn.sequence.fail(error.clone(), metrics),
        }
    }
    stepped
}

/// Logits [B, vocab] after the last token of each turn.
fn forward(together: &mut [(usize, Turn)]) -> Result<Tensor, Error> {
    let Some((_, first)) = together.first() else { return Err(Error::Internal("a step of nobody".into())) };
    let model = Arc::clone(first.sequence.model());
    let mut sequences: Vec<Continued<'_>> = Vec::with_capacity(together.len());
    for (_, turn) in together.iter_mut() {
        sequences.push(turn.sequence.next(turn.tokens)?);
    }
    Ok(model.decoder().forward_batch(&mut sequences)?)
}
