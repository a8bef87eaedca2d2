//! `rootstock models list`: the base models in the store.
use rootstock_artifacts::Kind;
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};
use serde::Serialize;

use crate::list::{self, ListArgs};
use crate::table::{self, Tabular};
use crate::{CliError, Context};

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

impl From<(Alias, Artifact)> for Model {
    fn from((alias, artifact): (Alias, Artifact)) -> Self {
        Self {
            name: alias.name,
            digest: alias.digest,
            generation: alias.generation,
            size_bytes: artifact.size_bytes,
            tokenizer_digest: artifact.tokenizer_digest,
            update_time: alias.update_time.map(|time| time.to_string()),
        }
    }
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Model>(context, list::aliases(context, Kind::BaseModel).await?)
}
