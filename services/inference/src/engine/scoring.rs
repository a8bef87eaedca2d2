//! How likely the given tokens of a text are: looked up in the logits of a chunk while they are there, and in no others.

use candle_core::Tensor;
use rootstock_kernels::share_out;
use rootstock_model::ReadLogits;

use crate::{
    error::Error,
    sampling::{NoChoice, Token, measure},
};

/// The scores of one sequence, as far as they are known.
#[derive(Debug)]
pub(super) struct Scoring {
    /// The tokens to be scored.
    targets: Vec<u32>,
    /// Of the first ones.
    scores: Vec<f64>,
    failed: Option<Error>,
}

/// A row of logits, the token that follows, and how likely it is.
struct Row<'a> {
    logits: &'a [f32],
    target: u32,
    score: Option<Result<Token, NoChoice>>,
}

impl Scoring {
    pub(super) fn new(targets: Vec<u32>) -> Self {
        Self { targets, scores: Vec::new(), failed: None }
    }

    /// Tokens that are not scored yet.
    pub(super) fn left(&self) -> usize {
        self.targets.len() - self.scores.len()
    }

    /// Fails where the logits could not be used.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The log-probability of each target.
    pub(super) fn into_scores(self) -> Vec<f64> {
        self.scores
    }

    fn note(&mut self, logits: &Tensor) -> Result<(), Error> {
        let logits =
            logits.to_vec2::<f32>().map_err(|error| Error::internal("logits can't be read", error))?;
        let row = |(logits, &target)| Row { logits, target, score: None };
        let left = &self.targets[self.scores.len()..];
        let mut rows: Vec<Row<'_>> = logits.iter().map(Vec::as_slice).zip(left).map(row).collect();
        share_out(&mut rows, |row| row.score = Some(measure(row.logits, row.target, 0)));
        for score in rows.into_iter().filter_map(|row| row.score) {
            // What the model rules out can't be added up.
            let logprob = score?.logprob.filter(|logprob| logprob.is_finite());
            self.scores.push(logprob.ok_or(NoChoice::NotFinite)?);
        }
        Ok(())
    }
}

impl ReadLogits for Scoring {
    fn read(&mut self, logits: &Tensor) {
        if self.failed.is_none() {
            self.failed = self.note(logits).err();
        }
    }
}
