//! `rootstock models list`: the base models in the store.
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use rootstock_client::proto::checkpoint::v1::Alias;
use serde::Serialize;

use crate::table::{self, Tabular};
use crate::{CliError, Context};

/// Records asked for at a time.
const PARALLEL: usize = 8;

/// Arguments of `models list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Model {
    name: String,
    digest: String,
    generation: i64,
    size_bytes: i64,
    tokenizer_digest: String,
    update_time: Option<String>,
}

impl Tabular for Model {
    const HEADER: &'static [&'static str] = &["NAME", "DIGEST", "GENERATION", "SIZE", "TOKENIZER", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            table::short(&self.digest),
            self.generation.to_string(),
            table::bytes(self.size_bytes),
            table::short(&self.tokenizer_digest),
            table::time(self.update_time.as_deref()),
        ]
    }
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let aliases = context.clients().checkpoint().list_aliases("baseModels/").await?;
    let models: Vec<Model> =
        stream::iter(aliases).map(|alias| describe(context, alias)).buffered(PARALLEL).try_collect().await?;
    context.list(&models, args.json)
}

async fn describe(context: &Context, alias: Alias) -> Result<Model, CliError> {
    let artifact = context.clients().checkpoint().get_artifact(&alias.digest).await?;
    Ok(Model {
        name: alias.name,
        digest: alias.digest,
        generation: alias.generation,
        size_bytes: artifact.size_bytes,
        tokenizer_digest: artifact.tokenizer_digest,
        update_time: alias.update_time.map(|time| time.to_string()),
    })
}
