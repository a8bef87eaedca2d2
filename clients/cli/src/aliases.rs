//! `rootstock aliases`: names that stand for artifacts, whatever their kind.
mod retire;

use clap::Subcommand;

use crate::{CliError, Context};

/// What to do with names.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a name out of service; what it stands for stays in the store
    Retire(retire::RetireArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Retire(args) => retire::run(args, context).await,
    }
}
