//! `rootstock tokenizer list`: the tokenizers in the store.
use clap::Args;

use super::described::Described;
use crate::{CliError, Context};

/// Arguments of `tokenizer list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let tokenizers = context.clients().tokenization().list_tokenizers().await?;
    let rows: Vec<Described> = tokenizers.into_iter().map(Described::from).collect();
    context.list(&rows, args.json)
}
