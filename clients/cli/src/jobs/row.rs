//! A training job as a row, and as JSON.
use rootstock_client::proto::training::v1::{TrainingJob, TrainingJobState};
use serde::Serialize;

use crate::table::{Tabular, or_dash, text_or_dash};

/// What there is to know about a job.
#[derive(Debug, Serialize)]
pub(crate) struct Job {
    name: String,
    state: &'static str,
    output: String,
    step: i64,
    total_steps: i64,
    epoch: f64,
    loss: f64,
    eval_loss: Option<f64>,
    learning_rate: f64,
    tokens_per_second: f64,
    eta_seconds: f64,
    attempts: i32,
    result_digest: String,
    error: String,
    create_time: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
}

impl From<TrainingJob> for Job {
    fn from(job: TrainingJob) -> Self {
        let progress = job.progress.unwrap_or_default();
        Self {
            state: state_name(job.state()),
            name: job.name,
            output: job.spec.map(|spec| spec.output).unwrap_or_default(),
            step: progress.step,
            total_steps: progress.total_steps,
            epoch: progress.epoch,
            loss: progress.loss,
            eval_loss: progress.eval_loss,
            learning_rate: progress.learning_rate,
            tokens_per_second: progress.tokens_per_second,
            eta_seconds: progress.eta_seconds,
            attempts: job.attempts,
            result_digest: job.result_digest,
            error: job.error,
            create_time: job.create_time.map(|time| time.to_string()),
            start_time: job.start_time.map(|time| time.to_string()),
            end_time: job.end_time.map(|time| time.to_string()),
        }
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
            self.state.to_owned(),
            self.output.clone(),
            format!("{}/{}", self.step, self.total_steps),
            format!("{:.4}", self.loss),
            or_dash(self.eval_loss.map(|loss| format!("{loss:.4}"))),
            format!("{:.0}", self.tokens_per_second),
            self.attempts.to_string(),
            or_dash(self.create_time.as_ref()),
            text_or_dash(&self.result_digest),
            text_or_dash(&self.error),
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
    }
}
