//! `rootstock jobs verify`: makes steps of a training job again, and compares every bit.
use clap::Args;
use rootstock_client::proto::training::v1::{TrainingCheck, TrainingCheckSubject, VerifyTrainingJobRequest};
use serde::Serialize;

use crate::progress::Meter;
use crate::table::{self, Tabular};
use crate::{CliError, Context, names};

/// Arguments of `jobs verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The job's id, or trainingJobs/ID; it must be paused or have ended
    job: String,
    /// Begin with the first step instead of the oldest state that is kept
    #[arg(long)]
    from_beginning: bool,
    /// Most steps that are made again [default: all that follow]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_steps: i64,
    /// Print the comparisons as JSON
    #[arg(long)]
    json: bool,
}

/// One comparison.
#[derive(Debug, Serialize)]
struct Check {
    step: i64,
    compared: &'static str,
    digest: String,
    difference: String,
}

impl From<TrainingCheck> for Check {
    fn from(check: TrainingCheck) -> Self {
        let compared = match check.subject() {
            TrainingCheckSubject::Unspecified => "unknown",
            TrainingCheckSubject::Progress => "gradient norm and learning rate",
            TrainingCheckSubject::State => "saved state",
            TrainingCheckSubject::Result => "result",
        };
        Self { step: check.step, compared, digest: check.digest, difference: check.difference }
    }
}

impl Tabular for Check {
    const HEADER: &'static [&'static str] = &["STEP", "COMPARED", "WITH", "BITS"];

    fn cells(&self) -> Vec<String> {
        let bits = if self.difference.is_empty() { "same" } else { &self.difference };
        vec![self.step.to_string(), self.compared.to_owned(), table::short(&self.digest), bits.to_owned()]
    }
}

pub(crate) async fn run(args: VerifyArgs, context: &Context) -> Result<(), CliError> {
    let name = names::job(&args.job);
    let request = VerifyTrainingJobRequest {
        name: name.clone(),
        from_beginning: args.from_beginning,
        max_steps: args.max_steps,
    };
    let meter = Meter::waiting(format!("making steps of {name} again"));
    let checks = context.clients().training().verify_training_job(request).await;
    meter.clear();
    let checks: Vec<Check> = checks?.into_iter().map(Check::from).collect();
    context.list(&checks, args.json)?;
    match checks.iter().find(|check| !check.difference.is_empty()) {
        None if checks.is_empty() => Err(CliError::refused(format!(
            "{name} has nothing to compare with: no state, no report and no result after the step to begin with"
        ))),
        None => Ok(()),
        Some(check) => Err(CliError::refused(format!(
            "{name} is not what comes of its steps: after step {}, {}",
            check.step, check.difference
        ))),
    }
}
