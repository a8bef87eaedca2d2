//! `rootstock jobs resume`: goes on with a paused training job.
use super::JobArgs;
use super::details::Details;
use crate::{CliError, Context, names};

pub(crate) async fn run(args: JobArgs, context: &Context) -> Result<(), CliError> {
    let job = context.clients().training().resume_training_job(names::job(&args.job)).await?;
    context.show(&Details::from(job), args.json)
}
