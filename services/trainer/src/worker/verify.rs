//! Proves what a job has done: makes steps again from a saved state, and compares them with everything that is kept of them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use rootstock_client::{Clients, FetchedArtifact, Source};
use rootstock_proto::training::v1::{self as proto, TrainingCheckSubject as Subject};

use super::{
    args::WorkerArgs,
    difference::difference,
    fault::{Fault, WorkerError},
    heart,
    inputs::{Fetcher, blocking},
    learner::Tensors,
    prepare::{self, Origin, Prepared},
    replay::{Kept, Replay},
    reporter::Reporter,
    result,
    snapshot::{Saved, tensors},
    stop::{Ended, Stop},
    train::{self, Finished},
};

/// Files whose tensors are compared one by one.
const TENSORS: &str = ".safetensors";

/// Makes steps of a job again and tells what was compared. Everything is fetched anew from the store, beside the cache of other workers.
/// The answer says so where the steps can't be made again for another reason than that something differs.
pub async fn verify(args: WorkerArgs, order: proto::VerificationOrder) -> proto::VerificationAnswer {
    let args = WorkerArgs { data_dir: args.scratch_dir.clone(), ..args };
    let checked = Box::pin(check(&args, order)).await;
    // It may never have been made.
    let _ = tokio::fs::remove_dir_all(&args.scratch_dir).await;
    match checked {
        Ok(checks) => proto::VerificationAnswer { checks, error: String::new() },
        Err(fault) => {
            let error = WorkerError::from(fault).to_string();
            proto::VerificationAnswer { checks: Vec::new(), error }
        }
    }
}

async fn check(
    args: &WorkerArgs,
    order: proto::VerificationOrder,
) -> Result<Vec<proto::TrainingCheck>, Fault> {
    let clients = Clients::new(args.endpoints.clone()).map_err(|error| Fault::passing("services", error))?;
    let (stop, lease) = (Stop::default(), order.lease.clone().unwrap_or_default());
    tokio::spawn(heart::attend(stop.clone(), args.clone()));
    let reporter = Reporter::silent(stop.clone());
    let fetcher = Fetcher::open(&clients, args, &stop).await?;
    let first = lease.resume_step as u64;
    let states = match states(&fetcher, &order.states, &prepare::digest_of(&lease)?).await? {
        Ok(states) => states,
        Err(unreadable) => return Ok(vec![unreadable]),
    };
    let (origin, prepared) =
        Box::pin(prepare::prepare(args, &clients, (lease, false), &reporter, &stop)).await?;
    if !prepared.in_f32 && states.values().any(|kept| kept.saved.state.in_f32) {
        let message = "the job went on in f32 after numbers that were not finite, so that its first steps can't be made again";
        return Err(Fault::Job(message.to_owned()));
    }
    let limit = if order.max_steps > 0 { first.saturating_add(order.max_steps as u64) } else { u64::MAX };
    let end = limit.min(last_to_compare(&order));
    let replay = Replay::new(states, order.progress, (first, end), stop);
    match make_again(prepared, replay.clone()).await {
        Ok(finished) if !order.result_digest.is_empty() => {
            of_result(&fetcher, args, &origin, finished, (&order.result_digest, &replay)).await?;
        }
        Ok(_) | Err(Fault::Stop(Ended::Succeeded)) => {}
        Err(fault) => return Err(fault),
    }
    Ok(replay.checks())
}

/// The last step after which there is something to compare; a result is made of the last of all.
fn last_to_compare(order: &proto::VerificationOrder) -> u64 {
    if !order.result_digest.is_empty() {
        return u64::MAX;
    }
    let states = order.states.iter().map(|state| state.step);
    let last = states.chain(order.progress.iter().map(|report| report.step)).max();
    last.unwrap_or_default() as u64
}

async fn make_again(prepared: Prepared, replay: Replay) -> Result<Finished, Fault> {
    blocking(move || train::make(prepared, replay)).await
}

/// The states by step, or the first that can't be read.
async fn states(
    fetcher: &Fetcher,
    kept: &[proto::TrainingStateSaved],
    spec_digest: &str,
) -> Result<Result<BTreeMap<u64, Kept>, proto::TrainingCheck>, Fault> {
    let mut states = BTreeMap::new();
    for state in kept {
        match saved(fetcher, &state.digest, spec_digest).await {
            Ok(saved) => {
                let chain_digest = state.chain_digest.clone();
                states.insert(state.step as u64, Kept { saved, chain_digest });
            }
            Err(Fault::Job(problem)) => {
                let (step, digest) = (state.step, state.digest.clone());
                let difference = fetcher.with_file(&digest, problem).await;
                let subject = Subject::State.into();
                return Ok(Err(proto::TrainingCheck { step, subject, digest, difference }));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(Ok(states))
}

async fn saved(fetcher: &Fetcher, digest: &str, spec_digest: &str) -> Result<Saved, Fault> {
    let artifact = fetcher.fetch("saved state", digest).await?;
    let spec_digest = spec_digest.to_owned();
    blocking(move || Saved::read(&artifact.artifact.digest, &artifact.files, &spec_digest)).await
}

async fn of_result(
    fetcher: &Fetcher,
    args: &WorkerArgs,
    origin: &Origin,
    finished: Finished,
    (digest, replay): (&str, &Replay),
) -> Result<(), Fault> {
    let step = finished.step;
    let difference = match fetcher.fetch("result", digest).await {
        Ok(stored) => {
            let (origin, dir) = (origin.clone(), args.scratch_dir.join(result::FOLDER));
            blocking(move || of_files(&origin, &finished, &stored, &dir)).await?
        }
        Err(Fault::Job(problem)) => Some(fetcher.with_file(digest, problem).await),
        Err(fault) => return Err(fault),
    };
    match replay.note(step, Subject::Result, digest, difference) {
        Ok(()) | Err(Fault::Stop(Ended::Succeeded)) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// The first file of the result that isn't what comes of training again.
fn of_files(
    origin: &Origin,
    finished: &Finished,
    stored: &FetchedArtifact,
    dir: &Path,
) -> Result<Option<String>, Fault> {
    let made = result::write(origin, finished, dir)?;
    let digests: HashMap<&str, &str> =
        stored.artifact.blobs.iter().map(|blob| (blob.path.as_str(), blob.digest.as_str())).collect();
    let failed = |error| Fault::passing("the result can't be read", error);
    for (name, source) in &made.files {
        let (digest, _) = source.digest().map_err(failed)?;
        if digests.get(name.as_str()) == Some(&digest.to_string().as_str()) {
            continue;
        }
        let tensors = match (source, stored.path(name)) {
            (Source::Path(made), Some(stored)) if name.ends_with(TENSORS) => of_tensors(name, made, stored),
            _ => None,
        };
        return Ok(Some(tensors.unwrap_or_else(|| format!("{name} is another file when made again"))));
    }
    Ok(None)
}

fn of_tensors(name: &str, made: &Path, stored: &Path) -> Option<String> {
    let (made, stored): (Tensors, Tensors) = (tensors(made).ok()?, tensors(stored).ok()?);
    difference(name, &made, &stored)
}
