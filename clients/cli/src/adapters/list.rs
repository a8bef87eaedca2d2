//! `rootstock adapters list`: what is served, and who uses it.
use clap::Args;

use super::served::Served;
use crate::{CliError, Context};

/// Arguments of `adapters list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let adapters = context.clients().adapters().list_adapters().await?;
    let rows: Vec<Served> = adapters.into_iter().map(Served::from).collect();
    context.list(&rows, args.json)
}
