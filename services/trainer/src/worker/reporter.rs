//! Brings events to the training service, in order and once each, however often the connection breaks.

use std::time::Duration;

use rootstock_proto::training::v1::{self as proto, training_event::Event};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tracing::Instrument;

use super::{fault::Fault, link::Link, stop::Stop};
use crate::convert::MAX_REPORTED_EVENTS;

/// Events that may wait to be reported; then training waits.
const QUEUE: usize = 1024;
/// Pause after the first failure; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Item {
    Event(Event),
    /// How the job ended, if it did, and who waits until all before is reported.
    Last(Option<proto::JobOutcome>, oneshot::Sender<()>),
}

/// Takes events to be reported; clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    queue: mpsc::Sender<Item>,
    stop: Stop,
}

impl Reporter {
    /// Starts the task that reports.
    pub(super) fn start(link: Link, stop: Stop) -> (Self, JoinHandle<()>) {
        let (queue, items) = mpsc::channel(QUEUE);
        let task = Task { link, stop: stop.clone(), next_sequence: 1 };
        (Self { queue, stop }, tokio::spawn(task.run(items).in_current_span()))
    }

    /// One that nobody listens to.
    pub(super) fn silent(stop: Stop) -> Self {
        let (queue, mut items) = mpsc::channel(QUEUE);
        tokio::spawn(async move { while items.recv().await.is_some() {} });
        Self { queue, stop }
    }

    /// Reports an event; waits when too many wait already.
    pub(super) async fn event(&self, event: Event) -> Result<(), Fault> {
        self.queue.send(Item::Event(event)).await.map_err(|_| self.gone())
    }

    /// Reports what the worker does now.
    pub(super) async fn phase(&self, phase: proto::TrainingPhase) -> Result<(), Fault> {
        self.event(Event::PhaseChange(proto::TrainingPhaseChange { phase: phase.into() })).await
    }

    /// An event, from a thread.
    pub(super) fn event_blocking(&self, event: Event) -> Result<(), Fault> {
        self.queue.blocking_send(Item::Event(event)).map_err(|_| self.gone())
    }

    /// Reports how the job ended, after all events before it; returns once the service has it.
    pub(super) async fn finish(&self, outcome: proto::JobOutcome) -> Result<(), Fault> {
        self.last(Some(outcome)).await
    }

    /// Returns once the service has all events.
    pub(super) async fn flush(&self) -> Result<(), Fault> {
        self.last(None).await
    }

    async fn last(&self, outcome: Option<proto::JobOutcome>) -> Result<(), Fault> {
        let (done, reported) = oneshot::channel();
        self.queue.send(Item::Last(outcome, done)).await.map_err(|_| self.gone())?;
        reported.await.map_err(|_| self.gone())
    }

    /// The task ends before its senders only when the worker shall stop.
    fn gone(&self) -> Fault {
        self.stop
            .check()
            .err()
            .unwrap_or_else(|| Fault::Passing("events can't be reported any more".to_owned()))
    }
}

struct Task {
    link: Link,
    stop: Stop,
    next_sequence: i64,
}

impl Task {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut waiting = Vec::new();
        while items.recv_many(&mut waiting, MAX_REPORTED_EVENTS).await > 0 {
            let (mut events, mut outcome, mut done) = (Vec::with_capacity(waiting.len()), None, None);
            for item in waiting.drain(..) {
                match item {
                    Item::Event(event) => {
                        events.push(proto::TrainingEvent { event: Some(event), ..Default::default() });
                    }
                    Item::Last(how, waits) => (outcome, done) = (how, Some(waits)),
                }
            }
            let count = events.len() as i64;
            if let Err(fault) = self.report(events, outcome).await {
                tracing::warn!(?fault, "reporting ends");
                return;
            }
            self.next_sequence += count;
            if let Some(done) = done {
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    /// Reports until it has worked, or the worker shall stop.
    async fn report(
        &self,
        events: Vec<proto::TrainingEvent>,
        outcome: Option<proto::JobOutcome>,
    ) -> Result<(), Fault> {
        let mut pause = FIRST_PAUSE;
        loop {
            let sent = self.link.report(self.next_sequence, events.clone(), outcome.clone());
            match self.stop.unless(sent).await {
                Ok(()) => return Ok(()),
                Err(Fault::Passing(error)) => {
                    tracing::warn!(error, "events could not be reported; trying again");
                    let wait = async {
                        tokio::time::sleep(pause).await;
                        Ok(())
                    };
                    self.stop.unless(wait).await?;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                Err(Fault::Stop(ended)) => {
                    self.stop.request(ended);
                    return Err(Fault::Stop(ended));
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}
