//! The `rootstock` binary: parses the command line and runs what it names.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use rootstock::{bench, demo, serve, worker};
use rootstock_cli::{CliError, ConnectArgs, Context};
use rootstock_runtime::config::Sources;
use rootstock_runtime::{Telemetry, TelemetryConfig};
use tokio::runtime::Runtime;
use tracing::Instrument;

#[global_allocator]
static ALLOCATOR: rootstock_kernels::LargePages = rootstock_kernels::LargePages;

/// What a verb logs unless ROOTSTOCK_TELEMETRY_LOG says otherwise: its output is for people and scripts.
const VERB_LOG: &str = "error";
/// What the command line is called in traces.
const VERB_NAME: &str = "rootstock-cli";

/// Trains, stores and serves adapters on one shared base model, over gRPC.
#[derive(Debug, Parser)]
#[command(name = "rootstock", version, about)]
struct Cli {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the services: all of them, or the roles named
    Serve(serve::ServeArgs),
    /// Show the main job end to end: pre-train, fine-tune, store, swap, answer better
    Demo(demo::DemoArgs),
    /// Measure how fast this machine trains and serves a model
    #[command(subcommand)]
    Bench(bench::Command),
    /// Compute one training job; started by the training service
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    #[command(flatten)]
    Verb(rootstock_cli::Command),
}

fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&command_line().get_matches()).unwrap_or_else(|error| error.exit());
    // A path that can't be taken would be passed over in silence, and its wish never met.
    if let Err(error) = rootstock_kernels::requested_dispatch() {
        return fail(&error);
    }
    if let Err(error) = rootstock_kernels::requested_threads() {
        return fail(&error);
    }
    if !matches!(cli.command, Command::Verb(_)) {
        // What a step of training or serving frees, the next one asks for again.
        rootstock_kernels::keep_freed_memory();
    }
    let ended = match cli.command {
        Command::Serve(args) => serve::run(args).map_err(Into::into),
        Command::Demo(args) => run_demo(args),
        Command::Bench(command) => bench::run(command).map_err(Into::into),
        Command::Worker(args) => worker::run(args).map_err(Into::into),
        Command::Verb(command) => return run_verb(&cli.connect, command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// The command line. What starts servers of its own takes --endpoint as everything does, but doesn't offer it.
fn command_line() -> clap::Command {
    let unused = || Arg::new("endpoint").long("endpoint").global(true).hide(true);
    let starters = ["serve", "demo", "bench"].into_iter();
    starters.fold(Cli::command(), |line, name| line.mut_subcommand(name, |starter| starter.arg(unused())))
}

fn run_demo(args: demo::DemoArgs) -> Result<(), Box<dyn Error>> {
    Runtime::new()?.block_on(Box::pin(demo::run(args))).map_err(Into::into)
}

/// Prints an error and what it came from.
fn fail(error: &dyn Error) -> ExitCode {
    let mut message = format!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        let source_message = source.to_string();
        if !message.contains(&source_message) {
            message = format!("{message}: {source_message}");
        }
        cause = source.source();
    }
    eprintln!("{message}");
    ExitCode::FAILURE
}

fn run_verb(connect: &ConnectArgs, command: rootstock_cli::Command) -> ExitCode {
    let (runtime, telemetry) = match verb_process() {
        Ok(process) => process,
        Err(error) => return fail(&*error),
    };
    let mut endpoint = String::new();
    let ended = runtime.block_on(async {
        let context = Context::new(connect)?;
        endpoint = context.endpoint();
        // The trace of everything that the verb makes happen begins here.
        let span = tracing::info_span!("rootstock");
        Box::pin(rootstock_cli::run(command, &context)).instrument(span).await
    });
    telemetry.shutdown();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::FAILURE,
        Err(error) => explain(&error, &endpoint),
    }
}

fn explain(error: &CliError, endpoint: &str) -> ExitCode {
    eprintln!("error: {}", error.message(endpoint));
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(error.exit_code())
}

/// A verb's runtime, and its telemetry: quiet, but part of the trace where a collector is configured.
fn verb_process() -> Result<(Runtime, Telemetry), Box<dyn Error>> {
    let sources = Sources::from_process(None);
    let mut config: TelemetryConfig = rootstock_runtime::config::load("telemetry", &sources)?;
    let defaults = TelemetryConfig::default();
    if config.log == defaults.log {
        config.log = VERB_LOG.to_owned();
    }
    if config.service_name == defaults.service_name {
        config.service_name = VERB_NAME.to_owned();
    }
    let telemetry = Telemetry::init(&config)?;
    Ok((Runtime::new()?, telemetry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_offered_where_it_is_used_and_taken_everywhere() {
        let help = |path: &[&str]| {
            let line = [&["rootstock"], path, &["--help"]].concat();
            command_line().try_get_matches_from(line).unwrap_err().to_string()
        };
        for path in [&["serve"][..], &["demo"], &["demo", "forgetting"], &["bench", "serve"]] {
            assert!(!help(path).contains("--endpoint"), "{path:?}");
        }
        for path in [&["adapters", "list"][..], &["generate"], &["doctor"], &[]] {
            assert!(help(path).contains("--endpoint"), "{path:?}");
        }
        let endpoint = |line: &[&str]| {
            let matches = command_line().try_get_matches_from([&["rootstock"], line].concat()).unwrap();
            Cli::from_arg_matches(&matches).unwrap().connect.endpoint
        };
        let told = Some("http://h:1".to_owned());
        assert_eq!(endpoint(&["--endpoint", "http://h:1", "adapters", "list"]), told);
        assert_eq!(endpoint(&["adapters", "list", "--endpoint", "http://h:1"]), told);
        endpoint(&["serve", "--endpoint", "http://h:1"]);
        endpoint(&["--endpoint", "http://h:1", "demo"]);
    }
}
