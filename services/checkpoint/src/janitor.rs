//! The background work: gives up abandoned uploads and removes blobs that no artifact needs.
use std::time::Duration;

use rootstock_runtime::Tasks;

use crate::catalog::Catalog;
use crate::store::Store;

/// Runs until shutdown is requested.
pub(crate) async fn run<C: Catalog>(store: Store<C>, interval: Duration, tasks: Tasks) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while tasks.shutdown().unless_requested(ticks.tick()).await.is_some() {
        match store.sweep().await {
            Ok(0) => {}
            Ok(freed) => tracing::info!(freed, "removed blobs that no artifact needs"),
            Err(error) => tracing::warn!(%error, "sweeping the store failed; it is tried again"),
        }
    }
}
