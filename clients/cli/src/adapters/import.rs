//! `rootstock adapters import`: a PEFT directory, checked against its base model before a byte is sent, becomes a version.
use std::path::{Path, PathBuf};

use clap::Args;
use rootstock_artifacts::{Digest, Kind};
use rootstock_client::ArtifactDraft;
use rootstock_client::proto::checkpoint::v1::Artifact;
use rootstock_model::Config;
use serde::Serialize;

use crate::check::{self, blocking};
use crate::table::{self, Tabular};
use crate::{CliError, Context, names, transfer};

/// Largest config.json that is read.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// Arguments of `adapters import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The directory, with adapter_config.json and the weights beside it as safetensors
    dir: PathBuf,
    /// What to call the adapter
    #[arg(long, value_name = "N")]
    name: String,
    /// The base model it was trained on
    #[arg(long, value_name = "M")]
    base: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Imported {
    name: String,
    digest: String,
    base_digest: String,
    size_bytes: i64,
}

impl Tabular for Imported {
    const HEADER: &'static [&'static str] = &["name", "digest", "base", "size"];

    fn cells(&self) -> Vec<String> {
        let size = table::bytes(self.size_bytes);
        vec![self.name.clone(), self.digest.clone(), self.base_digest.clone(), size]
    }
}

pub(crate) async fn run(args: ImportArgs, context: &Context) -> Result<(), CliError> {
    let adapter = read(&args.dir).await?;
    if !adapter.left_out.is_empty() {
        context
            .note(format!("left out, because an adapter doesn't need them: {}", adapter.left_out.join(", ")));
    }
    let artifact = send(context, adapter, &args.name, &args.base).await?;
    context.note(format!("serve it with `rootstock adapters publish {}`", args.name));
    let imported = Imported {
        name: names::alias(Kind::Adapter, &args.name)?,
        digest: artifact.digest,
        base_digest: artifact.base_digest,
        size_bytes: artifact.size_bytes,
    };
    context.show(&imported, args.json)
}

/// Checks a PEFT directory against its base model and sends it: a version of the adapter, not published yet.
///
/// # Errors
/// When the directory is refused, or a call fails.
pub async fn import_adapter(
    context: &Context,
    name: &str,
    base: &str,
    dir: &Path,
) -> Result<Artifact, CliError> {
    send(context, read(dir).await?, name, base).await
}

async fn read(dir: &Path) -> Result<check::adapter::Adapter, CliError> {
    let dir = dir.to_owned();
    blocking(move || check::adapter::read(&dir)).await
}

async fn send(
    context: &Context,
    adapter: check::adapter::Adapter,
    name: &str,
    base_name: &str,
) -> Result<Artifact, CliError> {
    let name = names::alias(Kind::Adapter, name)?;
    let base = names::artifact(Kind::BaseModel, base_name)?;
    let base = context.clients().checkpoint().get_artifact(base).await?;
    let config = base_config(context, &base).await?;
    adapter.check_fits(&config, base_name)?;
    let mut draft = ArtifactDraft::new(Kind::Adapter).parent(&name).base_digest(&base.digest);
    draft = draft.tokenizer_digest(&base.tokenizer_digest);
    for (file, path) in adapter.files {
        draft = draft.file(file, path);
    }
    transfer::upload(context, &format!("importing {name}"), draft).await
}

async fn base_config(context: &Context, base: &Artifact) -> Result<Config, CliError> {
    let lacking = || CliError::refused(format!("{} is no base model: it has no config.json", base.digest));
    let blob = base.blobs.iter().find(|blob| blob.path == "config.json").ok_or_else(lacking)?;
    let digest: Digest = blob.digest.parse().map_err(|_| lacking())?;
    let bytes = context.clients().checkpoint().read_blob(&digest, MAX_CONFIG_BYTES).await?;
    Config::from_json(&bytes).map_err(|error| CliError::refused(format!("base {}: {error}", base.digest)))
}
