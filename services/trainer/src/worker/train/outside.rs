//! What training speaks to: the service and the store, from a thread of its own.

use std::sync::Arc;

use rootstock_proto::training::v1::training_event::Event;
use tokio::sync::oneshot;

use super::{Finished, make};
use crate::worker::{
    fault::Fault, prepare::Prepared, reporter::Reporter, saver::Saver, snapshot::Snapshot, stop::Stop,
};

/// What training speaks to.
pub(in crate::worker) trait Outside {
    /// Reports an event.
    fn event(&self, event: Event) -> Result<(), Fault>;
    /// Saves a state; waits while another is being saved.
    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault>;
    /// The fault to end with, once training shall stop.
    fn check(&self) -> Result<(), Fault>;
    /// Returns when all that was given to be saved is saved.
    fn settle(&self) -> Result<(), Fault>;
    /// Hears of each step that is done, and tells whether its state is to be saved though it isn't due.
    fn wants(&self, _step: u64) -> bool {
        false
    }
}

struct Worker {
    reporter: Reporter,
    saver: Arc<Saver>,
    stop: Stop,
}

impl Outside for Worker {
    fn event(&self, event: Event) -> Result<(), Fault> {
        self.reporter.event_blocking(event)
    }

    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault> {
        self.saver.save(snapshot)
    }

    fn check(&self) -> Result<(), Fault> {
        self.stop.check()
    }

    fn settle(&self) -> Result<(), Fault> {
        self.saver.settle()
    }
}

/// Trains, or measures, on a thread of its own.
pub(in crate::worker) async fn on_thread(
    prepared: Prepared,
    reporter: Reporter,
    saver: Arc<Saver>,
    stop: Stop,
) -> Result<Finished, Fault> {
    let (done, finished) = oneshot::channel();
    let span = tracing::Span::current();
    let outside = Worker { reporter, saver, stop: stop.clone() };
    let compute = move || {
        let result = span.in_scope(|| make(prepared, outside));
        // Nobody waits any more when the worker was told to stop.
        let _ = done.send(result);
    };
    let thread = std::thread::Builder::new().name("train".to_owned()).spawn(compute);
    thread.map_err(|error| Fault::passing("the compute thread can't be started", error))?;
    let ended = async {
        finished.await.unwrap_or_else(|_| Err(Fault::Passing("the compute thread panicked".to_owned())))
    };
    tokio::select! {
        finished = ended => finished,
        // The thread is in the middle of a step; it ends with the process, or before the next layer.
        () = stop.requested() => Err(stop.fault()),
    }
}
