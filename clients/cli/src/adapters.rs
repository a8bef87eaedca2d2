//! `rootstock adapters`: versions in the store, and which of them is served.
mod export;
mod import;
mod list;
mod publish;
mod rollback;
mod served;
pub(crate) mod unpublished;
mod versions;

use clap::Subcommand;

use crate::list::ListArgs;
use crate::{CliError, Context};
pub use import::import_adapter;

/// What to do with adapters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a PEFT directory as a new version; `publish` then serves it
    Import(import::ImportArgs),
    /// Serve a version under the adapter's name
    Publish(publish::PublishArgs),
    /// Serve an earlier version again
    Rollback(rollback::RollbackArgs),
    /// Write a version as a PEFT directory
    Export(export::ExportArgs),
    /// List the adapters that are published
    List(ListArgs),
    /// List the versions of an adapter, newest first
    Versions(versions::VersionsArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Import(args) => import::run(args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Rollback(args) => rollback::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Versions(args) => versions::run(args, context).await,
    }
}
