//! `rootstock tokenizer`: tokenizers in the store.
mod described;
mod list;
mod train;

use clap::Subcommand;

use crate::list::ListArgs;
use crate::{CliError, Context};

/// What to do with tokenizers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a tokenizer on a data set: BPE, WordPiece or Unigram
    Train(train::TrainArgs),
    /// List the tokenizers
    List(ListArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Train(args) => train::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
    }
}
