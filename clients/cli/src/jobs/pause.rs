//! `rootstock jobs pause`: stops computing a training job until it is resumed.
use super::JobArgs;
use super::details::Details;
use crate::{CliError, Context, names};

pub(crate) async fn run(args: JobArgs, context: &Context) -> Result<(), CliError> {
    let job = context.clients().training().pause_training_job(names::job(&args.job)).await?;
    context.show(&Details::from(job), args.json)
}
