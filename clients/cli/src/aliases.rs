//! `rootstock aliases`: names that stand for artifacts, whatever their kind.
mod retire;
mod set;

use clap::Subcommand;

use crate::{CliError, Context};

/// What to do with names.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a name out of service; what it stands for stays in the store
    Retire(retire::RetireArgs),
    /// Let a name stand for an artifact, or stand for one again
    Set(set::SetArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Retire(args) => retire::run(args, context).await,
        Command::Set(args) => set::run(args, context).await,
    }
}
