//! `rootstock adapters list`: what is served, and who uses it.
use super::served::Served;
use crate::list::ListArgs;
use crate::{CliError, Context};

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Served>(context, context.clients().adapters().list_adapters().await?)
}
