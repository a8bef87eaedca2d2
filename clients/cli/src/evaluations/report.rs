//! What an evaluation found: the scores of its targets, and how they compare.
use rootstock_client::proto::inference::v1::Evaluation;
use serde::Serialize;

use super::compared::Compared;
use super::scores::Scores;
use crate::{CliError, Context};

/// The findings of an evaluation; empty before it has succeeded.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    results: Vec<Scores>,
    comparisons: Vec<Compared>,
}

impl From<Evaluation> for Report {
    fn from(evaluation: Evaluation) -> Self {
        let targets = evaluation.spec.unwrap_or_default().targets;
        let comparisons = evaluation.comparisons.into_iter();
        Self {
            results: evaluation.results.into_iter().map(Scores::from).collect(),
            comparisons: comparisons.map(|comparison| Compared::new(comparison, &targets)).collect(),
        }
    }
}

impl Report {
    pub(crate) fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// The tables.
    pub(crate) fn print(&self, context: &Context) -> Result<(), CliError> {
        context.list(&self.results, false)?;
        if self.comparisons.is_empty() {
            return Ok(());
        }
        context.line("")?;
        context.list(&self.comparisons, false)
    }
}
