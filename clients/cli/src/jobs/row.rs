//! A training job as a row, and as JSON.
use rootstock_client::proto::training::v1::{TrainingJob, TrainingJobState, TrainingProgress};
use serde::Serialize;

use super::publication::Publication;
use crate::figures::rounded_if_any;
use crate::table::{self, Tabular, or_dash, text_or_dash};

/// Characters of an error that a list shows; `jobs show` has all of it.
const ERROR_WIDTH: usize = 40;

/// What there is to know about a job. What the job has not reported yet is `None`.
#[derive(Debug, Serialize)]
pub(crate) struct Job {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) output: String,
    step: Option<i64>,
    total_steps: Option<i64>,
    /// The stage that it is in, where it has stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<i64>,
    #[serde(flatten)]
    report: Report,
    pub(super) attempts: i32,
    /// Its place among the jobs that wait.
    queue_position: Option<i64>,
    pub(super) result_digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publication: Option<Publication>,
    pub(super) error: String,
    pub(super) create_time: Option<String>,
    pub(super) start_time: Option<String>,
    pub(super) end_time: Option<String>,
}

/// What the last report says.
#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(serialize_with = "rounded_if_any")]
    epoch: Option<f64>,
    #[serde(serialize_with = "rounded_if_any")]
    loss: Option<f64>,
    #[serde(serialize_with = "rounded_if_any")]
    eval_loss: Option<f64>,
    #[serde(serialize_with = "rounded_if_any")]
    learning_rate: Option<f64>,
    #[serde(serialize_with = "rounded_if_any")]
    tokens_per_second: Option<f64>,
    resident_bytes: Option<i64>,
    #[serde(serialize_with = "rounded_if_any")]
    eta_seconds: Option<f64>,
}

impl From<TrainingJob> for Job {
    fn from(job: TrainingJob) -> Self {
        let progress = job.progress.unwrap_or_default();
        // The total is not 0 once it is known.
        let known = progress.total_steps > 0;
        Self {
            state: state_name(job.state()),
            name: job.name,
            output: job.spec.map(|spec| spec.output).unwrap_or_default(),
            step: known.then_some(progress.step),
            total_steps: known.then_some(progress.total_steps),
            stage: Some(progress.stage).filter(|stage| *stage > 0),
            report: Report::from(progress),
            attempts: job.attempts,
            queue_position: Some(job.queue_position).filter(|place| *place > 0),
            result_digest: job.result_digest,
            publication: job.publication_result.map(Publication::from),
            error: job.error,
            create_time: job.create_time.map(|time| time.to_string()),
            start_time: job.start_time.map(|time| time.to_string()),
            end_time: job.end_time.map(|time| time.to_string()),
        }
    }
}

impl From<TrainingProgress> for Report {
    fn from(progress: TrainingProgress) -> Self {
        let eval_loss = progress.eval_loss;
        if progress.step == 0 {
            return Self { eval_loss, ..Self::default() };
        }
        Self {
            epoch: Some(progress.epoch),
            loss: Some(progress.loss),
            eval_loss,
            learning_rate: Some(progress.learning_rate),
            tokens_per_second: Some(progress.tokens_per_second),
            resident_bytes: Some(progress.resident_bytes).filter(|bytes| *bytes > 0),
            eta_seconds: Some(progress.eta_seconds),
        }
    }
}

impl Job {
    /// Where it stands, and in the queue at which place.
    pub(super) fn state(&self) -> String {
        match self.queue_position {
            Some(place) => format!("{} ({place})", self.state),
            None => self.state.to_owned(),
        }
    }

    /// Steps done and in all.
    pub(super) fn steps(&self) -> String {
        let both = self.step.zip(self.total_steps);
        or_dash(both.map(|(step, total)| format!("{step}/{total}")))
    }

    pub(super) fn loss(&self) -> String {
        or_dash(self.report.loss.map(|loss| format!("{loss:.4}")))
    }

    pub(super) fn eval_loss(&self) -> String {
        or_dash(self.report.eval_loss.map(|loss| format!("{loss:.4}")))
    }

    pub(super) fn speed(&self) -> String {
        or_dash(self.report.tokens_per_second.map(|speed| format!("{speed:.0}")))
    }
}

impl Tabular for Job {
    const HEADER: &'static [&'static str] = &[
        "NAME",
        "STATE",
        "OUTPUT",
        "STEP",
        "LOSS",
        "EVAL LOSS",
        "TOKENS/S",
        "ATTEMPTS",
        "CREATED",
        "RESULT",
        "ERROR",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state(),
            self.output.clone(),
            self.steps(),
            self.loss(),
            self.eval_loss(),
            self.speed(),
            self.attempts.to_string(),
            table::time(self.create_time.as_deref()),
            table::short(&self.result_digest),
            table::cut(&text_or_dash(&self.error), ERROR_WIDTH),
        ]
    }
}

/// A state as people write it.
pub(crate) fn state_name(state: TrainingJobState) -> &'static str {
    match state {
        TrainingJobState::Unspecified => "unknown",
        TrainingJobState::Queued => "queued",
        TrainingJobState::Running => "running",
        TrainingJobState::Succeeded => "succeeded",
        TrainingJobState::Failed => "failed",
        TrainingJobState::Cancelled => "cancelled",
        TrainingJobState::Paused => "paused",
        TrainingJobState::Pausing => "pausing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_has_not_reported_shows_dashes_and_no_zeros() {
        let queued = Job::from(TrainingJob::default());
        assert_eq!(
            (queued.steps().as_str(), queued.loss().as_str(), queued.speed().as_str()),
            ("-", "-", "-")
        );
        let json = serde_json::to_value(&queued).unwrap();
        assert!(json["step"].is_null() && json["loss"].is_null() && json["eta_seconds"].is_null(), "{json}");
        let progress = TrainingProgress { step: 3, total_steps: 9, loss: 1.234_567_89, ..Default::default() };
        let running = Job::from(TrainingJob { progress: Some(progress), ..TrainingJob::default() });
        assert_eq!((running.steps().as_str(), running.loss().as_str()), ("3/9", "1.2346"));
        assert_eq!(serde_json::to_value(&running).unwrap()["loss"], 1.23457);
    }

    #[test]
    fn a_list_cuts_a_long_error_and_a_digest() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let job = TrainingJob { error: "x".repeat(90), result_digest: digest, ..TrainingJob::default() };
        let cells = Job::from(job).cells();
        assert_eq!(cells[9], "sha256:abababababab");
        assert_eq!(cells[10].chars().count(), ERROR_WIDTH);
    }
}
