//! Supervised background work: named tasks and threads whose panics are logged and stop the process, not vanish.

mod by_size;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

pub use by_size::{BySizeError, MAX_WAITING_BYTES};

use crate::shutdown::Shutdown;
use crate::status::Failure;
use by_size::BySize;

/// How many closures [`Tasks::spawn_blocking`] runs at once; more wait their turn.
pub const MAX_BLOCKING: usize = 32;

/// The background work of one process; clones share it.
///
/// A task is `running -> finished | panicked`. A panic in supervised work requests shutdown, because a service
/// whose loop is gone must not look healthy; a panic in [`Tasks::spawn_blocking`] fails only the call it serves.
#[derive(Clone, Debug)]
pub struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    shutdown: Shutdown,
    tracker: TaskTracker,
    running: Mutex<BTreeMap<u64, &'static str>>,
    next_id: std::sync::atomic::AtomicU64,
    panicked: Mutex<Option<&'static str>>,
    blocking: Arc<Semaphore>,
    by_size: BySize,
}

/// Work handed to [`Tasks::spawn_blocking`] panicked; the panic is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} panicked")]
pub struct Panicked {
    /// The name the work was given.
    pub name: &'static str,
}

impl From<Panicked> for Failure {
    fn from(panicked: Panicked) -> Self {
        Self::internal(panicked)
    }
}

/// Why [`Tasks::join`] isn't content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TasksError {
    /// A supervised task panicked, which is why the process stops.
    #[error("task {0} panicked")]
    Panicked(&'static str),
    /// These were still running when the grace was over.
    #[error("still running after the grace: {}", .0.join(", "))]
    StillRunning(Vec<&'static str>),
}

impl Tasks {
    /// No work yet; panics will request `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        let shared = Shared {
            shutdown,
            tracker: TaskTracker::new(),
            running: Mutex::default(),
            next_id: std::sync::atomic::AtomicU64::new(0),
            panicked: Mutex::new(None),
            blocking: Arc::new(Semaphore::new(MAX_BLOCKING)),
            by_size: BySize::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The token this work stops for.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shared.shutdown
    }

    /// Runs a loop or a one-off on the async runtime. It should end soon after shutdown is requested.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let guard = self.enter(name);
        let span = tracing::info_span!("task", task = name);
        self.shared.tracker.spawn(
            async move {
                if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                    guard.panicked();
                }
            }
            .instrument(span),
        );
    }

    /// Runs a compute loop on a thread of its own. It should end soon after shutdown is requested.
    ///
    /// # Errors
    /// The operating system has no thread left.
    pub fn spawn_thread(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let guard = self.enter(name);
        let token = self.shared.tracker.token();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                guard.panicked();
            }
            drop(guard);
            drop(token);
        })?;
        Ok(())
    }

    /// Runs one piece of compute or blocking I/O for a call, off the async runtime, in the caller's span. At most
    /// [`MAX_BLOCKING`] run at once. A caller that stops waiting doesn't stop the work, which can't be interrupted.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn spawn_blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let permit = Arc::clone(&self.shared.blocking).acquire_owned().await;
        self.compute(name, permit, work).await
    }

    /// Runs work whose time and memory grow with the bytes that it is given, as tokenizing text does: as many pieces at once as there are
    /// processors (two at least), every size having its share. Large ones, above 64 KiB, leave places to others, and those that wait are
    /// bounded by [`MAX_WAITING_BYTES`]. A caller that stops waiting leaves the queue, but doesn't stop work that has begun.
    ///
    /// # Errors
    /// Too much waits already, or the work panicked.
    pub async fn spawn_by_size<T: Send + 'static>(
        &self,
        name: &'static str,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BySizeError> {
        let place = self.shared.by_size.place(bytes).await?;
        Ok(self.compute(name, place, work).await?)
    }

    /// [`Tasks::spawn_by_size`] for callers that have one piece in work at a time, of many: it waits, however much waits already.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn spawn_in_bulk<T: Send + 'static>(
        &self,
        name: &'static str,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let place = self.shared.by_size.place_in_bulk(bytes).await;
        self.compute(name, place, work).await
    }

    /// Runs the work with what it holds until its end.
    async fn compute<T: Send + 'static>(
        &self,
        name: &'static str,
        held: impl Send + 'static,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let guard = self.enter(name);
        let span = tracing::Span::current();
        let (done, result) = oneshot::channel();
        self.shared.tracker.spawn_blocking(move || {
            let _held = held;
            let _guard = guard;
            let outcome = span.in_scope(|| catch_unwind(AssertUnwindSafe(work)));
            let _ = done.send(outcome);
        });
        match result.await {
            Ok(Ok(value)) => Ok(value),
            _ => {
                tracing::error!(task = name, "blocking work panicked");
                Err(Panicked { name })
            }
        }
    }

    /// The first supervised task that panicked.
    pub fn panicked(&self) -> Option<&'static str> {
        *self.shared.panicked.lock()
    }

    /// Waits until all work has ended, for `grace` at most. Call it after shutdown was requested.
    ///
    /// # Errors
    /// A supervised task panicked, or some didn't end in time.
    pub async fn join(&self, grace: Duration) -> Result<(), TasksError> {
        self.shared.tracker.close();
        let ended = tokio::time::timeout(grace, self.shared.tracker.wait()).await;
        if let Some(name) = self.panicked() {
            return Err(TasksError::Panicked(name));
        }
        ended.map_err(|_| TasksError::StillRunning(self.shared.running.lock().values().copied().collect()))
    }

    fn enter(&self, name: &'static str) -> Running {
        let id = self.shared.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.shared.running.lock().insert(id, name);
        Running { shared: Arc::clone(&self.shared), id, name }
    }
}

/// An entry in the list of running work, taken out when dropped.
struct Running {
    shared: Arc<Shared>,
    id: u64,
    name: &'static str,
}

impl Running {
    fn panicked(&self) {
        tracing::error!(task = self.name, "task panicked; shutting down");
        self.shared.panicked.lock().get_or_insert(self.name);
        self.shared.shutdown.request();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.lock().remove(&self.id);
    }
}
