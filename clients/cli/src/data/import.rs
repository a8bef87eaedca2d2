//! `rootstock data import`: files, each row of them checked before a byte is sent, become a data set.
use std::path::PathBuf;

use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::ArtifactDraft;
use serde::Serialize;

use crate::check::{self, blocking};
use crate::table::{self, Tabular};
use crate::{CliError, Context, names, transfer};

/// Arguments of `data import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to call the data set
    #[arg(long, value_name = "N")]
    name: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Imported {
    name: String,
    digest: String,
    files: usize,
    rows: usize,
    size_bytes: i64,
    generation: i64,
}

impl Tabular for Imported {
    const HEADER: &'static [&'static str] = &["name", "digest", "files", "rows", "size", "generation"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.digest.clone(),
            self.files.to_string(),
            self.rows.to_string(),
            table::bytes(self.size_bytes),
            self.generation.to_string(),
        ]
    }
}

pub(crate) async fn run(args: ImportArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Dataset, &args.name)?;
    let paths = args.files.clone();
    let checked = blocking(move || check::data::read(&paths)).await?;
    let mut draft = ArtifactDraft::new(Kind::Dataset).parent(&name);
    let rows = checked.iter().map(|file| file.rows).sum();
    for file in checked {
        draft = draft.file(file.name, file.path);
    }
    let artifact = transfer::upload(context, &format!("importing {name}"), draft).await?;
    let alias = transfer::point(context, &name, &artifact.digest).await?;
    let imported = Imported {
        name,
        digest: artifact.digest,
        files: artifact.blobs.len(),
        rows,
        size_bytes: artifact.size_bytes,
        generation: alias.generation,
    };
    context.show(&imported, args.json)
}
