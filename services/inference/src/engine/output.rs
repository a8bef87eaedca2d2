//! The client's end of a sequence: its events, and the word to the engine when it reads again or hangs up.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures::Stream;
use tokio::sync::mpsc;

use super::{Event, Shared};

/// The events of one sequence. Dropping it ends the sequence within a step.
#[derive(Debug)]
pub(crate) struct Output {
    events: mpsc::Receiver<Event>,
    stalled: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Output {
    pub(super) fn new(events: mpsc::Receiver<Event>, shared: Arc<Shared>) -> Self {
        Self { events, stalled: Arc::default(), shared }
    }

    /// Set by the engine while it waits for this client.
    pub(super) fn stalled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stalled)
    }
}

impl Stream for Output {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = self.events.poll_recv(context);
        // The engine sets the flag before it looks for room, and this looks at the flag after making room: one of the
        // two sees the other.
        if matches!(polled, Poll::Ready(Some(_))) && self.stalled.load(Ordering::SeqCst) {
            self.shared.wake();
        }
        polled
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.events.close();
        self.shared.wake();
    }
}
