//! Publishing: a version is checked and loaded first, then its alias moves; requests never wait for a load they could
//! have been spared, and never see a version that can't be served.

mod change;

use std::{sync::Arc, time::Instant};

pub(crate) use change::Change;
use rootstock_artifacts::{AliasName, ArtifactName, Digest};

use crate::{
    adapters::{AdapterLease, Binding, base_of},
    aliases::Aliases,
    bind::Binder,
    error::Error,
    residency::{Adapter, Residency},
    store::{Alias, Expect, Running, Store, Target},
    warm::Warm,
};

/// How often an unconditional change tries again when others move the same alias at the same time.
const MAX_ROUNDS: usize = 8;

/// A version to publish.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publish {
    pub(crate) name: AliasName,
    pub(crate) digest: Digest,
    /// Only if the alias is at this generation; 0 where nothing is published.
    pub(crate) expected: Option<i64>,
    pub(crate) change: Change,
}

/// A swap, and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Swapped {
    pub(crate) adapter: Adapter,
    pub(crate) swap_ms: f64,
}

/// Moves adapter aliases.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) aliases: Aliases,
    pub(crate) binder: Binder,
    pub(crate) residency: Residency,
    pub(crate) warm: Warm,
}

impl Publisher {
    /// Publishes a version. Its base may be another than the former version's: requests that name no model follow it,
    /// requests that name one are told BASE_MISMATCH.
    pub(crate) async fn publish(&self, publish: Publish, received: Instant) -> Result<Swapped, Error> {
        let before = self.store.alias(&publish.name).await?;
        check_expected(&publish.name, before.as_ref(), publish.expected)?;
        self.swap(publish, before, received).await
    }

    /// Publishes again what was there before the present version was first set, or in a given generation; where a canary
    /// stands and no generation is given, ends that.
    pub(crate) async fn rollback(
        &self,
        name: &AliasName,
        to_generation: Option<i64>,
        received: Instant,
    ) -> Result<Swapped, Error> {
        let alias = self.published(name).await?;
        let digest = match (to_generation, &alias.canary) {
            (Some(generation), _) => at_generation(&alias, generation)?,
            (None, Some(_)) => alias.digest,
            (None, None) => before_present(&alias)?,
        };
        let (name, expected) = (name.clone(), Some(alias.generation));
        let publish = Publish { name, digest, expected, change: Change::Version(Running::Finish) };
        self.swap(publish, Some(alias), received).await
    }

    /// Takes an adapter out of service; gives the generation at which it was. Requests that have it finish.
    pub(crate) async fn retire(&self, name: &AliasName, expected: Option<i64>) -> Result<i64, Error> {
        let mut round = 1;
        loop {
            let alias = self.published(name).await?;
            check_expected(name, Some(&alias), expected)?;
            match self.store.retire_alias(name, &alias.etag).await {
                Err(Error::AliasMoved(_)) if expected.is_none() && round < MAX_ROUNDS => round += 1,
                Ok(retired) => {
                    self.aliases.wait_for(name, retired.generation).await?;
                    tracing::info!(%name, generation = retired.generation, "adapter retired");
                    return Ok(retired.generation);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps an adapter's versions in memory, or lets them go; the record says so, so every server does it.
    pub(crate) async fn pin(&self, name: &AliasName, pinned: bool) -> Result<Adapter, Error> {
        let mut round = 1;
        loop {
            let alias = self.published(name).await?;
            // What doesn't fit isn't pinned.
            let _leases = if pinned { self.load_all(&alias).await? } else { Vec::new() };
            let generation = if alias.pinned == pinned {
                alias.generation
            } else {
                let Alias { digest, canary, etag, .. } = alias;
                let target = Target { digest, canary, pinned: Some(pinned), running: Running::Finish };
                match self.store.set_alias(name, &target, Expect::Etag(etag)).await {
                    Err(Error::AliasMoved(_)) if round < MAX_ROUNDS => {
                        round += 1;
                        continue;
                    }
                    moved => moved?.generation,
                }
            };
            let alias = self.aliases.wait_for(name, generation).await?;
            self.warm.attend(name).await;
            return Ok(self.residency.describe(alias));
        }
    }

    async fn published(&self, name: &AliasName) -> Result<Alias, Error> {
        let unknown = || Error::NotFound(format!("{name} is not published; publish it first"));
        self.store.alias(name).await?.ok_or_else(unknown)
    }

    async fn load_all(&self, alias: &Alias) -> Result<Vec<AdapterLease>, Error> {
        let mut leases = Vec::new();
        for digest in alias.versions() {
            leases.push(self.stage(digest).await?.1);
        }
        Ok(leases)
    }

    async fn swap(
        &self,
        publish: Publish,
        before: Option<Alias>,
        received: Instant,
    ) -> Result<Swapped, Error> {
        let Publish { name, digest, expected, change } = publish;
        // Held until the move is visible, so that nothing evicts the version in between.
        let (base, _lease) = self.stage(digest).await?;
        let target = |before: Option<&Alias>| change.target(&name, digest, base, before);
        let moved = self.set(&name, before, expected.is_none(), target).await?;
        let alias = self.aliases.wait_for(&name, moved.generation).await?;
        let swap_ms = received.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(%name, %digest, generation = moved.generation, swap_ms, "adapter published");
        // Somebody may have moved it on since; what is answered is this move.
        let alias = if alias.generation == moved.generation { alias } else { Arc::new(moved) };
        Ok(Swapped { adapter: self.residency.describe(alias), swap_ms })
    }

    /// Checks and loads a version, and tells its base model.
    async fn stage(&self, digest: Digest) -> Result<(Digest, AdapterLease), Error> {
        let binder = &self.binder;
        let artifact = binder.adapters.describe(&ArtifactName::Digest(digest), "digest").await?;
        let base = base_of(&artifact)?;
        let binding = Binding { digest, generation: 0, alias: None, base };
        let model = binder.models.get(base).await?;
        Ok((base, binder.adapters.lease(&binding, &model).await?))
    }

    async fn set(
        &self,
        name: &AliasName,
        mut before: Option<Alias>,
        insist: bool,
        target: impl Fn(Option<&Alias>) -> Result<Target, Error>,
    ) -> Result<Alias, Error> {
        let mut round = 1;
        loop {
            let target = target(before.as_ref())?;
            let expect = before.map_or(Expect::Absent, |alias| Expect::Etag(alias.etag));
            match self.store.set_alias(name, &target, expect).await {
                Err(Error::AliasMoved(_)) if insist && round < MAX_ROUNDS => {
                    round += 1;
                    before = self.store.alias(name).await?;
                }
                done => return done,
            }
        }
    }
}

fn check_expected(name: &AliasName, alias: Option<&Alias>, expected: Option<i64>) -> Result<(), Error> {
    let found = alias.map_or(0, |alias| alias.generation);
    match expected {
        Some(expected) if expected != found => Err(moved(name, found, expected)),
        _ => Ok(()),
    }
}

/// What is told of an alias that is not at the generation that was expected.
pub(crate) fn moved(name: &AliasName, found: i64, expected: i64) -> Error {
    Error::AliasMoved(format!(
        "{name} is at generation {found}, not {expected}; look at what was published and try again"
    ))
}

fn at_generation(alias: &Alias, generation: i64) -> Result<Digest, Error> {
    // Generations that only pinned it, say, served the version that was set before them.
    let found = alias.history.iter().find(|(of, _)| *of <= generation).map(|(_, digest)| *digest);
    found.filter(|_| generation <= alias.generation).ok_or_else(|| {
        let oldest = alias.history.last().map_or(alias.generation, |(of, _)| *of);
        Error::NoPreviousVersion(format!(
            "{} has no generation {generation} to roll back to; known are {oldest} to {}",
            alias.name, alias.generation
        ))
    })
}

/// What stood before the oldest known move to the present version. So one rollback after the other goes further back,
/// and never forward to a version that was rolled back from.
pub(crate) fn before_present(alias: &Alias) -> Result<Digest, Error> {
    let first_set = alias.history.iter().rposition(|(_, digest)| *digest == alias.digest);
    let before = first_set.and_then(|index| alias.history.get(index + 1));
    before.map(|(_, digest)| *digest).ok_or_else(|| {
        let others = alias.history.iter().filter(|(_, digest)| *digest != alias.digest);
        let others: Vec<String> = others.map(|(generation, _)| generation.to_string()).collect();
        let name = &alias.name;
        Error::NoPreviousVersion(match others.as_slice() {
            [] => format!("{name} has had no other version than the present one"),
            _ => format!(
                "{name} had no version before the present one was first set; others were set since, as generation {}: \
                 name one of these to roll back to it",
                others.join(", ")
            ),
        })
    })
}

#[cfg(test)]
mod tests;
