//! `rootstock models import`: a Hugging Face directory, checked here before a byte is sent, becomes a base model.
use std::path::{Path, PathBuf};

use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::ArtifactDraft;
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};
use serde::Serialize;

use crate::check::{self, blocking};
use crate::table::{self, Tabular};
use crate::{CliError, Context, names, transfer};

/// Arguments of `models import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The directory
    dir: PathBuf,
    /// What to call the model
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
    parameters: usize,
    size_bytes: i64,
    generation: i64,
}

impl Tabular for Imported {
    const HEADER: &'static [&'static str] = &["name", "digest", "parameters", "size", "generation"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.digest.clone(),
            self.parameters.to_string(),
            table::bytes(self.size_bytes),
            self.generation.to_string(),
        ]
    }
}

/// A base model that is in the store.
#[derive(Clone, Debug)]
pub struct ImportedModel {
    /// What is stored.
    pub artifact: Artifact,
    /// The name that points at it.
    pub alias: Alias,
    /// How many weights it has.
    pub parameters: usize,
}

pub(crate) async fn run(args: ImportArgs, context: &Context) -> Result<(), CliError> {
    let ImportedModel { artifact, alias, parameters } = import_model(context, &args.name, &args.dir).await?;
    let imported = Imported {
        name: alias.name,
        digest: artifact.digest,
        parameters,
        size_bytes: artifact.size_bytes,
        generation: alias.generation,
    };
    context.show(&imported, args.json)
}

/// Checks a directory, sends it, and points a name at it.
///
/// # Errors
/// When the directory is refused, or a call fails.
pub async fn import_model(context: &Context, name: &str, dir: &Path) -> Result<ImportedModel, CliError> {
    let name = names::alias(Kind::BaseModel, name)?;
    let dir = dir.to_owned();
    let model = blocking(move || check::model::read(&dir)).await?;
    if !model.left_out.is_empty() {
        context.note(format!("left out, because a model doesn't need them: {}", model.left_out.join(", ")));
    }
    let mut draft = ArtifactDraft::new(Kind::BaseModel).parent(&name);
    match &model.tokenizer_digest {
        Some(digest) => draft = draft.tokenizer_digest(digest),
        None => context.note("there is no tokenizer.json: the model will take token ids only, and no text"),
    }
    for (file, path) in model.files {
        draft = draft.file(file, path);
    }
    let artifact = transfer::upload(context, &format!("importing {name}"), draft).await?;
    let alias = transfer::point(context, &name, &artifact.digest).await?;
    Ok(ImportedModel { artifact, alias, parameters: model.config.parameters() })
}
