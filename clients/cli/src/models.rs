//! `rootstock models`: base models in the store.
mod export;
mod import;
mod list;

use clap::Subcommand;

use crate::list::ListArgs;
use crate::{CliError, Context};
pub use import::{ImportedModel, import_model};

/// What to do with base models.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a Hugging Face model directory: config.json, safetensors, tokenizer files
    Import(import::ImportArgs),
    /// List the base models
    List(ListArgs),
    /// Write a base model as a Hugging Face directory
    Export(export::ExportArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Import(args) => import::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
    }
}
