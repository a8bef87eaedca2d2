//! Who watches an evaluation gets its latest state; states that nobody has seen in time are skipped.

use std::{collections::HashMap, sync::Arc};

use futures::{Stream, stream};
use parking_lot::Mutex;
use rootstock_artifacts::Id;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Book, Evaluation};
use crate::error::Error;

/// Evaluations that wait or run; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    entries: Arc<Mutex<HashMap<Id, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    states: watch::Sender<Arc<Evaluation>>,
    cancelled: CancellationToken,
}

impl Active {
    /// Tells everybody where an evaluation stands; gives what is cancelled when it ends for whatever reason.
    pub(super) fn publish(&self, evaluation: &Evaluation) -> CancellationToken {
        let latest = Arc::new(evaluation.clone());
        let mut entries = self.entries.lock();
        let entry = entries.entry(evaluation.id.clone()).or_insert_with(|| Entry {
            states: watch::Sender::new(Arc::clone(&latest)),
            cancelled: CancellationToken::new(),
        });
        entry.states.send_replace(latest);
        entry.cancelled.clone()
    }

    /// One more row of a running evaluation is finished.
    pub(super) fn progress(&self, id: &Id, completed_rows: usize) {
        if let Some(entry) = self.entries.lock().get(id) {
            entry.states.send_modify(|latest| Arc::make_mut(latest).completed_rows = completed_rows);
        }
    }

    /// Tells everybody that it has ended, and whoever computes it to stop.
    pub(super) fn end(&self, evaluation: &Evaluation) {
        if let Some(entry) = self.entries.lock().remove(&evaluation.id) {
            entry.cancelled.cancel();
            entry.states.send_replace(Arc::new(evaluation.clone()));
        }
    }

    pub(super) fn latest(&self, id: &Id) -> Option<Arc<Evaluation>> {
        self.entries.lock().get(id).map(|entry| Arc::clone(&entry.states.borrow()))
    }

    pub(super) fn subscribe(&self, id: &Id) -> Option<watch::Receiver<Arc<Evaluation>>> {
        self.entries.lock().get(id).map(|entry| entry.states.subscribe())
    }
}

/// The states of one evaluation.
#[derive(Debug)]
pub(crate) enum Watching {
    /// Under way.
    Following {
        book: Book,
        states: watch::Receiver<Arc<Evaluation>>,
        /// Whether the state at hand was sent.
        begun: bool,
    },
    /// One state is left to send.
    Last(Box<Evaluation>),
    /// Nothing is.
    Over,
}

impl Watching {
    pub(super) fn following(book: Book, states: watch::Receiver<Arc<Evaluation>>) -> Self {
        Self::Following { book, states, begun: false }
    }

    pub(super) fn ended(evaluation: Evaluation) -> Self {
        Self::Last(Box::new(evaluation))
    }

    /// The states as a stream that ends when the evaluation has.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Evaluation, Error>> + Send {
        stream::unfold(self, |watching| async move {
            match watching {
                Self::Over => None,
                Self::Last(evaluation) => Some((Ok(*evaluation), Self::Over)),
                Self::Following { book, states, begun } => Some(next(book, states, begun).await),
            }
        })
    }
}

async fn next(
    book: Book,
    mut states: watch::Receiver<Arc<Evaluation>>,
    begun: bool,
) -> (Result<Evaluation, Error>, Watching) {
    // When the sender is gone, the last state has been sent or is at hand.
    if begun && states.changed().await.is_err() {
        let id = states.borrow().id.clone();
        return (book.get(&id).await, Watching::Over);
    }
    let latest = Arc::clone(&states.borrow_and_update());
    if latest.state.has_ended() {
        // With the items, which only the book keeps.
        return (book.get(&latest.id).await, Watching::Over);
    }
    (Ok((*latest).clone()), Watching::Following { book, states, begun: true })
}
