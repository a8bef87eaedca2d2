//! `rootstock evaluations`: what `rootstock evaluate` began, in the server.
mod cancel;
mod compared;
mod list;
pub(crate) mod report;
mod row;
pub(crate) mod scores;
mod show;

use clap::{Args, Subcommand};

use crate::list::ListArgs;
use crate::{CliError, Context};

/// What to do with evaluations.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the evaluations, newest first
    List(ListArgs),
    /// Show one evaluation, with its scores when it has ended
    Show(EvaluationArgs),
    /// Stop an evaluation
    Cancel(EvaluationArgs),
}

/// Which evaluation.
#[derive(Debug, Args)]
pub struct EvaluationArgs {
    /// The evaluation's id, or evaluations/ID
    evaluation: String,
    /// Print the evaluation as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
    }
}
