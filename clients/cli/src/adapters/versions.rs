//! `rootstock adapters versions`: what can be published under a name.
use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::ErrorReason;
use serde::Serialize;

use crate::table::{self, Tabular};
use crate::{CliError, Context, names};

/// Arguments of `adapters versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// The adapter
    name: String,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Version {
    digest: String,
    published: bool,
    /// The generations that served it, as far as the name's history goes, newest first.
    generations: Vec<i64>,
    base_digest: String,
    size_bytes: i64,
    create_time: Option<String>,
}

impl Tabular for Version {
    const HEADER: &'static [&'static str] =
        &["DIGEST", "PUBLISHED", "GENERATIONS", "BASE", "SIZE", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let generations: Vec<String> = self.generations.iter().map(ToString::to_string).collect();
        vec![
            // Whole, because it is copied from here into `publish --digest`.
            self.digest.clone(),
            if self.published { "yes" } else { "no" }.to_owned(),
            if generations.is_empty() { "-".to_owned() } else { generations.join(",") },
            table::short(&self.base_digest),
            table::bytes(self.size_bytes),
            table::time(self.create_time.as_deref()),
        ]
    }
}

pub(crate) async fn run(args: VersionsArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let checkpoint = context.clients().checkpoint();
    let artifacts = checkpoint.list_artifacts(Some(&name), Some(Kind::Adapter)).await?;
    let alias = match checkpoint.get_alias(&name).await {
        Ok(alias) => Some(alias),
        Err(error) if error.is(ErrorReason::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let history = alias.as_ref().map_or(&[][..], |alias| &alias.history);
    let versions: Vec<Version> = artifacts
        .into_iter()
        .map(|artifact| Version {
            published: alias.as_ref().is_some_and(|alias| alias.digest == artifact.digest),
            generations: history
                .iter()
                .filter(|move_| move_.digest == artifact.digest)
                .map(|move_| move_.generation)
                .collect(),
            digest: artifact.digest,
            base_digest: artifact.base_digest,
            size_bytes: artifact.size_bytes,
            create_time: artifact.create_time.map(|time| time.to_string()),
        })
        .collect();
    context.list(&versions, args.json)
}
