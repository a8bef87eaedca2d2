//! The engine: threads of its own that step many sequences together, one forward pass for all that can share it.
//!
//! A sequence is
//!
//! ```text
//! queued -> ready <-> stepping -> ended
//!             ^          |
//!             +- parked <+      its client's channel is full
//! ```
//!
//! - *queued*: admitted, waits for a slot and for room in the key/value budget, both reserved before it starts;
//! - *ready*: waits for the next step; all ready sequences of a model go into one step, so nobody waits for longer than a step
//!   of each model;
//! - *stepping*: on a compute thread: its prompt in chunks, within a budget of tokens per step, then one token per step;
//! - *parked*: has given up its slot, but keeps its cache, until its client reads or is given up;
//! - *ended*: told its client why, dropped its cache and its lease on the adapter.
//!
//! Whatever waits ends when its client hangs up, its deadline passes or the engine is stopped; what computes looks for
//! that before each step. A token depends on the sequence alone, because each row of a forward has the bits it has alone.
//!
//! Evaluations have a queue and slots of their own and get a turn when no interactive sequence is ready, or after every
//! [`BACKGROUND_TURN`] interactive steps, so that they get on under load too.

mod batch;
mod job;
mod output;
mod sequence;
mod state;
mod text;
mod worker;

use std::{sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use rootstock_runtime::{Shutdown, Tasks};
use tokio::sync::{mpsc, watch};

pub(crate) use job::{Delta, Event, FinishReason, Finished, Generate, Job, Priority, Switched, Work};
pub(crate) use output::Output;
use sequence::Sequence;
use state::State;

use crate::{
    error::Error,
    metrics::{Metrics, Outcome},
};

/// Tokens computed in one step: one of each sequence that decodes, the rest of prompts. Enough to multiply at full speed, few
/// enough that who decodes hardly waits.
const STEP_TOKENS: usize = 256;
/// Tokens of prompts in a step, however many decode.
const LEAST_PROMPT: usize = 64;
/// Evaluation sequences computed at once: they share a step as well.
const BACKGROUND_RUNNING: usize = 16;
/// Evaluation sequences that may wait.
const BACKGROUND_QUEUED: usize = 64;
/// Under load, one step in so many is an evaluation's.
const BACKGROUND_TURN: usize = 16;

/// The engine's bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Threads that step.
    pub(crate) threads: usize,
    /// Interactive sequences computed at once.
    pub(crate) max_running: usize,
    /// Interactive sequences that may wait.
    pub(crate) max_queued: usize,
    /// Bytes of keys and values.
    pub(crate) cache_bytes: u64,
    /// Events that may wait for a client.
    pub(crate) output_buffer: usize,
    /// How long a client may read nothing while its channel is full.
    pub(crate) stall_timeout: Duration,
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
    /// Starts the threads. They end when shutdown was requested and all sequences have ended, or on [`Engine::stop`].
    pub(crate) fn start(limits: Limits, metrics: Metrics, tasks: &Tasks) -> Result<Self, Error> {
        let shutdown = tasks.shutdown().clone();
        let shared = Arc::new(Shared {
            limits,
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
        let result = self.admit(job);
        if result.is_ok() {
            self.shared.changed.notify_all();
        } else {
            self.shared.metrics.ended(Outcome::Refused);
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

    fn admit(&self, job: Job) -> Result<Output, Error> {
        let cache_bytes = job.check(self.shared.limits.cache_bytes)?;
        // One place more than the client may leave unread: the last event's, so that the end never waits.
        let (events, received) = mpsc::channel(self.shared.limits.output_buffer + 1);
        let mut state = self.shared.state.lock();
        if state.is_stopped() || self.shared.shutdown.is_requested() {
            return Err(Error::ShuttingDown);
        }
        state.check_queue(job.priority, &self.shared.limits)?;
        let output = Output::new(received, Arc::clone(&self.shared));
        state.enqueue(Sequence::new(job, events, output.stalled(), cache_bytes));
        state.report(&self.shared.metrics);
        drop(state);
        Ok(output)
    }
}

#[cfg(test)]
mod tests;
