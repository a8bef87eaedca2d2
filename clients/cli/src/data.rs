//! `rootstock data`: data sets in the store.
mod audit;
mod clean;
mod import;
mod list;

use clap::Subcommand;

use crate::list::ListArgs;
use crate::{CliError, Context};

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import text (.txt), or rows of instruction, input and output, documents and labelled texts (.jsonl, .ndjson, .json, .csv, .parquet)
    Import(import::ImportArgs),
    /// Tell what is wrong or suspicious in the data that a training file names, as its job would see it
    Audit(audit::AuditArgs),
    /// Make a data set without duplicates, and without what is too short, too long, foreign or repetitive
    Clean(clean::CleanArgs),
    /// List the data sets
    List(ListArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Import(args) => import::run(args, context).await,
        Command::Audit(args) => audit::run(args, context).await,
        Command::Clean(args) => clean::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
    }
}
