//! One step of several sequences together: one reading of the weights serves them all, and each gets the bits it gets alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use candle_core::Tensor;
use rootstock_kernels::share_out;
use rootstock_model::Continued;

use super::sequence::Sequence;
use crate::{error::Error, metrics::Metrics};

/// A sequence in a step, and how many of its tokens are computed in it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) sequence: Sequence,
    pub(super) tokens: usize,
}

impl Turn {
    /// Goes on from the step, whose logits are row `row` of [B, vocab].
    fn took(self, logits: &Tensor, row: usize, metrics: &Metrics) -> Option<Sequence> {
        self.sequence.took(self.tokens, logits, row, metrics)
    }
}

/// A turn whose logits are there, and what becomes of its sequence.
struct Choice {
    place: usize,
    row: usize,
    turn: Option<Turn>,
    after: Option<Sequence>,
}

impl From<(usize, (usize, Turn))> for Choice {
    fn from((row, (place, turn)): (usize, (usize, Turn))) -> Self {
        Self { place, row, turn: Some(turn), after: None }
    }
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
    let logits = match computed {
        Ok(logits) => logits,
        Err(error) => {
            together.into_iter().for_each(|(_, turn)| turn.sequence.fail(error.clone(), metrics));
            return stepped;
        }
    };
    // Choosing among tens of thousands of tokens takes long enough to be shared out.
    let mut choices: Vec<Choice> = together.into_iter().enumerate().map(Choice::from).collect();
    share_out(&mut choices, |choice| {
        choice.after = choice.turn.take().and_then(|turn| turn.took(&logits, choice.row, metrics));
    });
    for Choice { place, after, .. } in choices {
        stepped[place] = after;
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
