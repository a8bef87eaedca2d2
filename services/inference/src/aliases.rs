//! The aliases as the checkpoint service has them: followed by its watch, which is the only truth.

use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};

use futures::StreamExt;
use parking_lot::RwLock;
use rootstock_artifacts::{AliasName, Kind};
use rootstock_runtime::Shutdown;
use tokio::sync::watch;

use crate::{
    error::Error,
    metrics::Metrics,
    store::{Alias, AliasEvent, Store},
};

/// How long the first retry of a watch that broke waits; each further one twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait between retries.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// How long a move that the store has confirmed may take to come by the watch.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// The alias table; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Aliases {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    metrics: Metrics,
    table: RwLock<Table>,
    /// Counts the changes; whoever waits for one looks again.
    changes: watch::Sender<u64>,
    synced: watch::Sender<bool>,
}

type Table = BTreeMap<AliasName, Arc<Alias>>;

impl Aliases {
    pub(crate) fn new(store: Arc<dyn Store>, metrics: Metrics) -> Self {
        let shared = Shared {
            store,
            metrics,
            table: RwLock::default(),
            changes: watch::Sender::new(0),
            synced: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The record of an alias. One that isn't in the table is asked for once: it may have been set a moment ago.
    pub(crate) async fn resolve(&self, name: &AliasName) -> Result<Arc<Alias>, Error> {
        if let Some(alias) = self.get(name) {
            return Ok(alias);
        }
        let hint = match name.kind() {
            Kind::Adapter => "; publish it first",
            _ => "",
        };
        match self.shared.store.alias(name).await? {
            Some(alias) => self.wait_for(name, alias.generation).await,
            None => Err(Error::NotFound(format!("{name} does not exist{hint}"))),
        }
    }

    /// The record of an alias as the watch has it.
    pub(crate) fn get(&self, name: &AliasName) -> Option<Arc<Alias>> {
        self.shared.table.read().get(name).cloned()
    }

    /// Waits until the alias is at `generation` or beyond.
    pub(crate) async fn wait_for(&self, name: &AliasName, generation: i64) -> Result<Arc<Alias>, Error> {
        let mut changes = self.shared.changes.subscribe();
        let reached =
            changes.wait_for(|_| self.get(name).is_some_and(|alias| alias.generation >= generation));
        let waited = tokio::time::timeout(VISIBLE_WITHIN, reached).await.is_ok();
        match self.get(name) {
            Some(alias) if waited => Ok(alias),
            _ => Err(crate::error::unavailable(format!(
                "{name} moved to generation {generation}, but the checkpoint service's watch doesn't bring it; retry"
            ))),
        }
    }

    /// Up to `limit` aliases of a kind by name, those after `after`.
    pub(crate) fn list(&self, kind: Kind, after: Option<&AliasName>, limit: usize) -> Vec<Arc<Alias>> {
        let table = self.shared.table.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = table.range((from, Bound::Unbounded));
        range
            .filter(|(name, _)| name.kind() == kind)
            .take(limit)
            .map(|(_, alias)| Arc::clone(alias))
            .collect()
    }

    /// Waits until the table is complete for the first time.
    pub(crate) async fn synced(&self) {
        // The sender lives in `self`.
        let _ = self.shared.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Follows the watch until shutdown, going on after the last event seen when it breaks.
    pub(crate) async fn follow(self, shutdown: Shutdown) {
        let mut after = 0;
        let mut delay = FIRST_RETRY;
        loop {
            let before = after;
            let Some(error) = shutdown.unless_requested(self.follow_once(&mut after)).await else { return };
            if after != before {
                delay = FIRST_RETRY;
            }
            if !error.is_transient() {
                // The store can't go on from there: begin with all that stands.
                after = 0;
            }
            tracing::warn!(%error, after, ?delay, "the watch of aliases broke; retrying");
            if shutdown.unless_requested(tokio::time::sleep(delay)).await.is_none() {
                return;
            }
            delay = (2 * delay).min(LONGEST_RETRY);
        }
    }

    async fn follow_once(&self, after: &mut i64) -> Error {
        let mut events = self.shared.store.watch(*after);
        // From the beginning, the records come first: they replace the table at once when all are there.
        let mut standing = (*after == 0).then(Table::new);
        while let Some(event) = events.next().await {
            match event {
                Ok(AliasEvent::Record { event_id, alias }) => match &mut standing {
                    Some(table) => {
                        table.insert(alias.name.clone(), Arc::new(alias));
                    }
                    None => {
                        self.apply(alias);
                        *after = event_id.max(*after);
                    }
                },
                Ok(AliasEvent::Synced { event_id }) => {
                    if let Some(table) = standing.take() {
                        self.replace(table);
                    }
                    *after = event_id.max(*after);
                }
                Err(error) => return error,
            }
        }
        crate::error::unavailable("the checkpoint service ended the watch")
    }

    /// An event may come twice; it never brings back an older record.
    fn apply(&self, alias: Alias) {
        {
            let mut table = self.shared.table.write();
            if table.get(&alias.name).is_some_and(|known| known.generation >= alias.generation) {
                return;
            }
            if alias.name.kind() == Kind::Adapter {
                self.shared.metrics.adapter_swaps.inc();
            }
            tracing::info!(name = %alias.name, digest = %alias.digest, generation = alias.generation, "alias moved");
            table.insert(alias.name.clone(), Arc::new(alias));
        }
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    fn replace(&self, table: Table) {
        tracing::info!(aliases = table.len(), "alias table is complete");
        *self.shared.table.write() = table;
        self.shared.changes.send_modify(|changes| *changes += 1);
        self.shared.synced.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
