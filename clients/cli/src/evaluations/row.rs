//! An evaluation as a row, and as JSON.
use rootstock_client::proto::inference::v1::{Evaluation, EvaluationState};
use serde::Serialize;

use super::scores::target_name;
use crate::table::{self, Tabular, text_or_dash};

/// Characters of an error that a list shows; `evaluations show` has all of it.
const ERROR_WIDTH: usize = 40;

/// What there is to know about an evaluation, without its scores.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    name: String,
    state: &'static str,
    completed_rows: i32,
    total_rows: i32,
    dataset: String,
    model: String,
    targets: Vec<String>,
    prompt_template: String,
    evidence_digest: String,
    error: String,
    create_time: Option<String>,
    end_time: Option<String>,
}

impl From<&Evaluation> for Summary {
    fn from(evaluation: &Evaluation) -> Self {
        let spec = evaluation.spec.clone().unwrap_or_default();
        Self {
            name: evaluation.name.clone(),
            state: state_name(evaluation.state()),
            completed_rows: evaluation.completed_rows,
            total_rows: evaluation.total_rows,
            dataset: spec.dataset,
            model: spec.model,
            targets: spec.targets.iter().map(|target| target_name(target).to_owned()).collect(),
            prompt_template: spec.prompt_template,
            evidence_digest: evaluation.evidence_digest.clone(),
            error: evaluation.error.clone(),
            create_time: evaluation.create_time.map(|time| time.to_string()),
            end_time: evaluation.end_time.map(|time| time.to_string()),
        }
    }
}

impl Tabular for Summary {
    const HEADER: &'static [&'static str] = &[
        "NAME", "STATE", "ROWS", "DATASET", "MODEL", "TARGETS", "TEMPLATE", "CREATED", "ENDED", "EVIDENCE",
        "ERROR",
    ];

    fn cells(&self) -> Vec<String> {
        self.row(table::short(&self.evidence_digest), table::cut(&text_or_dash(&self.error), ERROR_WIDTH))
    }

    fn details(&self) -> Vec<String> {
        self.row(text_or_dash(&self.evidence_digest), text_or_dash(&self.error))
    }
}

impl Summary {
    fn row(&self, evidence: String, error: String) -> Vec<String> {
        let rows = match self.total_rows {
            0 => "-".to_owned(),
            total => format!("{}/{total}", self.completed_rows),
        };
        vec![
            self.name.clone(),
            self.state.to_owned(),
            rows,
            self.dataset.clone(),
            self.model.clone(),
            self.targets.join(","),
            self.prompt_template.clone(),
            table::time(self.create_time.as_deref()),
            table::time(self.end_time.as_deref()),
            evidence,
            error,
        ]
    }
}

fn state_name(state: EvaluationState) -> &'static str {
    match state {
        EvaluationState::Unspecified => "unknown",
        EvaluationState::Queued => "queued",
        EvaluationState::Running => "running",
        EvaluationState::Succeeded => "succeeded",
        EvaluationState::Failed => "failed",
        EvaluationState::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_cuts_what_a_single_evaluation_shows_in_full() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let evaluation =
            Evaluation { error: "x".repeat(90), evidence_digest: digest.clone(), ..Evaluation::default() };
        let summary = Summary::from(&evaluation);
        assert_eq!(summary.cells()[9], "sha256:abababababab");
        assert_eq!(summary.details()[9..], [digest, "x".repeat(90)]);
        assert_eq!(summary.cells()[2], "-", "the number of rows isn't known yet");
    }
}
