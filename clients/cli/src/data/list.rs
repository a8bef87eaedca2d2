//! `rootstock data list`: the data sets in the store.
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use rootstock_client::proto::checkpoint::v1::Alias;
use serde::Serialize;

use crate::table::{self, Tabular};
use crate::{CliError, Context};

/// Records asked for at a time.
const PARALLEL: usize = 8;

/// Arguments of `data list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Dataset {
    name: String,
    digest: String,
    generation: i64,
    files: Vec<String>,
    size_bytes: i64,
    update_time: Option<String>,
}

impl Tabular for Dataset {
    const HEADER: &'static [&'static str] = &["NAME", "DIGEST", "GENERATION", "FILES", "SIZE", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            table::short(&self.digest),
            self.generation.to_string(),
            self.files.join(","),
            table::bytes(self.size_bytes),
            table::time(self.update_time.as_deref()),
        ]
    }
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    let aliases = context.clients().checkpoint().list_aliases("datasets/").await?;
    let datasets: Vec<Dataset> =
        stream::iter(aliases).map(|alias| describe(context, alias)).buffered(PARALLEL).try_collect().await?;
    context.list(&datasets, args.json)
}

async fn describe(context: &Context, alias: Alias) -> Result<Dataset, CliError> {
    let artifact = context.clients().checkpoint().get_artifact(&alias.digest).await?;
    Ok(Dataset {
        name: alias.name,
        digest: alias.digest,
        generation: alias.generation,
        files: artifact.blobs.into_iter().map(|blob| blob.path).collect(),
        size_bytes: artifact.size_bytes,
        update_time: alias.update_time.map(|time| time.to_string()),
    })
}
