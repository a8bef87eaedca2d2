//! Leases: what binds a request to one version of an adapter, and how many of them each alias has.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use rootstock_artifacts::{AliasName, Digest};
use rootstock_model::KvCache;
use tokio::sync::watch;

use super::{Version, tenants::Use};
use crate::{
    error::Error,
    follower::{Bound, Follower},
};

/// The right to compute with one generation of an adapter: as long as it lives, the weights stay.
#[derive(Debug)]
pub(crate) struct AdapterLease {
    pub(super) version: Arc<Version>,
    pub(super) generation: i64,
    pub(super) counted: Option<Counted>,
    pub(super) follower: Option<Arc<Follower>>,
    /// What it went on from at a switch, and before which token: what was computed with that is computed again with it.
    pub(super) earlier: Vec<(usize, Arc<Version>)>,
    /// Whose request it is, where tenants have caps; one for each version.
    pub(super) used: Vec<Use>,
}

impl AdapterLease {
    pub(crate) fn digest(&self) -> &Digest {
        self.version.digest()
    }

    pub(super) fn start(&self) -> Option<&KvCache> {
        self.version.start.as_ref()
    }

    /// Virtual tokens before a sequence.
    pub(crate) fn virtual_tokens(&self) -> usize {
        self.start().map_or(0, KvCache::len)
    }

    /// What the request is told that it is bound to; the generation is that of the alias that it was asked for by, and 0 if
    /// it was asked for by its digest.
    pub(crate) fn bound(&self) -> Bound {
        Bound {
            digest: *self.digest(),
            generation: self.generation,
            canary: self.follower.as_ref().is_some_and(|follower| follower.bound().canary),
        }
    }

    pub(super) fn label(&self) -> String {
        self.counted.as_ref().map_or_else(|| self.digest().to_string(), |counted| counted.alias.to_string())
    }

    /// Why the request must end because of a publish, if it must.
    pub(crate) fn replaced(&self) -> Option<Error> {
        self.follower.as_ref()?.replaced()
    }

    /// The version that computes a token, by its place in the text.
    pub(super) fn version_at(&self, token: usize) -> &Version {
        self.earlier.iter().find(|(end, _)| token < *end).map_or(&self.version, |(_, version)| version)
    }

    /// Goes on with another version from a token on, if a publish said so and it is loaded; says with which.
    pub(crate) fn switch(&mut self, token: usize) -> Option<Bound> {
        let (bound, version) = self.follower.as_ref()?.switch(&self.version)?;
        let used = self.used.last().map(|used| used.of(*version.digest(), version.bytes()));
        self.used.extend(used);
        let before = std::mem::replace(&mut self.version, version);
        if token > self.earlier.last().map_or(0, |(end, _)| *end) {
            self.earlier.push((token, before));
        }
        self.generation = bound.generation;
        Some(bound)
    }

    /// Another lease on the same generation, which hears of no move.
    pub(crate) fn again(&self) -> Self {
        let counted = self.counted.as_ref().map(Counted::again);
        let used = self.used.last().map(Use::again).into_iter().collect();
        let (version, generation) = (Arc::clone(&self.version), self.generation);
        Self { version, generation, counted, follower: None, earlier: Vec::new(), used }
    }
}

/// How many leases each alias has; clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct Leases {
    counts: Arc<Mutex<BTreeMap<AliasName, i32>>>,
    changes: watch::Sender<u64>,
}

impl Default for Leases {
    fn default() -> Self {
        Self { counts: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl Leases {
    /// Leases on the generations of an alias.
    pub(crate) fn of(&self, alias: &AliasName) -> i32 {
        self.counts.lock().get(alias).copied().unwrap_or(0)
    }

    /// Counts the changes of the counts.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn count(&self, alias: AliasName) -> Counted {
        *self.counts.lock().entry(alias.clone()).or_insert(0) += 1;
        self.changes.send_modify(|changes| *changes += 1);
        Counted { leases: self.clone(), alias }
    }
}

/// One lease in the counts, taken out when dropped.
#[derive(Debug)]
pub(super) struct Counted {
    leases: Leases,
    alias: AliasName,
}

impl Counted {
    fn again(&self) -> Self {
        self.leases.count(self.alias.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The map holds only aliases with leases, so that it can't grow.
        if let Entry::Occupied(mut count) = self.leases.counts.lock().entry(self.alias.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.leases.changes.send_modify(|changes| *changes += 1);
    }
}
