//! The worker: leases one job, computes it, and reports; started as a process, or called in one.

pub mod variables;
mod vocabulary;

pub(crate) mod apart;
mod args;
pub(crate) mod audit;
pub(crate) mod beside;
mod chain;
pub(crate) mod data;
mod difference;
pub(crate) mod encode;
mod encoder;
pub(crate) mod fault;
pub(crate) mod files;
mod fisher;
mod gather;
mod groups;
mod heart;
mod infilling;
mod inputs;
pub(crate) mod labelled;
pub(crate) mod last_words;
mod learner;
mod link;
mod masked;
mod meter;
mod model;
pub(crate) mod order;
mod passes;
mod patience;
pub(crate) mod prepare;
mod publication;
mod questions;
mod replay;
mod replayed;
mod reporter;
mod result;
mod retention;
mod rows;
mod saver;
mod scaler;
mod schedule;
mod snapshot;
mod stage;
pub(crate) mod stop;
mod train;
mod trainee;
mod unfreeze;
mod upload;
mod verify;

use std::sync::Arc;

use rootstock_client::Clients;
use rootstock_proto::training::v1 as proto;
use rootstock_runtime::trace;
use tokio::time::timeout;
use tracing::Instrument;

pub use args::{ArgumentError, WorkerArgs};
pub use fault::WorkerError;
pub use last_words::say as say_last_words;
pub use stop::Ended;
pub use verify::verify;

use fault::Fault;
use inputs::blocking;
use link::Link;
use publication::Publishing;
use reporter::Reporter;
use saver::Saver;
use stop::Stop;
use train::Finished;

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
    let stored = lease.training_job.as_ref().map(|job| job.result_digest.clone()).unwrap_or_default();
    let digest = if stored.is_empty() {
        Box::pin(make(args, clients, lease.clone(), reporter, stop, link)).await?
    } else {
        stored
    };
    if let Some(publishing) = Publishing::of(lease, &digest, clients, reporter, link)? {
        Box::pin(publishing.run(stop)).await?;
    }
    Ok(digest)
}

/// Makes the result and stores it. What training has come to is saved where the job is paused.
async fn make(
    args: &WorkerArgs,
    clients: &Clients,
    lease: proto::LeaseJobResponse,
    reporter: &Reporter,
    stop: &Stop,
    link: &Link,
) -> Result<String, Fault> {
    let (origin, saver, finished) = Box::pin(train(args, clients, lease, reporter, stop)).await?;
    // Nothing is published for a job that was cancelled while its last step was made.
    stop.unless(link.check()).await?;
    reporter.phase(proto::TrainingPhase::Uploading).await?;
    let finished = Arc::new(finished);
    let publish = result::publish(args, clients, &origin, Arc::clone(&finished));
    let published = Box::pin(stop.unless_paused(publish)).await;
    if matches!(published, Err(Fault::Stop(Ended::Paused))) {
        stop.unless(blocking(move || saver.keep(&finished))).await?;
    }
    published
}

/// Trains, and once more from the last good state where numbers were not finite and the job may go on in F32.
async fn train(
    args: &WorkerArgs,
    clients: &Clients,
    mut lease: proto::LeaseJobResponse,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<(prepare::Origin, Arc<Saver>, Finished), Fault> {
    let mut in_f32 = false;
    loop {
        let prepare = prepare::prepare(args, clients, (lease.clone(), in_f32), reporter, stop);
        let (origin, prepared) = Box::pin(stop.unless_paused(prepare)).await?;
        let retries = prepared.spec.arguments.retry_in_f32 && !prepared.in_f32;
        let saver = Arc::new(Saver::start(clients, &origin, reporter.clone()));
        let trained = train::on_thread(prepared, reporter.clone(), Arc::clone(&saver), stop.clone()).await;
        let why = match trained {
            Ok(finished) => return Ok((origin, saver, finished)),
            Err(Fault::NotFinite(why)) => why,
            Err(fault) => return Err(fault),
        };
        let settled = Arc::clone(&saver);
        stop.unless(blocking(move || settled.settle())).await?;
        lease.resume_digest = saver.newest().unwrap_or(lease.resume_digest);
        if !retries {
            return Err(not_finite(why, &lease.resume_digest));
        }
        tracing::warn!(why, digest = lease.resume_digest, "going back to the last good state, and on in F32");
        in_f32 = true;
    }
}

/// What is told of numbers that ended a job, with the state before them where there is one.
fn not_finite(why: String, last_good: &str) -> Fault {
    match last_good {
        "" => Fault::NotFinite(why),
        state => Fault::NotFinite(format!("{why}; the last good state is {state}")),
    }
}

async fn report(
    computed: Result<String, Fault>,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<Ended, WorkerError> {
    let (outcome, ended) = match computed {
        Ok(result_digest) => (proto::JobOutcome { result_digest, error: String::new() }, Ended::Succeeded),
        Err(Fault::Job(error) | Fault::NotFinite(error)) => {
            tracing::error!(error, "the job has failed");
            (proto::JobOutcome { result_digest: String::new(), error }, Ended::Failed)
        }
        Err(Fault::Stop(Ended::Paused)) => return paused(reporter, stop).await,
        Err(Fault::Stop(ended)) => return Ok(ended),
        Err(fault @ Fault::Passing(_)) => return Err(fault.into()),
    };
    match stop.unless(reporter.finish(outcome)).await {
        Ok(()) => Ok(ended),
        Err(Fault::Stop(ended)) => Ok(ended),
        Err(fault) => Err(fault.into()),
    }
}

/// The job is paused once this process is gone; before that the service must know of the state that was saved.
async fn paused(reporter: &Reporter, stop: &Stop) -> Result<Ended, WorkerError> {
    match stop.unless(reporter.flush()).await {
        Ok(()) => Ok(Ended::Paused),
        Err(Fault::Stop(ended)) => Ok(ended),
        Err(fault) => Err(fault.into()),
    }
}
