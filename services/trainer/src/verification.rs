//! Proof of what a job has done: a process of its own makes steps again, and tells what it compared.

use std::{io, sync::Arc};

use prost::Message;
use rootstock_proto::training::v1 as proto;
use rootstock_runtime::Shutdown;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Child,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
};

use crate::{
    convert::Verify,
    error::Error,
    store::{State, Store},
    supervisor::{Launcher, Process},
};

/// Verifications at once: each takes the memory and the threads of a worker.
const MAX_RUNNING: usize = 1;
/// Most bytes of an answer; a message of the contract has no more.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// Verifies jobs, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    store: Store,
    launcher: Launcher,
    shutdown: Shutdown,
    slot: Arc<Semaphore>,
}

impl Verifier {
    pub(crate) fn new(store: Store, launcher: Launcher, shutdown: Shutdown) -> Self {
        Self { store, launcher, shutdown, slot: Arc::new(Semaphore::new(MAX_RUNNING)) }
    }

    /// Makes steps of a job again that no worker has, and tells what was compared. The process ends with the call.
    pub(crate) async fn verify(&self, wanted: Verify) -> Result<Vec<proto::TrainingCheck>, Error> {
        let slot = Arc::clone(&self.slot).try_acquire_owned().map_err(|_| Error::Verifying)?;
        let job = self.store.get(&wanted.id).await?;
        if matches!(job.state, State::Queued | State::Running | State::Pausing) {
            let problem = format!("is {}; pause it first", job.state.name());
            return Err(Error::wrong_state(&wanted.id, problem));
        }
        let order = self.store.evidence(job, &wanted).await?.encode_to_vec();
        let process = self.launcher.verify(&wanted.id).map_err(failed)?;
        let (sender, answer) = oneshot::channel();
        tokio::spawn(run(process, order, sender, slot));
        match self.shutdown.unless_requested(answer).await {
            Some(Ok(answer)) => answer,
            // Nobody drops the sender but with the runtime.
            Some(Err(_)) | None => Err(Error::ShuttingDown),
        }
    }
}

fn failed(source: io::Error) -> Error {
    Error::Io { what: "the process that verifies failed", source }
}

type Answer = Result<Vec<proto::TrainingCheck>, Error>;

/// Asks the process until it has answered or nobody waits any more.
async fn run(
    mut process: Process,
    order: Vec<u8>,
    mut waiting: oneshot::Sender<Answer>,
    _slot: OwnedSemaphorePermit,
) {
    let answer = tokio::select! {
        answer = ask(&mut process.child, &order) => Some(answer),
        () = waiting.closed() => None,
    };
    if let Err(error) = process.child.kill().await {
        tracing::warn!(%error, "the process that verifies could not be killed");
    }
    process.clean_up().await;
    if let Some(answer) = answer {
        // Whoever asked may have stopped waiting.
        let _ = waiting.send(answer);
    }
}

async fn ask(child: &mut Child, order: &[u8]) -> Answer {
    let mut answer = Vec::new();
    if let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) {
        input.write_all(order).await.map_err(failed)?;
        drop(input);
        output.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await.map_err(failed)?;
    }
    let status = child.wait().await.map_err(failed)?;
    if !status.success() {
        return Err(failed(io::Error::other(status.to_string())));
    }
    let answer = proto::VerificationAnswer::decode(answer.as_slice());
    let answer = answer.map_err(|error| failed(io::Error::other(error)))?;
    if answer.error.is_empty() { Ok(answer.checks) } else { Err(Error::Unverifiable(answer.error)) }
}
