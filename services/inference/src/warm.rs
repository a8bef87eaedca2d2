//! Keeps in memory what the aliases want there: pinned versions always, and the new version of an adapter that is in use
//! here before anybody asks for it, whichever server published it.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use rootstock_artifacts::{AliasName, Digest, Kind};
use rootstock_runtime::{ErrorReason, Shutdown};

use crate::{adapters::Version, bind::Binder, error::Error, store::Alias};

/// Adapters attended to at once.
const AT_ONCE: usize = 4;
/// How long what couldn't be loaded for a passing reason waits for the next try.
const RETRY: Duration = Duration::from_secs(5);
/// How long a start waits that needs the store, which is away.
const AWAY_RETRY: Duration = Duration::from_secs(1);

/// The warm set; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Warm {
    binder: Binder,
    /// The versions of pinned adapters: held, they are in use, and nothing drops them.
    pins: Arc<Mutex<BTreeMap<AliasName, Vec<Arc<Version>>>>>,
    /// What couldn't be loaded for a passing reason, each name once: all have their turn, however often the first ones fail.
    unsettled: Arc<Mutex<VecDeque<AliasName>>>,
}

impl Warm {
    pub(crate) fn new(binder: Binder) -> Self {
        Self { binder, pins: Arc::default(), unsettled: Arc::default() }
    }

    /// Loads all pinned adapters, and waits for the store if it is away; what can't be loaded otherwise is left for later.
    pub(crate) async fn restore(&self) {
        for alias in self.binder.aliases.list(Kind::Adapter, None, usize::MAX) {
            while alias.pinned
                && self
                    .try_attend(&alias.name)
                    .await
                    .is_err_and(|error| error.reason() == ErrorReason::DependencyUnavailable)
            {
                tokio::time::sleep(AWAY_RETRY).await;
            }
        }
    }

    /// Follows the moves of adapters until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut attending = FuturesUnordered::new();
        let mut retry = tokio::time::interval(RETRY);
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                name = self.binder.aliases.next_moved(), if attending.len() < AT_ONCE => {
                    attending.push(self.attend_owned(name));
                }
                Some(()) = attending.next() => {}
                _ = retry.tick() => {
                    while attending.len() < AT_ONCE && let Some(name) = self.next_unsettled() {
                        attending.push(self.attend_owned(name));
                    }
                }
            }
        }
    }

    /// Brings what is in memory of an adapter in line with its record.
    pub(crate) async fn attend(&self, name: &AliasName) {
        if let Err(error) = self.try_attend(name).await {
            let is_passing = error.is_transient();
            tracing::warn!(%name, %error, is_passing, "a version that is wanted in memory can't be loaded");
        }
    }

    async fn attend_owned(&self, name: AliasName) {
        self.attend(&name).await;
    }

    fn next_unsettled(&self) -> Option<AliasName> {
        self.unsettled.lock().pop_front()
    }

    async fn try_attend(&self, name: &AliasName) -> Result<(), Error> {
        let Some(record) = self.binder.aliases.get(name) else { return Ok(()) };
        let attended = self.load_wanted(&record).await;
        match &attended {
            Err(error) if error.is_transient() => self.retry_later(name),
            _ => {}
        }
        attended
    }

    fn retry_later(&self, name: &AliasName) {
        let mut unsettled = self.unsettled.lock();
        if !unsettled.contains(name) {
            unsettled.push_back(name.clone());
        }
    }

    async fn load_wanted(&self, record: &Alias) -> Result<(), Error> {
        let aliases = &self.binder.aliases;
        for digest in aliases.awaited(&record.name) {
            aliases.supply(&record.name, &self.load(record, digest).await?);
        }
        self.let_go(record);
        match (record.retired, record.pinned) {
            (false, true) => self.hold(record).await,
            (false, false) if self.is_in_use(record) => {
                self.prefetch(record).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether a version of the adapter, present or past, is in memory.
    fn is_in_use(&self, record: &Alias) -> bool {
        record.history.iter().any(|(_, digest)| self.binder.adapters.resident(digest).is_some())
    }

    /// What fails here is told to whoever asks for it.
    async fn prefetch(&self, record: &Alias) {
        for digest in record.versions() {
            if let Err(error) = self.load(record, digest).await {
                tracing::debug!(name = %record.name, %digest, %error, "a version can't be loaded ahead");
            }
        }
    }

    async fn load(&self, record: &Alias, digest: Digest) -> Result<Arc<Version>, Error> {
        let binding = self.binder.binding(record, digest, "adapter").await?;
        let model = self.binder.models.get(binding.base).await?;
        self.binder.adapters.load(digest, &model).await
    }

    /// Lets go what the record doesn't pin, so that it makes room for what it does.
    fn let_go(&self, record: &Alias) {
        let mut pins = self.pins.lock();
        let Entry::Occupied(mut held) = pins.entry(record.name.clone()) else { return };
        let versions = if record.pinned { record.versions() } else { Vec::new() };
        held.get_mut().retain(|version| versions.contains(version.digest()));
        if held.get().is_empty() {
            held.remove();
        }
    }

    /// Holds the versions of a pinned adapter, unless it has moved meanwhile.
    async fn hold(&self, record: &Alias) -> Result<(), Error> {
        let mut versions = Vec::new();
        for digest in record.versions() {
            versions.push(self.load(record, digest).await?);
        }
        let mut pins = self.pins.lock();
        let now = self.binder.aliases.get(&record.name);
        if now.is_some_and(|now| now.generation == record.generation) {
            pins.insert(record.name.clone(), versions);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
