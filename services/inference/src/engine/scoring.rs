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
    /// How many of the most likely tokens are told beside each.
    top: usize,
    /// Of the first ones.
    scores: Vec<Token>,
    failed: Option<Error>,
}

/// A row of logits, the token that follows, and how likely it is.
struct Row<'a> {
    logits: &'a [f32],
    target: u32,
    score: Option<Result<Token, NoChoice>>,
}

impl Scoring {
    pub(super) fn new(targets: Vec<u32>, top: usize) -> Self {
        Self { targets, top, scores: Vec::new(), failed: None }
    }

    /// Tokens that are not scored yet.
    pub(super) fn left(&self) -> usize {
        self.targets.len() - self.scores.len()
    }

    /// Fails where the logits could not be used.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Each target with its log-probability.
    pub(super) fn into_scores(self) -> Vec<Token> {
        self.scores
    }

    fn note(&mut self, logits: &Tensor) -> Result<(), Error> {
        let logits =
            logits.to_vec2::<f32>().map_err(|error| Error::internal("logits can't be read", error))?;
        let row = |(logits, &target)| Row { logits, target, score: None };
        let left = &self.targets[self.scores.len()..];
        let mut rows: Vec<Row<'_>> = logits.iter().map(Vec::as_slice).zip(left).map(row).collect();
        let top = self.top;
        share_out(&mut rows, |row| row.score = Some(measure(row.logits, row.target, top)));
        for score in rows.into_iter().filter_map(|row| row.score) {
            let token = score?;
            // What the model rules out can't be added up.
            if !token.logprob.is_some_and(f64::is_finite) {
                return Err(NoChoice::NotFinite.into());
            }
            self.scores.push(token);
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
