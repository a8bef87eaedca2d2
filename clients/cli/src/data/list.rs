//! `rootstock data list`: the data sets in the store.
use rootstock_artifacts::Kind;
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};
use serde::Serialize;

use crate::list::{self, ListArgs};
use crate::table::{self, Tabular};
use crate::{CliError, Context};

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

impl From<(Alias, Artifact)> for Dataset {
    fn from((alias, artifact): (Alias, Artifact)) -> Self {
        Self {
            name: alias.name,
            digest: alias.digest,
            generation: alias.generation,
            files: artifact.blobs.into_iter().map(|blob| blob.path).collect(),
            size_bytes: artifact.size_bytes,
            update_time: alias.update_time.map(|time| time.to_string()),
        }
    }
}

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Dataset>(context, list::aliases(context, Kind::Dataset).await?)
}
