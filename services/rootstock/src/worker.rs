//! `rootstock worker`: the process that computes one training job, started by the training service.
use std::io::{Read, Write};
use std::time::Duration;

use clap::Args;
use prost::Message;
use rootstock_proto::training::v1::VerificationOrder;
use rootstock_runtime::{Telemetry, TelemetryConfig, TelemetryError};
use rootstock_trainer::worker::{ArgumentError, Ended, WorkerArgs as Work, WorkerError, say_last_words};
use tokio::runtime::Runtime;

/// What a worker is called in traces.
const NAME: &str = "rootstock-worker";

/// How long tasks may take to end when the work is done.
const TASKS_END: Duration = Duration::from_secs(2);
/// The same when the work was stopped: a model that is being loaded is nobody's any more.
const STOPPED_TASKS_END: Duration = Duration::from_millis(100);

/// Arguments of `rootstock worker`; the rest it finds in its environment.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The job
    #[arg(long, value_name = "trainingJobs/ID")]
    job: String,
    /// Make steps of the job again that standard input tells of, and compare them
    #[arg(long)]
    verify: bool,
    /// Which events are printed
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Print one JSON object per event
    #[arg(long)]
    log_json: bool,
    /// Where to send traces
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
}

/// Why a worker ended without having done its work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerProcessError {
    /// It was not started as the training service starts it.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// Telemetry can't start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The runtime can't start.
    #[error("the async runtime can't start")]
    Runtime(#[source] std::io::Error),
    /// What to verify can't be read, or what was found can't be told.
    #[error("standard input or output failed")]
    Pipes(#[source] std::io::Error),
    /// The job could not be computed this time.
    #[error(transparent)]
    Work(#[from] WorkerError),
}

/// The arguments with which a worker logs and traces as the server does that starts it.
pub(crate) fn telemetry_args(config: &TelemetryConfig) -> Vec<String> {
    let mut args = vec!["--log".to_owned(), config.log.clone()];
    if config.json {
        args.push("--log-json".to_owned());
    }
    if let Some(endpoint) = &config.otlp_endpoint {
        args.extend(["--otlp-endpoint".to_owned(), endpoint.clone()]);
    }
    args
}

/// Computes the job.
///
/// # Errors
/// When it was not started by the training service, or the job could not be computed for a reason that may pass.
pub fn run(args: WorkerArgs) -> Result<(), WorkerProcessError> {
    let verifies = args.verify;
    let ended = work(args);
    match &ended {
        Err(error) if !verifies => say_last_words(error),
        _ => {}
    }
    ended
}

fn work(args: WorkerArgs) -> Result<(), WorkerProcessError> {
    let config = TelemetryConfig {
        log: args.log.unwrap_or_else(|| TelemetryConfig::default().log),
        json: args.log_json,
        otlp_endpoint: args.otlp_endpoint,
        service_name: NAME.to_owned(),
    };
    let telemetry = Telemetry::init(&config)?;
    let work = Work::from_env(&args.job)?;
    let runtime = Runtime::new().map_err(WorkerProcessError::Runtime)?;
    if args.verify {
        return verify(work, &runtime).map_err(WorkerProcessError::Pipes);
    }
    let ended = runtime.block_on(Box::pin(rootstock_trainer::worker::run(work)));
    // Tasks that are still there hold the job's span, which is sent once it has ended.
    let done = matches!(ended, Ok(Ended::Succeeded | Ended::Failed));
    runtime.shutdown_timeout(if done { TASKS_END } else { STOPPED_TASKS_END });
    telemetry.shutdown();
    let ended: Ended = ended?;
    tracing::info!(?ended, "worker ended");
    Ok(())
}

/// Reads what to verify, and writes what was found.
fn verify(work: Work, runtime: &Runtime) -> std::io::Result<()> {
    let mut order = Vec::new();
    std::io::stdin().read_to_end(&mut order)?;
    let order = VerificationOrder::decode(order.as_slice()).map_err(std::io::Error::other)?;
    let answer = runtime.block_on(Box::pin(rootstock_trainer::worker::verify(work, order)));
    std::io::stdout().write_all(&answer.encode_to_vec())
}
