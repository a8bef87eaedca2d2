//! `rootstock adapters export`: a version as a PEFT directory.
use std::path::PathBuf;

use clap::Args;
use rootstock_artifacts::Kind;

use crate::{CliError, Context, transfer};

/// Arguments of `adapters export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The adapter: its name, NAME/versions/DIGEST, or a digest
    name: String,
    /// A new directory
    dir: PathBuf,
}

pub(crate) async fn run(args: ExportArgs, context: &Context) -> Result<(), CliError> {
    let artifact = transfer::export(context, Kind::Adapter, &args.name, &args.dir).await?;
    context.line(format!("{} files of {} in {}", artifact.blobs.len(), artifact.digest, args.dir.display()))
}
