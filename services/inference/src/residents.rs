//! What is in memory within a budget: loaded once however many ask, and dropped to make room, least worth keeping first.
//!
//! What a thing is worth follows GreedyDual-Size-Frequency (Cherkasova, HP Labs, 1998): the clock at its last use plus
//! its uses times what loading it again costs, per unit of its size. The clock is the worth of what was dropped last, so what
//! was used much but long ago goes in the end.

mod worth;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use rootstock_artifacts::Digest;
use rootstock_runtime::Tasks;
use tokio::sync::{oneshot, watch};
use tracing::Instrument;
use worth::Worth;

use crate::{
    error::Error,
    metrics::{Metrics, gauge_value},
};

/// What one kind of resident is called, where its bound comes from, and where it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// In the plural, for messages.
    pub(crate) what: &'static str,
    /// The config key of the bound.
    pub(crate) key: &'static str,
    /// The bound, in the unit of [`Residents::reserve`].
    pub(crate) capacity: u64,
    /// What each load costs beside reading the thing: as much as reading so many units more.
    pub(crate) load_cost: u64,
    pub(crate) count: Gauge,
    pub(crate) used: Gauge,
}

/// What takes a part of a budget.
pub(crate) trait Weigh {
    /// How much, in the unit of [`Residents::reserve`].
    fn weight(&self) -> u64;
}

/// Loads and drops since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) loads: u64,
    pub(crate) evictions: u64,
}

/// Things in memory by the digest of their artifact; clones share them. A thing is in use while anybody but the table
/// holds its `Arc`, and is never dropped then.
pub(crate) struct Residents<V> {
    shared: Arc<Inner<V>>,
}

struct Inner<V> {
    kind: Kind,
    tasks: Tasks,
    metrics: Metrics,
    table: Mutex<Table<V>>,
    used: Arc<Mutex<u64>>,
    loads: AtomicU64,
    evictions: AtomicU64,
    /// Counts the changes of the table.
    changes: watch::Sender<u64>,
}

struct Table<V> {
    ready: HashMap<Digest, Entry<V>>,
    loading: HashMap<Digest, Flight<V>>,
    /// The worth of what was dropped last.
    clock: f64,
    /// Counts the uses, so that of two that are worth the same the one idle longer goes.
    uses: u64,
    load_cost: u64,
}

struct Entry<V> {
    value: Arc<V>,
    worth: Worth,
}

type Loaded<V> = Result<Arc<V>, Error>;
type Flight<V> = Shared<BoxFuture<'static, Loaded<V>>>;

/// A part of the budget; it goes back when this is dropped, so what is loaded keeps it inside.
#[derive(Debug)]
pub(crate) struct Reservation {
    amount: u64,
    used: Arc<Mutex<u64>>,
    gauge: Gauge,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = self.used.lock();
        *used -= self.amount;
        self.gauge.set(gauge_value(*used));
    }
}

impl<V> Clone for Residents<V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<V> fmt::Debug for Residents<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Residents").field("kind", &self.shared.kind).finish_non_exhaustive()
    }
}

impl<V: Weigh + Send + Sync + 'static> Residents<V> {
    pub(crate) fn new(kind: Kind, tasks: Tasks, metrics: Metrics) -> Self {
        let load_cost = kind.load_cost;
        let table = Table { ready: HashMap::new(), loading: HashMap::new(), clock: 0.0, uses: 0, load_cost };
        let inner = Inner {
            kind,
            tasks,
            metrics,
            table: Mutex::new(table),
            used: Arc::default(),
            loads: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        };
        Self { shared: Arc::new(inner) }
    }

    /// What is taken of the budget, and the budget.
    pub(crate) fn used(&self) -> (u64, u64) {
        (*self.shared.used.lock(), self.shared.kind.capacity)
    }

    pub(crate) fn counts(&self) -> Counts {
        let Inner { loads, evictions, .. } = &*self.shared;
        Counts { loads: loads.load(Ordering::Relaxed), evictions: evictions.load(Ordering::Relaxed) }
    }

    /// Counts the changes of what is in memory.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// What is in memory already, without counting this as a use.
    pub(crate) fn peek(&self, digest: &Digest) -> Option<Arc<V>> {
        self.shared.table.lock().ready.get(digest).map(|entry| Arc::clone(&entry.value))
    }

    /// What is in memory already, marked as just used.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<V>> {
        self.shared.table.lock().touch(digest)
    }

    /// Takes what is in memory, or waits for the one load of it, begun now if need be. Who stops waiting doesn't stop
    /// the load.
    pub(crate) async fn get_or_load<F>(&self, digest: Digest, load: impl FnOnce() -> F + Send) -> Loaded<V>
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let flight = {
            let mut table = self.shared.table.lock();
            if let Some(value) = table.touch(&digest) {
                return Ok(value);
            }
            match table.loading.get(&digest) {
                Some(flight) => flight.clone(),
                None => {
                    let (flight, done) = flight();
                    table.loading.insert(digest, flight.clone());
                    self.begin(digest, load(), done);
                    flight
                }
            }
        };
        flight.await
    }

    /// Takes a part of the budget, dropping what is idle if need be.
    pub(crate) fn reserve(&self, amount: u64) -> Result<Reservation, Error> {
        let Kind { what, key, capacity, .. } = self.shared.kind;
        if amount > capacity {
            let message = format!("this takes {amount} of the {capacity} for {what}; raise inference.{key}");
            return Err(Error::ExceedsLimit(message));
        }
        loop {
            {
                let mut used = self.shared.used.lock();
                if *used + amount <= capacity {
                    *used += amount;
                    let gauge = self.shared.kind.used.clone();
                    gauge.set(gauge_value(*used));
                    return Ok(Reservation { amount, used: Arc::clone(&self.shared.used), gauge });
                }
            }
            // Dropped here, outside of both locks: freeing much memory takes a while.
            let Some((digest, victim)) = self.evict(|_| true) else {
                let message =
                    format!("all {what} in memory are in use; retry later, or raise inference.{key}");
                return Err(Error::Overloaded(message));
            };
            tracing::info!(%digest, what, "dropped from memory to make room");
            drop(victim);
        }
    }

    fn begin(
        &self,
        digest: Digest,
        load: impl Future<Output = Result<V, Error>> + Send + 'static,
        done: oneshot::Sender<Loaded<V>>,
    ) {
        let shared = Arc::clone(&self.shared);
        let work = async move {
            let loaded = load.await.map(Arc::new);
            shared.metrics.loaded(shared.kind.what, loaded.is_ok());
            if let Err(error) = &loaded {
                tracing::warn!(%digest, what = shared.kind.what, %error, "can't be loaded");
            }
            if loaded.is_ok() {
                shared.loads.fetch_add(1, Ordering::Relaxed);
            }
            shared.table.lock().finish(digest, loaded.as_ref().ok(), &shared.kind.count);
            shared.changes.send_modify(|changes| *changes += 1);
            let _ = done.send(loaded);
        };
        self.shared.tasks.spawn(
            "inference-load",
            work.instrument(tracing::info_span!("load", what = self.shared.kind.what)),
        );
    }

    /// Takes out the one that is least worth keeping, of those that may go and are not in use; freeing it takes a while.
    pub(crate) fn evict(&self, may_go: impl Fn(&Digest) -> bool) -> Option<(Digest, Arc<V>)> {
        let mut table = self.shared.table.lock();
        let idle = table
            .ready
            .iter()
            .filter(|(digest, entry)| Arc::strong_count(&entry.value) == 1 && may_go(digest));
        let digest = *idle.min_by(|(_, one), (_, other)| one.worth.order(&other.worth))?.0;
        let entry = table.ready.remove(&digest)?;
        table.clock = entry.worth.value();
        self.shared.kind.count.set(gauge_value(table.ready.len() as u64));
        drop(table);
        self.shared.metrics.evicted(self.shared.kind.what);
        self.shared.evictions.fetch_add(1, Ordering::Relaxed);
        self.shared.changes.send_modify(|changes| *changes += 1);
        Some((digest, entry.value))
    }
}

impl<V: Weigh> Table<V> {
    fn touch(&mut self, digest: &Digest) -> Option<Arc<V>> {
        self.uses += 1;
        let entry = self.ready.get_mut(digest)?;
        entry.worth.used(self.uses, self.clock);
        Some(Arc::clone(&entry.value))
    }

    fn finish(&mut self, digest: Digest, loaded: Option<&Arc<V>>, count: &Gauge) {
        self.loading.remove(&digest);
        if let Some(value) = loaded {
            self.uses += 1;
            let worth = Worth::new(value.weight(), self.load_cost, self.uses, self.clock);
            self.ready.insert(digest, Entry { value: Arc::clone(value), worth });
            count.set(gauge_value(self.ready.len() as u64));
        }
    }
}

/// A load that any number can wait for, and where its outcome goes.
fn flight<V: Send + Sync + 'static>() -> (Flight<V>, oneshot::Sender<Loaded<V>>) {
    let (done, outcome) = oneshot::channel();
    let lost = || Error::Internal("a load ended without an outcome".into());
    (async move { outcome.await.unwrap_or_else(|_| Err(lost())) }.boxed().shared(), done)
}

#[cfg(test)]
mod tests;
