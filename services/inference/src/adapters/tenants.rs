//! What each tenant keeps of adapters in memory: every adapter that requests have brought there is paid for by one tenant, and none
//! pays for more than its caps allow.
//!
//! Who first asks for an adapter pays for it until it is dropped from memory; who uses it beside that tenant rides along. A tenant that
//! needs the room drops what it pays for and nobody uses, the least worth keeping first; what only others use passes to one of them,
//! even if that one then pays for more than it could ask for. Publishing, pins and evaluations are the server's own and cost nobody.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use rootstock_artifacts::Digest;

use super::Version;
use crate::{error::Error, residents::Residents};

/// What one tenant may pay for at once; `None` is as much as there is room for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caps {
    pub(crate) adapters: Option<usize>,
    pub(crate) bytes: Option<u64>,
}

impl Caps {
    fn allow(&self, adapters: usize, bytes: u64) -> bool {
        self.adapters.is_none_or(|most| adapters <= most) && self.bytes.is_none_or(|most| bytes <= most)
    }
}

/// Who pays for what; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Tenants {
    caps: Caps,
    residents: Residents<Version>,
    paid: Arc<Mutex<PaidFor>>,
}

type PaidFor = HashMap<Digest, Paid>;

/// One adapter in memory, or on its way there.
#[derive(Debug)]
struct Paid {
    payer: Arc<str>,
    bytes: u64,
    /// Leases by tenant; none has 0.
    users: BTreeMap<Arc<str>, usize>,
}

impl Paid {
    fn is_idle_of(&self, tenant: &Arc<str>) -> bool {
        self.payer == *tenant && self.users.is_empty()
    }
}

impl Tenants {
    pub(crate) fn new(caps: Caps, residents: Residents<Version>) -> Self {
        Self { caps, residents, paid: Arc::default() }
    }

    /// Whether anybody has to pay.
    pub(super) fn are_capped(&self) -> bool {
        self.caps.adapters.is_some() || self.caps.bytes.is_some()
    }

    /// Refuses so many different adapters at once, if a tenant may never pay for all of them; that others pay for some is no promise.
    pub(crate) fn check_together(&self, adapters: usize) -> Result<(), Error> {
        match self.caps.adapters {
            Some(most) if adapters > most => Err(Error::ExceedsLimit(format!(
                "this takes {adapters} adapters at once, more than the {most} of one tenant; raise \
                 inference.max_adapters_per_tenant"
            ))),
            _ => Ok(()),
        }
    }

    /// Takes an adapter of so many bytes into use for a tenant, which pays unless somebody does already.
    pub(super) fn take(&self, tenant: &Arc<str>, digest: Digest, bytes: u64) -> Result<Use, Error> {
        if let Some(most) = self.caps.bytes.filter(|most| bytes > *most) {
            return Err(Error::ExceedsLimit(format!(
                "this adapter takes {bytes} bytes, more than the {most} of one tenant; raise \
                 inference.max_adapter_bytes_per_tenant"
            )));
        }
        // Before the lock, so that what is dropped from memory is freed after it.
        let mut dropped = Vec::new();
        let mut paid = self.paid.lock();
        if !paid.get(&digest).is_some_and(|paid| self.is_kept(&digest, paid)) {
            paid.retain(|digest, paid| self.is_kept(digest, paid));
            self.make_room(&mut paid, tenant, bytes, &mut dropped)?;
        }
        Ok(self.enter(&mut paid, tenant, digest, bytes))
    }

    fn is_kept(&self, digest: &Digest, paid: &Paid) -> bool {
        !paid.users.is_empty() || self.residents.peek(digest).is_some()
    }

    fn enter(&self, paid: &mut PaidFor, tenant: &Arc<str>, digest: Digest, bytes: u64) -> Use {
        let pays = || Paid { payer: Arc::clone(tenant), bytes, users: BTreeMap::new() };
        let users = &mut paid.entry(digest).or_insert_with(pays).users;
        *users.entry(Arc::clone(tenant)).or_insert(0) += 1;
        Use { tenants: self.clone(), tenant: Arc::clone(tenant), digest }
    }

    /// Lets go of what the tenant pays for until one adapter more is within its caps.
    fn make_room(
        &self,
        paid: &mut PaidFor,
        tenant: &Arc<str>,
        bytes: u64,
        dropped: &mut Vec<Arc<Version>>,
    ) -> Result<(), Error> {
        loop {
            let own = || paid.values().filter(|paid| paid.payer == *tenant);
            let (count, used) = (own().count(), own().map(|paid| paid.bytes).sum::<u64>());
            if self.caps.allow(count + 1, used + bytes) {
                return Ok(());
            }
            if !self.drop_idle(paid, tenant, dropped) && !hand_over(paid, tenant) {
                return Err(Error::Overloaded(format!(
                    "tenant {tenant} has {count} adapters of {used} bytes in use, and {bytes} bytes more are above its \
                     caps; retry later, or raise inference.max_adapters_per_tenant or max_adapter_bytes_per_tenant"
                )));
            }
        }
    }

    /// Drops what is least worth keeping of what only the tenant keeps.
    fn drop_idle(&self, paid: &mut PaidFor, tenant: &Arc<str>, dropped: &mut Vec<Arc<Version>>) -> bool {
        let is_idle = |digest: &Digest| paid.get(digest).is_some_and(|paid| paid.is_idle_of(tenant));
        if let Some((digest, version)) = self.residents.evict(is_idle) {
            tracing::info!(%digest, %tenant, "dropped from memory for another adapter of its tenant");
            paid.remove(&digest);
            dropped.push(version);
            return true;
        }
        // The server keeps it for itself, as a pin does.
        let idle = paid.iter().find(|(_, paid)| paid.is_idle_of(tenant)).map(|(digest, _)| *digest);
        idle.is_some_and(|digest| paid.remove(&digest).is_some())
    }
}

/// Lets another tenant pay for what that one uses and this one doesn't.
fn hand_over(paid: &mut PaidFor, tenant: &Arc<str>) -> bool {
    let own = paid.values_mut().filter(|paid| paid.payer == *tenant);
    let mut others = own.filter(|paid| !paid.users.contains_key(tenant));
    let Some(of_others) = others.next() else { return false };
    let Some(user) = of_others.users.keys().next().cloned() else { return false };
    of_others.payer = user;
    true
}

/// An adapter in use by a tenant, for as long as this lives.
#[derive(Debug)]
pub(super) struct Use {
    tenants: Tenants,
    tenant: Arc<str>,
    digest: Digest,
}

impl Use {
    /// The same for another lease.
    pub(super) fn again(&self) -> Self {
        self.of(self.digest, 0)
    }

    /// Another adapter for the same tenant, which is not asked whether it is within its caps: a publish has decided so.
    pub(super) fn of(&self, digest: Digest, bytes: u64) -> Self {
        self.tenants.enter(&mut self.tenants.paid.lock(), &self.tenant, digest, bytes)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut paid = self.tenants.paid.lock();
        let Some(users) = paid.get_mut(&self.digest).map(|paid| &mut paid.users) else { return };
        let Some(leases) = users.get_mut(&self.tenant) else { return };
        *leases -= 1;
        if *leases == 0 {
            users.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests;
