//! Calls compute one after the other, off the async runtime; a bounded number waits.

use std::sync::Arc;

use rootstock_runtime::Tasks;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Calls that wait for their turn; more are refused.
pub(super) const MAX_WAITING: usize = 64;

/// Whose turn it is; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    tasks: Tasks,
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// A call's turn, while it computes.
#[derive(Debug, Default)]
pub(super) struct Turn {
    left: CancellationToken,
}

impl Turn {
    /// Ends work that nobody waits for any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.left.is_cancelled() { Err(Error::DeadlineExceeded("the caller has left")) } else { Ok(()) }
    }
}

impl Turns {
    pub(super) fn new(tasks: Tasks) -> Self {
        // A pass takes all cores by itself.
        Self { tasks, places: Arc::new(Semaphore::new(MAX_WAITING)), turn: Arc::new(Semaphore::new(1)) }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        MAX_WAITING - self.places.available_permits()
    }

    /// Does the work, which may block, when its turn comes. Who stops waiting leaves the queue, or has the work told.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Turn) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let full =
            |_| Error::Overloaded(format!("{MAX_WAITING} calls wait for encoders already; retry later"));
        let place = self.places.try_acquire().map_err(full)?;
        let held = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Error::ShuttingDown)?;
        drop(place);
        let turn = Turn::default();
        let _left = turn.left.clone().drop_guard();
        let work = move || {
            // Kept to the end of the work, which goes on for a while when nobody waits for it any more.
            let _held = held;
            work(&turn)
        };
        self.tasks.spawn_blocking("inference-encoder", work).await?
    }
}
