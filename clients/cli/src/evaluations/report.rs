//! What an evaluation found: the scores of its targets, how they compare, and what its gate said.
use rootstock_client::proto::inference::v1::{Evaluation, GateResult};
use serde::Serialize;

use super::compared::Compared;
use super::scores::Scores;
use crate::{CliError, Context};

/// The findings of an evaluation; empty before it has succeeded.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    results: Vec<Scores>,
    comparisons: Vec<Compared>,
    pub(crate) gate: Option<Gate>,
}

/// What the gate said.
#[derive(Debug, Serialize)]
pub(crate) struct Gate {
    passed: bool,
    reason: String,
    /// Nothing if nothing was published.
    published_generation: Option<i64>,
    publish_error: String,
}

impl From<Evaluation> for Report {
    fn from(evaluation: Evaluation) -> Self {
        let targets = evaluation.spec.unwrap_or_default().targets;
        let comparisons = evaluation.comparisons.into_iter();
        Self {
            results: evaluation.results.into_iter().map(Scores::from).collect(),
            comparisons: comparisons.map(|comparison| Compared::new(comparison, &targets)).collect(),
            gate: evaluation.gate.map(Gate::from),
        }
    }
}

impl From<GateResult> for Gate {
    fn from(said: GateResult) -> Self {
        let GateResult { passed, reason, published_generation, publish_error } = said;
        let published_generation = Some(published_generation).filter(|generation| *generation > 0);
        Self { passed, reason, published_generation, publish_error }
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

impl Gate {
    /// Whether all that was asked for is so, a publication included.
    pub(crate) fn holds(&self) -> bool {
        self.passed && self.publish_error.is_empty()
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let Self { passed, reason, published_generation, publish_error } = self;
        match published_generation {
            _ if !passed => format!("did not pass the gate: {reason}"),
            Some(generation) => format!("passed the gate: {reason}; published as generation {generation}"),
            None if publish_error.is_empty() => format!("passed the gate: {reason}"),
            None => format!("passed the gate: {reason}; but is not published: {publish_error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_fails_the_command_when_it_did_not_pass_or_could_not_publish() {
        let said = GateResult { passed: true, reason: "good".into(), ..GateResult::default() };
        let published = GateResult { published_generation: 3, ..said.clone() };
        let moved = GateResult { publish_error: "it moved".into(), ..said.clone() };
        let failed = GateResult { passed: false, ..said.clone() };
        for (said, holds, told) in [
            (said, true, "passed the gate: good"),
            (published, true, "passed the gate: good; published as generation 3"),
            (moved, false, "passed the gate: good; but is not published: it moved"),
            (failed, false, "did not pass the gate: good"),
        ] {
            let gate = Gate::from(said);
            assert_eq!((gate.holds(), gate.told().as_str()), (holds, told));
        }
    }
}
