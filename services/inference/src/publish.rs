//! Publishing: a version is checked and loaded first, then its alias moves; requests never wait for a load they could
//! have been spared, and never see a version that can't be served.

use std::{sync::Arc, time::Instant};

use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};

use crate::{
    adapters::{Binding, base_of},
    aliases::Aliases,
    bind::Binder,
    error::Error,
    store::{Alias, Expect, Store},
};

/// How often an unconditional publish tries again when others move the same alias at the same time.
const MAX_ROUNDS: usize = 8;

/// A published adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) alias: Arc<Alias>,
    pub(crate) base: Option<Digest>,
    /// Size of the weights, if they are in memory.
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) leases: i32,
}

/// A swap, and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Swapped {
    pub(crate) adapter: Published,
    pub(crate) swap_ms: f64,
}

/// Moves adapter aliases.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) aliases: Aliases,
    pub(crate) binder: Binder,
}

impl Publisher {
    /// Publishes a version. Its base may be another than the former version's: requests that name no model follow it,
    /// requests that name one are told BASE_MISMATCH.
    pub(crate) async fn publish(
        &self,
        name: &AliasName,
        digest: Digest,
        expected: Option<i64>,
        received: Instant,
    ) -> Result<Swapped, Error> {
        let before = self.store.alias(name).await?;
        check_expected(name, before.as_ref(), expected)?;
        self.swap(name, digest, before, expected.is_none(), received).await
    }

    /// Publishes again what was there before the present version was first set, or in a given generation.
    pub(crate) async fn rollback(
        &self,
        name: &AliasName,
        to_generation: Option<i64>,
        received: Instant,
    ) -> Result<Swapped, Error> {
        let unknown = || Error::NotFound(format!("{name} does not exist; publish it first"));
        let alias = self.store.alias(name).await?.ok_or_else(unknown)?;
        let digest = match to_generation {
            Some(generation) => at_generation(&alias, generation)?,
            None => before_present(&alias)?,
        };
        self.swap(name, digest, Some(alias), false, received).await
    }

    /// Up to `limit` published adapters by name, those after `after`.
    pub(crate) fn list(&self, after: Option<&AliasName>, limit: usize) -> Vec<Published> {
        let aliases = self.aliases.list(Kind::Adapter, after, limit);
        aliases.into_iter().map(|alias| self.describe(alias)).collect()
    }

    async fn swap(
        &self,
        name: &AliasName,
        digest: Digest,
        before: Option<Alias>,
        insist: bool,
        received: Instant,
    ) -> Result<Swapped, Error> {
        let binder = &self.binder;
        let artifact = binder.adapters.describe(&ArtifactName::Digest(digest), "digest").await?;
        let binding = Binding { digest, generation: 0, alias: None, base: base_of(&artifact)? };
        let model = binder.models.get(binding.base).await?;
        // Held until the move is visible, so that nothing evicts the version in between.
        let _lease = binder.adapters.lease(&binding, &model).await?;
        let moved = self.set(name, digest, before, insist).await?;
        let alias = self.aliases.wait_for(name, moved.generation).await?;
        let swap_ms = received.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(%name, %digest, generation = moved.generation, swap_ms, "adapter published");
        // Somebody may have moved it on since; what is answered is this move.
        let alias = if alias.generation == moved.generation { alias } else { Arc::new(moved) };
        Ok(Swapped { adapter: self.describe(alias), swap_ms })
    }

    async fn set(
        &self,
        name: &AliasName,
        digest: Digest,
        mut before: Option<Alias>,
        insist: bool,
    ) -> Result<Alias, Error> {
        let mut round = 1;
        loop {
            let expect = before.map_or(Expect::Absent, |alias| Expect::Etag(alias.etag));
            match self.store.set_alias(name, &digest, expect).await {
                Err(Error::AliasMoved(_)) if insist && round < MAX_ROUNDS => {
                    round += 1;
                    before = self.store.alias(name).await?;
                }
                done => return done,
            }
        }
    }

    fn describe(&self, alias: Arc<Alias>) -> Published {
        let adapters = &self.binder.adapters;
        let resident_bytes = adapters.resident(&alias.digest).map(|version| version.bytes());
        Published { base: alias.base, resident_bytes, leases: adapters.leases.of(&alias.name), alias }
    }
}

fn check_expected(name: &AliasName, alias: Option<&Alias>, expected: Option<i64>) -> Result<(), Error> {
    let found = alias.map_or(0, |alias| alias.generation);
    match expected {
        Some(expected) if expected != found => Err(Error::AliasMoved(format!(
            "{name} is at generation {found}, not {expected}; look at what was published and try again"
        ))),
        _ => Ok(()),
    }
}

fn at_generation(alias: &Alias, generation: i64) -> Result<Digest, Error> {
    let found = alias.history.iter().find(|(of, _)| *of == generation).map(|(_, digest)| *digest);
    found.ok_or_else(|| {
        let known: Vec<String> = alias.history.iter().map(|(of, _)| of.to_string()).collect();
        Error::NoPreviousVersion(format!(
            "{} has no generation {generation} to roll back to; known are {}",
            alias.name,
            known.join(", ")
        ))
    })
}

/// What stood before the oldest known move to the present version. So one rollback after the other goes further back,
/// and never forward to a version that was rolled back from.
pub(crate) fn before_present(alias: &Alias) -> Result<Digest, Error> {
    let first_set = alias.history.iter().rposition(|(_, digest)| *digest == alias.digest);
    let before = first_set.and_then(|index| alias.history.get(index + 1));
    let none = || Error::NoPreviousVersion(format!("{} has no version before the present one", alias.name));
    before.map(|(_, digest)| *digest).ok_or_else(none)
}

#[cfg(test)]
mod tests;
