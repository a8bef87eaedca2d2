//! `rootstock jobs`: training jobs.
mod cancel;
mod delete;
mod details;
mod list;
pub(crate) mod row;
mod show;
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
        Command::Delete(args) => delete::run(args, context).await,
    }
}
