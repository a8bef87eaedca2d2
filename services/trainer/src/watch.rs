//! Watch streams: each follower reads the job's log at its own pace, and is woken when there is more.
//!
//! Nothing is queued for a follower but the page in its hands, so a slow one costs no memory and loses nothing.

use std::{collections::HashMap, sync::Arc};

use futures::{Stream, stream};
use parking_lot::Mutex;
use rootstock_proto::training::v1 as proto;
use rootstock_runtime::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{error::Error, metrics::Metrics, names::JobId, store::Store};

/// Events read from the store at a time.
const PAGE: u32 = 64;

/// Wakes the followers of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bells {
    bells: Arc<Mutex<HashMap<JobId, watch::Sender<()>>>>,
}

impl Bells {
    /// Rings when there is something new.
    pub(crate) fn ring(&self, id: &JobId) {
        let mut bells = self.bells.lock();
        if bells.get(id).is_some_and(|bell| bell.send(()).is_err()) {
            bells.remove(id);
        }
    }

    fn listen(&self, id: &JobId) -> watch::Receiver<()> {
        let mut bells = self.bells.lock();
        bells.retain(|_, bell| bell.receiver_count() > 0);
        bells.entry(id.clone()).or_default().subscribe()
    }
}

/// Opens watch streams, up to a bound.
#[derive(Clone, Debug)]
pub(crate) struct Watches {
    pub(crate) store: Store,
    pub(crate) bells: Bells,
    pub(crate) shutdown: Shutdown,
    pub(crate) metrics: Metrics,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) limit: usize,
}

impl Watches {
    /// The job's events after `after`: those that were, then each as it happens, to the last one of an ended job.
    pub(crate) async fn open(
        &self,
        id: JobId,
        after: i64,
    ) -> Result<impl Stream<Item = Result<proto::TrainingEvent, Error>> + Send + use<>, Error> {
        let full = |_| Error::TooManyWatchers { limit: self.limit };
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(full)?;
        self.store.get(&id).await?;
        let news = self.bells.listen(&id);
        let follower = Follower {
            store: self.store.clone(),
            shutdown: self.shutdown.clone(),
            news,
            after,
            page: Vec::new().into_iter(),
            complete: false,
            id,
            _open: Open::new(slot, self.metrics.clone()),
        };
        Ok(stream::try_unfold(follower, Follower::next))
    }
}

/// Counts an open stream for as long as it lives.
struct Open {
    _slot: OwnedSemaphorePermit,
    metrics: Metrics,
}

impl Open {
    fn new(slot: OwnedSemaphorePermit, metrics: Metrics) -> Self {
        metrics.watchers.inc();
        Self { _slot: slot, metrics }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.watchers.dec();
    }
}

struct Follower {
    store: Store,
    shutdown: Shutdown,
    news: watch::Receiver<()>,
    id: JobId,
    after: i64,
    page: std::vec::IntoIter<proto::TrainingEvent>,
    complete: bool,
    _open: Open,
}

impl Follower {
    async fn next(mut self) -> Result<Option<(proto::TrainingEvent, Self)>, Error> {
        loop {
            if let Some(event) = self.page.next() {
                self.after = event.event_id;
                return Ok(Some((event, self)));
            }
            if self.complete {
                return Ok(None);
            }
            // Marked before the log is read: what is appended later rings again.
            self.news.mark_unchanged();
            let page = self.store.events(&self.id, self.after, PAGE).await?;
            self.complete = page.complete;
            if !page.events.is_empty() {
                self.page = page.events.into_iter();
            } else if !self.complete {
                self.wait().await?;
            }
        }
    }

    async fn wait(&mut self) -> Result<(), Error> {
        match self.shutdown.unless_requested(self.news.changed()).await {
            // The bell is removed only when nobody listens, so an error here means that the service is gone.
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Error::ShuttingDown),
        }
    }
}
