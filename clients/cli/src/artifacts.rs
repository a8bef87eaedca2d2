//! `rootstock artifacts`: what lies in the store, by digest, whatever its kind.
mod delete;
mod verify;

use clap::{Args, Subcommand};

use crate::{CliError, Context};

/// What to do with artifacts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Delete an artifact that no name and no other artifact needs, and free its bytes
    Delete(ArtifactArgs),
    /// Let the server read every byte of an artifact and compare it with its digest
    Verify(ArtifactArgs),
}

/// Which artifact.
#[derive(Debug, Args)]
pub struct ArtifactArgs {
    /// The artifact's digest, or as much of it as tells it apart
    digest: String,
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Delete(args) => delete::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
    }
}
