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
    /// Goes on from the step, which has given it these logits [vocab].
    fn took(self, logits: Option<Tensor>, metrics: &Metrics) -> Option<Sequence> {
        self.sequence.took(self.tokens, logits, metrics)
    }
}

/// A turn that is computed, and what becomes of its sequence.
struct Choice {
    place: usize,
    logits: Option<Tensor>,
    turn: Option<Turn>,
    after: Option<Sequence>,
}

/// Computes a step of sequences of one model; those that have ended come back as `None`. Blocks for as long as a forward takes.
pub(super) fn step(turns: Vec<Turn>, metrics: &Metrics) -> Vec<Option<Sequence>> {
    let mut stepped: Vec<Option<Sequence>> = Vec::with_capacity(turns.len());
    let mut together = Vec::with_capacity(turns.len());
    for (place, mut turn) in turns.into_iter().enumerate() {
        stepped.push(None);
        match turn.sequence.begin() {
            Ok(()) => together.push((place, turn)),
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
    let choice = |((place, turn), logits)| Choice { place, logits, turn: Some(turn), after: None };
    let mut choices: Vec<Choice> = together.into_iter().zip(logits).map(choice).collect();
    share_out(&mut choices, |choice| {
        choice.after = choice.turn.take().and_then(|turn| turn.took(choice.logits.take(), metrics));
    });
    for Choice { place, after, .. } in choices {
        stepped[place] = after;
    }
    stepped
}

/// Logits [vocab] after the last token of each turn, where a token is to be chosen.
fn forward(together: &mut [(usize, Turn)]) -> Result<Vec<Option<Tensor>>, Error> {
    let Some((_, first)) = together.first() else { return Err(Error::Internal("a step of nobody".into())) };
    let model = Arc::clone(first.sequence.model());
    let chooses: Vec<bool> = together.iter().map(|(_, turn)| turn.sequence.chooses(turn.tokens)).collect();
    let mut sequences: Vec<Continued<'_>> = Vec::with_capacity(together.len());
    for (_, turn) in together.iter_mut() {
        sequences.push(turn.sequence.next(turn.tokens)?);
    }
    let logits = model.decoder().forward_batch(&mut sequences)?; // [n, V]
    let mut rows = 0..;
    let mut next = || rows.next().map(|row| logits.get(row)).transpose();
    let logits = chooses.into_iter().map(|chooses| if chooses { next() } else { Ok(None) });
    logits.collect::<Result<_, _>>().map_err(|error| Error::internal("logits can't be read", error))
}
