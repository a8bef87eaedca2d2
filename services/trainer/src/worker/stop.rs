//! How everything in a worker learns that it shall stop: the first reason counts.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::{CancellationToken, DropGuard};

use rootstock_model::Interrupt;

use super::fault::Fault;

/// How a worker's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job has succeeded.
    Succeeded,
    /// The job can't succeed and was reported as failed.
    Failed,
    /// The job was cancelled.
    Cancelled,
    /// The job is to be paused: its last whole step is saved.
    Paused,
    /// The job belongs to another worker by now, or is gone.
    LeaseLost,
    /// The training service couldn't be reached for so long that the lease is lost.
    Unreachable,
    /// The process that started the worker is gone.
    Orphaned,
}

/// Tells a worker's tasks and its compute thread to stop; clones share it. At a pause only those stop that compute or prepare: what
/// saves and reports goes on to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    rest: CancellationToken,
    interrupt: Interrupt,
    why: Arc<OnceLock<Ended>>,
}

impl Stop {
    /// Tells all to stop.
    pub(super) fn request(&self, why: Ended) {
        if self.why.set(why).is_ok() {
            tracing::warn!(?why, "the worker stops");
        }
        self.rest.cancel();
        self.token.cancel();
        // Last, so that whoever is interrupted finds the reason.
        self.interrupt.request();
    }

    /// Tells those to stop that compute or prepare.
    pub(super) fn pause(&self) {
        if !self.rest.is_cancelled() {
            tracing::info!("the job is to be paused");
        }
        self.rest.cancel();
        self.interrupt.request();
    }

    /// Tells those to stop that compute or prepare, once the guard is dropped.
    pub(super) fn on_drop(&self) -> DropGuard {
        self.rest.clone().drop_guard()
    }

    /// Ends what a model computes, before its next layer.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// The fault to end with, once computing shall stop.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.rest.is_cancelled() { Err(self.fault()) } else { Ok(()) }
    }

    /// Does `work`, unless all shall stop before it is done.
    pub(super) fn unless<T, F>(&self, work: F) -> impl Future<Output = Result<T, Fault>> + Send + use<T, F>
    where
        T: Send,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        // The future owns what it needs: borrowed, callers' futures could not be sent to other threads.
        let stop = self.clone();
        async move { stop.token.run_until_cancelled(work).await.unwrap_or_else(|| Err(stop.fault())) }
    }

    /// The same at a pause too.
    pub(super) fn unless_paused<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, Fault>> + Send + use<T, F>
    where
        T: Send,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let stop = self.clone();
        async move { stop.rest.run_until_cancelled(work).await.unwrap_or_else(|| Err(stop.fault())) }
    }

    /// Returns when all shall stop.
    pub(super) async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Returns when computing shall stop.
    pub(super) async fn rests(&self) {
        self.rest.cancelled().await;
    }

    /// The fault to end with when something shall stop.
    pub(super) fn fault(&self) -> Fault {
        Fault::Stop(self.why.get().copied().unwrap_or(Ended::Paused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_ends_everything() {
        let stop = Stop::default();
        stop.check().unwrap();
        assert_eq!(stop.unless(async { Ok(7) }).await.unwrap(), 7);
        stop.request(Ended::Cancelled);
        stop.request(Ended::LeaseLost);
        assert!(matches!(stop.check(), Err(Fault::Stop(Ended::Cancelled))));
        let never = stop.unless(std::future::pending::<Result<(), Fault>>()).await;
        assert!(matches!(never, Err(Fault::Stop(Ended::Cancelled))));
    }

    #[tokio::test]
    async fn a_pause_ends_computing_and_leaves_what_saves() {
        let stop = Stop::default();
        stop.pause();
        assert!(matches!(stop.check(), Err(Fault::Stop(Ended::Paused))));
        assert!(stop.interrupt().check().is_err());
        assert_eq!(stop.unless(async { Ok(7) }).await.unwrap(), 7);
        let prepared = stop.unless_paused(std::future::pending::<Result<(), Fault>>()).await;
        assert!(matches!(prepared, Err(Fault::Stop(Ended::Paused))));
        stop.request(Ended::Cancelled);
        assert!(matches!(stop.check(), Err(Fault::Stop(Ended::Cancelled))));
    }
}
