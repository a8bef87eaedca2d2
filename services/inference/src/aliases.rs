//! The aliases as the checkpoint service has them: followed by its watch, which is the only truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::StreamExt;
use parking_lot::{Mutex, RwLock};
use rootstock_artifacts::{AliasName, Digest, Kind};
use rootstock_runtime::Shutdown;
use tokio::sync::watch;

use crate::{
    adapters::Version,
    error::Error,
    follower::Follower,
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
    /// Adapters that have moved since somebody took note, each once.
    moved: Mutex<BTreeSet<AliasName>>,
    /// Counts the changes; whoever waits for one looks again.
    changes: watch::Sender<u64>,
    synced: watch::Sender<bool>,
}

type Table = BTreeMap<AliasName, Entry>;

/// An alias, and the requests that hear of its moves.
#[derive(Debug)]
struct Entry {
    record: Arc<Alias>,
    followers: Vec<Weak<Follower>>,
}

impl Aliases {
    pub(crate) fn new(store: Arc<dyn Store>, metrics: Metrics) -> Self {
        let shared = Shared {
            store,
            metrics,
            table: RwLock::default(),
            moved: Mutex::default(),
            changes: watch::Sender::new(0),
            synced: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The record of an alias in service. One that isn't in the table is asked for once: it may have been set a moment ago.
    pub(crate) async fn resolve(&self, name: &AliasName) -> Result<Arc<Alias>, Error> {
        if let Some(alias) = self.get(name) {
            return in_service(alias);
        }
        let hint = match name.kind() {
            Kind::Adapter => "; publish it first",
            _ => "",
        };
        match self.shared.store.alias(name).await? {
            Some(alias) => in_service(self.wait_for(name, alias.generation).await?),
            None => Err(Error::NotFound(format!("{name} does not exist{hint}"))),
        }
    }

    /// The record of an alias in service, and a follower that hears of its moves from here on; for a request that can go on with another
    /// version or can't.
    pub(crate) async fn follow_for(
        &self,
        name: &AliasName,
        key: &str,
        switches: bool,
    ) -> Result<(Arc<Alias>, Arc<Follower>), Error> {
        let known = self.resolve(name).await?;
        let mut table = self.shared.table.write();
        // It may have moved since, and is never taken out.
        let Some(entry) = table.get_mut(name) else {
            return Ok((Arc::clone(&known), follower(&known, key, switches)));
        };
        let record = in_service(Arc::clone(&entry.record))?;
        let follower = follower(&record, key, switches);
        entry.followers.retain(|follower| follower.strong_count() > 0);
        entry.followers.push(Arc::downgrade(&follower));
        Ok((record, follower))
    }

    /// Versions that requests wait for to go on with.
    pub(crate) fn awaited(&self, name: &AliasName) -> BTreeSet<Digest> {
        self.followers(name).iter().filter_map(|follower| follower.awaits()).collect()
    }

    /// Brings a version to the requests that wait for it.
    pub(crate) fn supply(&self, name: &AliasName, version: &Arc<Version>) {
        self.followers(name).iter().for_each(|follower| follower.supply(version));
    }

    fn followers(&self, name: &AliasName) -> Vec<Arc<Follower>> {
        let table = self.shared.table.read();
        table
            .get(name)
            .map(|entry| entry.followers.iter().filter_map(Weak::upgrade).collect())
            .unwrap_or_default()
    }

    /// The record of an alias as the watch has it, retired or not.
    pub(crate) fn get(&self, name: &AliasName) -> Option<Arc<Alias>> {
        self.shared.table.read().get(name).map(|entry| Arc::clone(&entry.record))
    }

    /// Waits until an adapter has moved since it was last told here.
    pub(crate) async fn next_moved(&self) -> AliasName {
        let mut changes = self.shared.changes.subscribe();
        loop {
            if let Some(name) = self.shared.moved.lock().pop_first() {
                return name;
            }
            // The sender lives in `self`.
            let _ = changes.changed().await;
        }
    }

    /// Counts the changes of the table.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
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

    /// Up to `limit` aliases of a kind in service by name, those after `after`.
    pub(crate) fn list(&self, kind: Kind, after: Option<&AliasName>, limit: usize) -> Vec<Arc<Alias>> {
        let table = self.shared.table.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = table.range((from, Bound::Unbounded));
        range
            .filter(|(name, entry)| name.kind() == kind && !entry.record.retired)
            .take(limit)
            .map(|(_, entry)| Arc::clone(&entry.record))
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
        let mut standing = (*after == 0).then(Vec::new);
        while let Some(event) = events.next().await {
            match event {
                Ok(AliasEvent::Record { event_id, alias }) => match &mut standing {
                    Some(records) => records.push(alias),
                    None => {
                        self.apply(alias);
                        *after = event_id.max(*after);
                    }
                },
                Ok(AliasEvent::Synced { event_id }) => {
                    if let Some(records) = standing.take() {
                        self.replace(records);
                    }
                    *after = event_id.max(*after);
                }
                Err(error) => return error,
            }
        }
        crate::error::unavailable("the checkpoint service ended the watch")
    }

    /// An event may come twice; it never brings back an older record.
    fn apply(&self, alias: Arc<Alias>) {
        {
            let mut table = self.shared.table.write();
            let known = table.get(&alias.name).map(|entry| entry.record.generation);
            if known.is_some_and(|known| known >= alias.generation) {
                return;
            }
            if alias.name.kind() == Kind::Adapter {
                self.shared.metrics.adapter_swaps.inc();
            }
            tracing::info!(name = %alias.name, digest = %alias.digest, generation = alias.generation, "alias moved");
            self.put(&mut table, alias);
        }
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    /// The records as they stand take the place of all there were. Requests that follow one hear of its last move alone.
    fn replace(&self, records: Vec<Arc<Alias>>) {
        tracing::info!(aliases = records.len(), "alias table is complete");
        {
            let mut table = self.shared.table.write();
            let names: BTreeSet<AliasName> = records.iter().map(|record| record.name.clone()).collect();
            table.retain(|name, _| names.contains(name));
            for record in records {
                if table.get(&record.name).is_none_or(|entry| entry.record != record) {
                    self.put(&mut table, record);
                }
            }
        }
        self.shared.changes.send_modify(|changes| *changes += 1);
        self.shared.synced.send_replace(true);
    }

    /// Puts a record in its place, and tells those who follow.
    fn put(&self, table: &mut Table, record: Arc<Alias>) {
        let new = || Entry { record: Arc::clone(&record), followers: Vec::new() };
        let entry = table.entry(record.name.clone()).or_insert_with(new);
        entry.record = Arc::clone(&record);
        entry.followers.iter().filter_map(Weak::upgrade).for_each(|follower| follower.moved(&record));
        if record.name.kind() == Kind::Adapter {
            self.shared.moved.lock().insert(record.name.clone());
        }
    }
}

/// Refuses an alias that is out of service.
fn in_service(alias: Arc<Alias>) -> Result<Arc<Alias>, Error> {
    if !alias.retired {
        return Ok(alias);
    }
    let Alias { name, generation, digest, .. } = &*alias;
    Err(Error::NotFound(format!(
        "{name} was retired as generation {generation}; publish its version {digest} to bring it back"
    )))
}

fn follower(record: &Alias, key: &str, switches: bool) -> Arc<Follower> {
    Arc::new(Follower::new(record, key.to_owned(), switches))
}

#[cfg(test)]
mod tests;
