//! `rootstock jobs watch`: a training job from its first event to its last.
use super::JobArgs;
use crate::{CliError, Context, follow, names};

pub(crate) async fn run(args: JobArgs, context: &Context) -> Result<(), CliError> {
    let job = context.clients().training().get_training_job(names::job(&args.job)).await?;
    let job = follow::follow(context, job).await?;
    follow::conclude(context, job, args.json)
}
