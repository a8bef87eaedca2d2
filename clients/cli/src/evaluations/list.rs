//! `rootstock evaluations list`: the evaluations, newest first.
use clap::Args;

use super::row::Summary;
use crate::{CliError, Context};

/// Arguments of `evaluations list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let evaluations = context.clients().evaluation().list_evaluations().await?;
    let rows: Vec<Summary> = evaluations.iter().map(Summary::from).collect();
    context.list(&rows, args.json)
}
