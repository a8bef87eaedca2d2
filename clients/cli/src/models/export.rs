//! `rootstock models export`: a base model as the Hugging Face directory that it is.
use std::path::PathBuf;

use clap::Args;
use rootstock_artifacts::Kind;

use crate::{CliError, Context, transfer};

/// Arguments of `models export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The model: its name or digest
    name: String,
    /// A new directory
    dir: PathBuf,
}

pub(crate) async fn run(args: ExportArgs, context: &Context) -> Result<(), CliError> {
    let artifact = transfer::export(context, Kind::BaseModel, &args.name, &args.dir).await?;
    context.line(format!("{} files of {} in {}", artifact.blobs.len(), artifact.digest, args.dir.display()))
}
