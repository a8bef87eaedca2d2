//! Tidies up after jobs, beside everything else and as often as it takes: saved states that no job keeps are deleted from the checkpoint
//! service, and what ended jobs have published is taken back.

use std::{sync::Arc, time::Duration};

use rootstock_client::Clients;
use rootstock_runtime::{ErrorReason, Shutdown};
use tokio::sync::Notify;

use crate::{error::Error, resolve::failure_of, store::Store};

/// States deleted before the list is read again.
const BATCH: u32 = 64;
/// How long to wait after a failure, and how often to look without being called.
const RETRY: Duration = Duration::from_secs(30);

/// Does what the store has put on its lists.
#[derive(Clone, Debug)]
pub(crate) struct Janitor {
    pub(crate) store: Store,
    pub(crate) clients: Clients,
    pub(crate) call: Arc<Notify>,
}

impl Janitor {
    /// Works until the process shuts down.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        while !shutdown.is_requested() {
            if let Some(Err(error)) = shutdown.unless_requested(self.delete_all()).await {
                tracing::warn!(%error, "saved states could not be deleted; trying again");
            }
            if let Some(Err(error)) = shutdown.unless_requested(self.withdraw_all()).await {
                tracing::warn!(%error, "what is to be taken back could not be read; trying again");
            }
            let wait = async {
                // Either way it is time to look again.
                let _ = tokio::time::timeout(RETRY, self.call.notified()).await;
            };
            shutdown.unless_requested(wait).await;
        }
    }

    async fn delete_all(&self) -> Result<(), Error> {
        loop {
            let digests = self.store.discarded(BATCH).await?;
            if digests.is_empty() {
                return Ok(());
            }
            for digest in digests {
                self.delete(&digest).await?;
                self.store.forget_discarded(&digest).await?;
            }
        }
    }

    async fn delete(&self, digest: &str) -> Result<(), Error> {
        let Err(error) = self.clients.checkpoint().delete_artifact(digest).await else { return Ok(()) };
        let failure = failure_of(error, "checkpoint");
        match failure.reason {
            // Gone already, or somebody has given it a name: either way it isn't ours to delete any more.
            ErrorReason::NotFound | ErrorReason::InUse => Ok(()),
            _ => Err(Error::Remote(Box::new(failure))),
        }
    }
}
