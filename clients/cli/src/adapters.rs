//! `rootstock adapters`: versions in the store, and which of them is served.
mod export;
mod import;
mod list;
mod pin;
mod publish;
mod retire;
mod rollback;
mod served;
pub(crate) mod unpublished;
mod versions;
mod watch;

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
    ///
    /// `swap ms` runs from the request until new requests get the version. Loading the version is part of it, and loading the
    /// base model too where nothing has used that yet, as on the first publish after a start.
    Publish(publish::PublishArgs),
    /// End a canary, or serve an earlier version again
    ///
    /// While a canary stands, this ends it. Otherwise it serves what stood before the present version was first set, among the
    /// last 16 moves of the name to another version; so one rollback after the other goes further back.
    Rollback(rollback::RollbackArgs),
    /// Take an adapter out of service; what runs on it finishes
    ///
    /// Its pin and its canary end. Its versions and the history of the name stay: `adapters publish` brings it back, unpinned, and
    /// `adapters rollback` then knows the moves before, as far as they are among the last 16.
    Retire(retire::RetireArgs),
    /// Keep an adapter in the memory of every server
    Pin(pin::PinArgs),
    /// Let a pinned adapter go when its memory is needed
    Unpin(pin::PinArgs),
    /// Write a version as a PEFT directory
    Export(export::ExportArgs),
    /// List the adapters that are published
    List(ListArgs),
    /// Watch where the adapters are and who uses them
    Watch(watch::WatchArgs),
    /// List the versions of an adapter: its own, newest first, then what it stands or stood for that is stored under another name
    ///
    /// GENERATIONS are those of the name's last 16 moves to another version that set this one; `adapters rollback
    /// --to-generation` takes any generation since the oldest of all.
    Versions(versions::VersionsArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Import(args) => import::run(args, context).await,
        Command::Publish(args) => publish::run(args, context).await,
        Command::Rollback(args) => rollback::run(args, context).await,
        Command::Retire(args) => retire::run(args, context).await,
        Command::Pin(args) => pin::run(args, true, context).await,
        Command::Unpin(args) => pin::run(args, false, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Versions(args) => versions::run(args, context).await,
    }
}
