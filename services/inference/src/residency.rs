//! What this server has of each published adapter: where its version is, and who uses it; as a list, and as a stream of what
//! changes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use rootstock_artifacts::{AliasName, Kind};
use rootstock_runtime::Tasks;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    adapters::Adapters,
    aliases::Aliases,
    error::{Error, unavailable},
    residents::Counts,
    store::{Alias, Store},
};

/// How long a list waits for the table of aliases after a start.
const PATIENCE: Duration = Duration::from_secs(2);
/// The shortest time between two rounds of a watch.
const ROUND: Duration = Duration::from_millis(100);
/// A watch looks for at most one in so many parts of the time.
const LOOK_SHARE: u32 = 10;
/// Most adapters in one message of a watch.
const PAGE: usize = 1000;

/// Where the version of an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Stored,
    OnDisk,
    InMemory,
}

/// A published adapter as this server has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adapter {
    pub(crate) alias: Arc<Alias>,
    pub(crate) tier: Tier,
    /// Size of the weights in memory; 0 if they aren't there.
    pub(crate) memory_bytes: u64,
    pub(crate) leases: i32,
}

/// What a watch tells at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) adapters: Vec<Adapter>,
    pub(crate) retired: Vec<AliasName>,
    /// Whether all that stood has been told.
    pub(crate) synced: bool,
    pub(crate) totals: Totals,
}

/// What all adapters take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) memory_bytes: u64,
    pub(crate) limit_bytes: u64,
    pub(crate) counts: Counts,
}

/// Looks at the adapters of this server.
#[derive(Clone, Debug)]
pub(crate) struct Residency {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) aliases: Aliases,
    pub(crate) adapters: Adapters,
    pub(crate) tasks: Tasks,
}

impl Residency {
    /// Up to `limit` published adapters by name, those after `after`.
    pub(crate) async fn list(&self, after: Option<AliasName>, limit: usize) -> Result<Vec<Adapter>, Error> {
        if timeout(PATIENCE, self.aliases.synced()).await.is_err() {
            return Err(unavailable(
                "the checkpoint service has not told yet which adapters are published; list them again later",
            ));
        }
        let residency = self.clone();
        let list = move || {
            let aliases = residency.aliases.list(Kind::Adapter, after.as_ref(), limit);
            aliases.into_iter().map(|alias| residency.describe(alias)).collect()
        };
        Ok(self.tasks.spawn_blocking("inference-list-adapters", list).await?)
    }

    /// An adapter as it is here; may look at the disk.
    pub(crate) fn describe(&self, alias: Arc<Alias>) -> Adapter {
        let resident = self.adapters.resident(&alias.digest);
        let tier = match &resident {
            Some(_) => Tier::InMemory,
            None if self.store.is_local(&alias.digest) => Tier::OnDisk,
            None => Tier::Stored,
        };
        let memory_bytes = resident.map_or(0, |version| version.bytes());
        Adapter { tier, memory_bytes, leases: self.adapters.leases.of(&alias.name), alias }
    }

    /// All adapters, then those that change: the latest state of each, at most one round every [`ROUND`]. It reads at the pace
    /// of whoever asks for messages, so a slow reader costs nothing.
    pub(crate) fn watch(&self) -> impl Stream<Item = Result<Changes, Error>> + Send + use<> {
        let watching = Watching {
            aliases: self.aliases.changes(),
            residents: self.adapters.residents.changes(),
            leases: self.adapters.leases.changes(),
            residency: self.clone(),
            told: BTreeMap::new(),
            totals: None,
            next_round: Instant::now(),
            pages: VecDeque::new(),
        };
        stream::try_unfold(watching, |mut watching| async {
            let changes = watching.next().await?;
            Ok(Some((changes, watching)))
        })
    }

    fn totals(&self) -> Totals {
        let (memory_bytes, limit_bytes) = self.adapters.residents.used();
        Totals { memory_bytes, limit_bytes, counts: self.adapters.residents.counts() }
    }
}

/// One watch: what it has told, and what may tell it that there is more.
struct Watching {
    residency: Residency,
    aliases: watch::Receiver<u64>,
    residents: watch::Receiver<u64>,
    leases: watch::Receiver<u64>,
    told: BTreeMap<AliasName, Adapter>,
    /// `None` before the first round.
    totals: Option<Totals>,
    next_round: Instant,
    pages: VecDeque<Changes>,
}

impl Watching {
    async fn next(&mut self) -> Result<Changes, Error> {
        loop {
            if let Some(page) = self.pages.pop_front() {
                return Ok(page);
            }
            if self.totals.is_some() {
                self.changed().await;
                tokio::time::sleep_until(self.next_round).await;
            } else {
                // What a table that is not complete lacks would pass for retired.
                self.residency.aliases.synced().await;
            }
            self.round().await?;
        }
    }

    /// Waits for a change of anything; the senders live in `residency`.
    async fn changed(&mut self) {
        tokio::select! {
            _ = self.aliases.changed() => {}
            _ = self.residents.changed() => {}
            _ = self.leases.changed() => {}
        }
    }

    /// Compares what is with what was told.
    async fn round(&mut self) -> Result<(), Error> {
        for changes in [&mut self.aliases, &mut self.residents, &mut self.leases] {
            changes.mark_unchanged();
        }
        let began = Instant::now();
        let now = self.residency.list(None, usize::MAX).await?;
        // Of very many adapters a round takes a while; they get fewer of them.
        self.next_round = began + ROUND.max(began.elapsed() * LOOK_SHARE);
        let names: BTreeSet<&AliasName> = now.iter().map(|adapter| &adapter.alias.name).collect();
        let retired: Vec<AliasName> =
            self.told.keys().filter(|name| !names.contains(name)).cloned().collect();
        self.told.retain(|name, _| names.contains(name));
        let is_news = |adapter: &Adapter| self.told.get(&adapter.alias.name) != Some(adapter);
        let changed: Vec<Adapter> = now.iter().filter(|adapter| is_news(adapter)).cloned().collect();
        self.told.extend(changed.iter().map(|adapter| (adapter.alias.name.clone(), adapter.clone())));
        let totals = self.residency.totals();
        if self.totals.replace(totals) != Some(totals) || !changed.is_empty() || !retired.is_empty() {
            self.pages = pages(changed, retired, totals);
        }
        Ok(())
    }
}

/// A round as messages of bounded size; the last one says that it is all.
fn pages(changed: Vec<Adapter>, retired: Vec<AliasName>, totals: Totals) -> VecDeque<Changes> {
    let page = |adapters: &[Adapter], retired: &[AliasName]| Changes {
        adapters: adapters.to_vec(),
        retired: retired.to_vec(),
        synced: false,
        totals,
    };
    let mut pages: VecDeque<Changes> = changed.chunks(PAGE).map(|adapters| page(adapters, &[])).collect();
    pages.extend(retired.chunks(PAGE).map(|names| page(&[], names)));
    match pages.back_mut() {
        Some(last) => last.synced = true,
        None => pages.push_back(Changes { synced: true, ..page(&[], &[]) }),
    }
    pages
}

#[cfg(test)]
mod tests;
