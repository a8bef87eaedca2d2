//! When each running worker was last heard, in memory: after a restart no lease is good, so there is nothing to keep.

use std::{collections::HashMap, sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::names::JobId;

/// The workers that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    running: Arc<Mutex<HashMap<JobId, Running>>>,
}

#[derive(Debug)]
struct Running {
    heard: Instant,
    cancelled: Arc<Notify>,
}

/// One worker's entry, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    leases: Leases,
    id: JobId,
    cancelled: Arc<Notify>,
}

impl Leases {
    /// A worker lives.
    pub(crate) fn heard(&self, id: &JobId) {
        if let Some(running) = self.running.lock().get_mut(id) {
            running.heard = Instant::now();
        }
    }

    /// The job of a worker, if one runs, was cancelled.
    pub(crate) fn cancel(&self, id: &JobId) {
        if let Some(running) = self.running.lock().get(id) {
            running.cancelled.notify_one();
        }
    }

    /// A worker is started.
    pub(super) fn enter(&self, id: &JobId) -> Entry {
        let cancelled = Arc::new(Notify::new());
        let running = Running { heard: Instant::now(), cancelled: Arc::clone(&cancelled) };
        self.running.lock().insert(id.clone(), running);
        Entry { leases: self.clone(), id: id.clone(), cancelled }
    }
}

impl Entry {
    /// When the worker was last heard.
    pub(super) fn heard(&self) -> Instant {
        self.leases.running.lock().get(&self.id).map_or_else(Instant::now, |running| running.heard)
    }

    /// Returns once the job is cancelled.
    pub(super) async fn cancelled(&self) {
        self.cancelled.notified().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.leases.running.lock().remove(&self.id);
    }
}
