//! Starts a worker process for each job whose turn it is, watches over it, and gives the job back when it is gone.

mod attend;
mod leases;
mod process;

use std::sync::Arc;

use rootstock_runtime::Shutdown;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Duration, timeout},
};
use tracing::Instrument;

use crate::{
    config::Config,
    error::Error,
    metrics::Metrics,
    store::{Claim, Store},
    watch::Bells,
};

pub(crate) use leases::Leases;
pub(crate) use process::{Launcher, Process, SCRATCH};

/// How long the supervisor sleeps when it is not called: jobs that wait after a crash become due by the clock.
const IDLE: Duration = Duration::from_millis(500);

/// Runs workers, at most so many at once.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor {
    pub(crate) store: Store,
    pub(crate) launcher: Launcher,
    pub(crate) leases: Leases,
    pub(crate) bells: Bells,
    pub(crate) metrics: Metrics,
    pub(crate) config: Arc<Config>,
    pub(crate) call: Arc<Notify>,
    /// Calls the janitor: a job that has ended has no worker any more.
    pub(crate) janitor: Arc<Notify>,
}

impl Supervisor {
    /// Works until the process shuts down; then it ends every worker and queues its job again.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let slots = Arc::new(Semaphore::new(self.config.workers));
        let mut attendants = JoinSet::new();
        while !shutdown.is_requested() {
            let free = Arc::clone(&slots).acquire_owned();
            let Some(Ok(slot)) = shutdown.unless_requested(free).await else { break };
            match self.next().await {
                Ok(Some((claim, token))) => {
                    attendants.spawn(self.clone().fill(slot, claim, token, shutdown.clone()));
                }
                Ok(None) => {
                    // Called or not, it is time to look again.
                    let _ = shutdown.unless_requested(timeout(IDLE, self.call.notified())).await;
                }
                Err(error) => {
                    tracing::error!(%error, "the job queue could not be read; trying again");
                    shutdown.unless_requested(tokio::time::sleep(IDLE)).await;
                }
            }
            while attendants.try_join_next().is_some() {}
        }
        while attendants.join_next().await.is_some() {}
    }

    /// The next job, and the token that its worker will show.
    async fn next(&self) -> Result<Option<(Claim, String)>, Error> {
        let token = uuid::Uuid::new_v4().simple().to_string();
        Ok(self.store.claim(&token, self.config.workers_per_tenant).await?.map(|claim| (claim, token)))
    }

    async fn fill(self, slot: OwnedSemaphorePermit, claim: Claim, token: String, shutdown: Shutdown) {
        let span = tracing::info_span!("attend worker", job = %claim.id, stalled = claim.stalled);
        self.attend(claim, token, shutdown).instrument(span).await;
        drop(slot);
        self.call.notify_one();
    }
}
