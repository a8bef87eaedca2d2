//! Calls compute so many at a time, off the async runtime; a bounded number waits.

use std::sync::Arc;

use rootstock_runtime::Tasks;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Calls that wait for their turn; more are refused.
pub(crate) const MAX_WAITING: usize = 64;

/// Whose turn it is; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    tasks: Tasks,
    /// What the calls wait for, in the plural.
    what: &'static str,
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// A call's turn, while it computes.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    left: CancellationToken,
}

impl Turn {
    /// Ends work that nobody waits for any more.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.left.is_cancelled() { Err(Error::DeadlineExceeded("the caller has left")) } else { Ok(()) }
    }
}

impl Turns {
    /// So many compute at once what the calls wait for.
    pub(crate) fn new(tasks: Tasks, at_once: usize, what: &'static str) -> Self {
        let (places, turn) = (Semaphore::new(MAX_WAITING), Semaphore::new(at_once));
        Self { tasks, what, places: Arc::new(places), turn: Arc::new(turn) }
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        MAX_WAITING - self.places.available_permits()
    }

    /// Does the work, which may block, when its turn comes. Who stops waiting leaves the queue, or has the work told.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Turn) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let what = self.what;
        let full = |_| Error::Overloaded(format!("{MAX_WAITING} calls wait for {what} already; retry later"));
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
        self.tasks.spawn_blocking("inference-turn", work).await?
    }
}

#[cfg(test)]
mod tests {
    use rootstock_runtime::{ErrorReason, Shutdown};
    use tokio::sync::oneshot;

    use super::*;
    use crate::tests::eventually;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_answers_at_once_and_who_leaves_makes_room() {
        let turns = Turns::new(Tasks::new(Shutdown::new()), 1, "encoders");
        let (release, released) = oneshot::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let (told, tells) = oneshot::channel();
        let first = tokio::spawn({
            let turns = turns.clone();
            async move {
                let work = move |turn: &Turn| {
                    begun.send(()).unwrap();
                    released.blocking_recv().unwrap();
                    told.send(turn.check()).unwrap();
                    Ok(())
                };
                turns.run(work).await
            }
        });
        begins.await.unwrap();
        let wait = || {
            tokio::spawn({
                let turns = turns.clone();
                async move { turns.run(|_| Ok(())).await }
            })
        };
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| wait()).collect();
        eventually("all places are taken", || turns.waiting() == MAX_WAITING).await;
        let refused = turns.run(|_| Ok(())).await.unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::Overloaded);

        waiting[0].abort();
        eventually("a place is free", || turns.waiting() < MAX_WAITING).await;
        let late = wait();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        release.send(()).unwrap();
        assert!(matches!(tells.await.unwrap(), Err(Error::DeadlineExceeded(_))));
        for call in waiting.into_iter().skip(1).chain([late]) {
            call.await.unwrap().unwrap();
        }
    }
}
