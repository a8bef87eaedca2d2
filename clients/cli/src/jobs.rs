//! `rootstock jobs`: training jobs.
mod cancel;
mod delete;
mod details;
mod list;
pub(crate) mod metrics;
mod pause;
pub(crate) mod publication;
mod resume;
pub(crate) mod row;
mod show;
mod verify;
mod watch;

use clap::{Args, Subcommand};

use crate::list::ListArgs;
use crate::{CliError, Context};

/// What to do with training jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the jobs, newest first
    List(ListArgs),
    /// Show one job
    Show(JobArgs),
    /// Watch a job to its end; Ctrl-C ends the watching, not the job
    Watch(JobArgs),
    /// Stop a job; its saved states stay
    Cancel(JobArgs),
    /// Write what a job has reported as a table, for TensorBoard, or as a picture
    Metrics(metrics::MetricsArgs),
    /// Stop computing a job until it is resumed; nothing of it stays in memory
    Pause(JobArgs),
    /// Go on with a paused job after its last whole step
    Resume(JobArgs),
    /// Make steps of a job again and compare every bit with what was saved, reported and stored
    Verify(verify::VerifyArgs),
    /// Forget a job that has ended; its result stays
    Delete(delete::DeleteArgs),
}

/// Which job.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The job's id, or trainingJobs/ID
    job: String,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
        Command::Metrics(args) => metrics::run(args, context).await,
        Command::Pause(args) => pause::run(args, context).await,
        Command::Resume(args) => resume::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Delete(args) => delete::run(args, context).await,
    }
}
