//! `rootstock evaluations list`: the evaluations, newest first.
use super::row::Summary;
use crate::list::ListArgs;
use crate::{CliError, Context};

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Summary>(context, &context.clients().evaluation().list_evaluations().await?)
}
