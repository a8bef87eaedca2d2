//! The worker: leases one job, computes it, and reports; started as a process, or called in one.

pub mod variables;

mod args;
mod data;
mod encode;
mod encoder;
mod fault;
mod fisher;
mod groups;
mod heart;
mod infilling;
mod inputs;
mod labelled;
mod learner;
mod link;
mod masked;
mod meter;
mod order;
mod patience;
mod prepare;
mod reporter;
mod result;
mod retention;
mod rows;
mod saver;
mod schedule;
mod snapshot;
mod stop;
mod train;
mod trainee;
mod unfreeze;
mod upload;

use rootstock_client::Clients;
use rootstock_proto::training::v1 as proto;
use rootstock_runtime::trace;
use tokio::time::timeout;
use tracing::Instrument;

pub use args::{ArgumentError, WorkerArgs};
pub use fault::WorkerError;
pub use stop::Ended;

use fault::Fault;
use link::Link;
use reporter::Reporter;
use saver::Saver;
use stop::Stop;

/// Computes one job from its lease to its last report.
///
/// # Errors
/// When the job could not be computed for a reason that may pass: another worker may try again. A job that can't
/// succeed is reported as failed and is no error here.
pub async fn run(args: WorkerArgs) -> Result<Ended, WorkerError> {
    let span = tracing::info_span!("train", job = %args.job);
    trace::adopt_variables(&span, args.trace.clone());
    let scratch_dir = args.scratch_dir.clone();
    let ended = Box::pin(work(args).instrument(span)).await;
    // It may never have been made.
    let _ = tokio::fs::remove_dir_all(scratch_dir).await;
    ended
}

async fn work(args: WorkerArgs) -> Result<Ended, WorkerError> {
    let clients = Clients::new(args.endpoints.clone()).map_err(WorkerError::new)?;
    let link = Link::new(&clients, &args);
    let lease = match link.lease().await {
        Ok(lease) => lease,
        Err(Fault::Stop(ended)) => return Ok(ended),
        Err(fault) => return Err(fault.into()),
    };
    let stop = Stop::default();
    // Outside of the job's trace, which thousands of heartbeats would bury.
    let heart = tokio::spawn(heart::beat(link.clone(), stop.clone(), args.clone()));
    let (reporter, reporting) = Reporter::start(link.clone(), stop.clone());
    let computed = Box::pin(compute(&args, &clients, lease, &reporter, &stop, &link)).await;
    // Once the job has ended the service knows no lease any more: a heartbeat would be told that it is lost.
    heart.abort();
    let late = || Err(WorkerError::new("the training service didn't take the last report in time"));
    let ended =
        timeout(args.lease_timeout, report(computed, &reporter, &stop)).await.unwrap_or_else(|_| late());
    drop(reporter);
    // Whatever is still to be reported, nobody waits for.
    reporting.abort();
    ended
}

/// Everything between the lease and the last report; ends early when the worker shall stop.
async fn compute(
    args: &WorkerArgs,
    clients: &Clients,
    lease: proto::LeaseJobResponse,
    reporter: &Reporter,
    stop: &Stop,
    link: &Link,
) -> Result<String, Fault> {
    let (origin, prepared) =
        Box::pin(stop.unless(prepare::prepare(args, clients, lease, reporter, stop))).await?;
    let saver = Saver::start(clients, args, &origin, reporter.clone());
    let made = train::on_thread(prepared, reporter.clone(), saver, stop.clone()).await?;
    // Nothing is published for a job that was cancelled while its last step was made.
    stop.unless(link.check()).await?;
    Box::pin(stop.unless(result::publish(args, clients, &origin, made))).await
}

async fn report(
    computed: Result<String, Fault>,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<Ended, WorkerError> {
    let (outcome, ended) = match computed {
        Ok(result_digest) => (proto::JobOutcome { result_digest, error: String::new() }, Ended::Succeeded),
        Err(Fault::Job(error)) => {
            tracing::error!(error, "the job has failed");
            (proto::JobOutcome { result_digest: String::new(), error }, Ended::Failed)
        }
        Err(Fault::Stop(ended)) => return Ok(ended),
        Err(fault @ Fault::Passing(_)) => return Err(fault.into()),
    };
    match stop.unless(reporter.finish(outcome)).await {
        Ok(()) => Ok(ended),
        Err(Fault::Stop(ended)) => Ok(ended),
        Err(fault) => Err(fault.into()),
    }
}
