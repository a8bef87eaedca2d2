//! The verbs of the `rootstock` command line: one file per verb, each a few calls of the typed client and what a person
//! or a script wants to see of them.
//!
//! Results go to standard output, everything else (progress, notes, errors) to standard error.
#![forbid(unsafe_code)]

mod adapters;
mod aliases;
mod artifacts;
mod check;
mod classify;
mod context;
mod data;
mod doctor;
mod encoded;
mod error;
mod evaluate;
mod evaluations;
mod figures;
mod fill_mask;
mod follow;
mod generate;
mod jobs;
mod limits;
mod list;
mod metrics;
mod models;
mod names;
mod nearest;
mod progress;
mod table;
mod tokenize;
mod tokenizer;
mod train;
mod transfer;

use clap::Subcommand;

pub use adapters::import_adapter;
pub use context::{ConnectArgs, Context};
pub use error::CliError;
pub use models::{ImportedModel, import_model};

/// What to do with a running server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import, list and export base models
    #[command(subcommand)]
    Models(models::Command),
    /// Import, publish, roll back, list and export adapters
    #[command(subcommand)]
    Adapters(adapters::Command),
    /// Delete and verify artifacts of any kind
    #[command(subcommand)]
    Artifacts(artifacts::Command),
    /// Retire names of any kind
    #[command(subcommand)]
    Aliases(aliases::Command),
    /// Import, audit, clean and list data sets
    #[command(subcommand)]
    Data(data::Command),
    /// Train and list tokenizers
    #[command(subcommand)]
    Tokenizer(tokenizer::Command),
    /// Show the tokens of a text
    Tokenize(tokenize::TokenizeArgs),
    /// Train what a YAML file describes, and watch it
    Train(train::TrainArgs),
    /// List, show, watch, pause, resume, cancel, verify and delete training jobs
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Generate text; nothing but the text goes to standard output
    Generate(generate::GenerateArgs),
    /// Tell how likely a classifier's labels are for texts
    Classify(classify::ClassifyArgs),
    /// Tell the most likely tokens where a text has masks
    FillMask(fill_mask::FillMaskArgs),
    /// Score a model and its adapters on a data set
    Evaluate(evaluate::EvaluateArgs),
    /// List, show and cancel evaluations
    #[command(subcommand)]
    Evaluations(evaluations::Command),
    /// Ask every service how it is
    Doctor(doctor::DoctorArgs),
}

/// Runs one verb.
///
/// # Errors
/// When a file is refused, a call fails, or a job ends badly; [`CliError::hint`] says what to do next.
pub async fn run(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Models(command) => models::run(command, context).await,
        Command::Adapters(command) => adapters::run(command, context).await,
        Command::Artifacts(command) => artifacts::run(command, context).await,
        Command::Aliases(command) => aliases::run(command, context).await,
        Command::Data(command) => data::run(command, context).await,
        Command::Tokenizer(command) => tokenizer::run(command, context).await,
        Command::Tokenize(args) => tokenize::run(args, context).await,
        Command::Train(args) => Box::pin(train::run(args, context)).await,
        Command::Jobs(command) => jobs::run(command, context).await,
        Command::Generate(args) => generate::run(args, context).await,
        Command::Classify(args) => classify::run(args, context).await,
        Command::FillMask(args) => fill_mask::run(args, context).await,
        Command::Evaluate(args) => evaluate::run(args, context).await,
        Command::Evaluations(command) => evaluations::run(command, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
    }
}
