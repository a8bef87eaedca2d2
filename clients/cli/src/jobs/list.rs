//! `rootstock jobs list`: the training jobs, newest first.
use clap::Args;

use super::row::Job;
use crate::{CliError, Context};

/// Arguments of `jobs list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let jobs = context.clients().training().list_training_jobs().await?;
    let rows: Vec<Job> = jobs.into_iter().map(Job::from).collect();
    context.list(&rows, args.json)
}
