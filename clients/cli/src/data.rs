//! `rootstock data`: data sets in the store.
mod import;
mod list;

use clap::Subcommand;

use crate::list::ListArgs;
use crate::{CliError, Context};

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import text (.txt), rows of instruction, input and output, or documents (.jsonl, .json)
    Import(import::ImportArgs),
    /// List the data sets
    List(ListArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Import(args) => import::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
    }
}
