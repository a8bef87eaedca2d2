//! The engine: threads of its own that step many sequences together, one forward pass for all that can share it.
//!
//! A sequence is
//!
//! ```text
//! queued -> ready <-> stepping -> ended
//!   ^         | ^        |
//!   +---------+ +-parked<+      its client's channel is full
//!    preempted
//! ```
//!
//! - *queued*: admitted, waits for a slot, for its tenant's turn and for room for the keys and values of its prompt. Beginnings that
//!   were computed for an earlier request of the same tenant and adapter are taken over ([`room`]);
//! - *ready*: waits for the next step; all ready sequences of a model go into one step, so nobody waits for longer than a step
//!   of each model;
//! - *stepping*: on a compute thread: its prompt in chunks, small ones beside those who decode ([`share`]), then one token per step.
//!   Room for the tokens to come is taken block by block; where there is none, who came last is *preempted*: it gives up its keys and
//!   values, waits again, and computes them anew, the same bits;
//! - *parked*: has given up its slot, but keeps its cache for as long as nobody needs the room, until its client reads or is given
//!   up;
//! - *ended*: told its client why, dropped its cache and its lease on the adapter.
//!
//! Whatever waits ends when its client hangs up, its deadline passes or the engine is stopped; what computes looks for
//! that before each step. A token depends on the sequence alone, because each row of a forward has the bits it has alone, whether the
//! keys and values before it were computed for it, taken over, or computed a second time.
//!
//! A text whose tokens are scored goes the same way as a prompt, in chunks beside everybody, and ends when the last score is there.
//!
//! Evaluations have a queue and slots of their own. They compute when no interactive sequence is ready, and beside such for
//! [`BACKGROUND_SHARE`] of the time in short steps, so that they get on under load and hardly anybody waits for them.

mod batch;
mod decoding;
mod job;
mod lane;
mod memory;
mod output;
mod room;
mod scoring;
mod sequence;
mod share;
mod state;
mod text;
mod worker;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use rootstock_runtime::{Shutdown, Tasks};
use tokio::sync::{mpsc, watch};

pub(crate) use job::{Delta, Event, FinishReason, Finished, Generate, Job, Priority, Score, Switched, Work};
pub(crate) use output::Output;
use sequence::Sequence;
use state::State;

use crate::{
    error::Error,
    metrics::{Metrics, Outcome},
};

/// Tokens computed in one step: one of each sequence that decodes, the rest of prompts. Enough to multiply at full speed, few
/// enough that who decodes hardly waits.
const STEP_TOKENS: usize = 512;
/// Evaluation sequences computed at once: they share a step as well.
const BACKGROUND_RUNNING: usize = 16;
/// Evaluation sequences that may wait.
const BACKGROUND_QUEUED: usize = 64;
/// What an evaluation's step may take beside interactive sequences.
const BACKGROUND_TOKENS: usize = 16;
/// Of the time that interactive sequences compute, evaluations get so much.
const BACKGROUND_SHARE: f64 = 0.06;
/// As much of it as they may save up.
const BACKGROUND_CREDIT: Duration = Duration::from_millis(100);

/// The engine's bounds.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Threads that step.
    pub(crate) threads: usize,
    /// Interactive sequences computed at once.
    pub(crate) max_running: usize,
    /// Interactive sequences that may wait.
    pub(crate) max_queued: usize,
    /// Of these, those of one tenant.
    pub(crate) max_queued_per_tenant: usize,
    /// Tokens of all prompts that may wait.
    pub(crate) max_queued_tokens: usize,
    /// Shares of tenants that are not 1.
    pub(crate) tenant_weights: Arc<BTreeMap<String, f64>>,
    /// Whether beginnings are kept for those who come with the same.
    pub(crate) prefix_cache: bool,
    /// Bytes of keys and values.
    pub(crate) cache_bytes: u64,
    /// Events that may wait for a client.
    pub(crate) output_buffer: usize,
    /// How long a client may read nothing while its channel is full.
    pub(crate) stall_timeout: Duration,
}

impl Limits {
    /// A tenant's share, beside those of others.
    fn weight(&self, tenant: &str) -> f64 {
        self.tenant_weights.get(tenant).copied().unwrap_or(1.0)
    }
}

/// A handle to the engine; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    metrics: Metrics,
    shutdown: Shutdown,
    state: Mutex<State>,
    /// Something changed for the threads: a new sequence, a client that reads again or hung up, the end.
    changed: Condvar,
}

impl Shared {
    /// Wakes the threads. Taking the lock makes sure that none is between looking and falling asleep.
    fn wake(&self) {
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

impl Engine {
    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Starts the threads. They end when shutdown was requested and all sequences have ended, or on [`Engine::stop`].
    pub(crate) fn start(limits: Limits, metrics: Metrics, tasks: &Tasks) -> Result<Self, Error> {
        let shutdown = tasks.shutdown().clone();
        metrics.loras.set_most(limits.max_running);
        let shared = Arc::new(Shared {
            limits: limits.clone(),
            metrics,
            shutdown: shutdown.clone(),
            state: Mutex::new(State::new(&limits)),
            changed: Condvar::new(),
        });
        for _ in 0..limits.threads {
            let shared = Arc::clone(&shared);
            tasks
                .spawn_thread("inference-engine", move || worker::run(&shared))
                .map_err(|error| Error::internal("no thread for the engine", error))?;
        }
        let waked = Arc::clone(&shared);
        tasks.spawn("inference-drain", async move {
            shutdown.requested().await;
            waked.wake();
        });
        Ok(Self { shared })
    }

    /// Queues a sequence, or refuses it at once.
    pub(crate) fn submit(&self, job: Job) -> Result<Output, Error> {
        let mut outputs = self.submit_all(vec![job])?;
        outputs.pop().ok_or_else(|| Error::Internal("the engine dropped a sequence".into()))
    }

    /// Queues all sequences of one request, or refuses them all at once.
    pub(crate) fn submit_all(&self, jobs: Vec<Job>) -> Result<Vec<Output>, Error> {
        let count = jobs.len();
        let result = self.admit(jobs);
        if result.is_ok() {
            self.shared.changed.notify_all();
        } else {
            (0..count).for_each(|_| self.shared.metrics.ended(Outcome::Refused));
        }
        result
    }

    /// Looks at what waits whenever something moves that may end it.
    pub(crate) async fn wake_on(self, mut changes: watch::Receiver<u64>, shutdown: Shutdown) {
        while let Some(Ok(())) = shutdown.unless_requested(changes.changed()).await {
            self.shared.wake();
        }
    }

    /// Ends everything now.
    pub(crate) fn stop(&self) {
        self.shared.state.lock().stop();
        self.shared.changed.notify_all();
    }

    fn admit(&self, jobs: Vec<Job>) -> Result<Vec<Output>, Error> {
        jobs.iter().try_for_each(|job| job.check(self.shared.limits.cache_bytes))?;
        let (sequences, outputs): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| self.open(job)).unzip();
        let mut state = self.shared.state.lock();
        if state.is_stopped() || self.shared.shutdown.is_requested() {
            drop(state);
            return Err(Error::ShuttingDown);
        }
        if let Err(refused) = state.check_queue(&sequences, &self.shared.limits) {
            // Dropping the outputs takes the lock.
            drop(state);
            return Err(refused);
        }
        for mut sequence in sequences {
            sequence.count_in(&self.shared.metrics);
            state.enqueue(sequence);
        }
        state.report(&self.shared.metrics);
        drop(state);
        Ok(outputs)
    }

    /// A sequence, and its client's end.
    fn open(&self, job: Job) -> (Sequence, Output) {
        // One place more than the client may leave unread: the last event's, so that the end never waits.
        let (events, received) = mpsc::channel(self.shared.limits.output_buffer + 1);
        let output = Output::new(received, Arc::clone(&self.shared));
        (Sequence::new(job, events, output.stalled()), output)
    }
}

#[cfg(test)]
mod tests;
