//! `rootstock jobs list`: the training jobs, newest first.
use super::row::Job;
use crate::list::ListArgs;
use crate::{CliError, Context};

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Job>(context, context.clients().training().list_training_jobs().await?)
}
