//! `rootstock jobs delete`: forgets a training job that has ended.
use clap::Args;

use crate::{CliError, Context, names};

/// Arguments of `jobs delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The job's id, or trainingJobs/ID
    job: String,
}

pub(crate) async fn run(args: DeleteArgs, context: &Context) -> Result<(), CliError> {
    let name = names::job(&args.job);
    context.clients().training().delete_training_job(&name).await?;
    context.line(format!("{name} is deleted"))
}
