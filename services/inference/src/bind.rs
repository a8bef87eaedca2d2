//! Admission: what a request's names stand for now. From here on it is bound to that, whatever moves afterwards.

use std::{collections::BTreeSet, sync::Arc};

use rootstock_artifacts::{ArtifactName, Digest, Kind};

use crate::{
    adapters::{Adapters, Applied, Binding, base_of, check_base},
    aliases::Aliases,
    error::Error,
    follower::Follower,
    models::{Model, Models},
    store::Alias,
};

/// Names listed in a message before the rest is left out.
const SHOWN_CHOICES: usize = 10;

/// A model and perhaps adapters, all in memory and kept there.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) model: Arc<Model>,
    pub(crate) adapter: Option<Applied>,
}

impl Bound {
    /// Whether the same tokens follow from it.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let identity = |bound: &Self| bound.adapter.as_ref().map(Applied::identity);
        self.model.digest() == other.model.digest() && identity(self) == identity(other)
    }
}

/// What a request names beside its model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// Nothing: the base answers.
    Base,
    Adapter(ArtifactName),
    /// Several adapters with their weights, summed up in this order.
    Sum(Vec<(ArtifactName, f64)>),
}

/// What the names of a request that are no aliases stand for: asked for once, however many completions it has.
#[derive(Debug, Default)]
pub(crate) struct Known {
    model: Option<Digest>,
    adapters: Vec<(ArtifactName, Binding)>,
}

/// What a name stands for, and what hears of its moves if it is an alias.
type Routed = (Binding, Option<Arc<Follower>>);

/// Finds what names stand for.
#[derive(Clone, Debug)]
pub(crate) struct Binder {
    pub(crate) aliases: Aliases,
    pub(crate) models: Models,
    pub(crate) adapters: Adapters,
    /// The base models of the configuration; if there are any, a request that names none means one of them.
    pub(crate) configured: Vec<ArtifactName>,
}

impl Binder {
    /// Resolves all names, then loads what isn't in memory. Never answers for an adapter with the base. The key decides between an
    /// alias's version and its canary, for each part of a sum too, and the tenant's caps hold.
    pub(crate) async fn bind(
        &self,
        model: Option<&ArtifactName>,
        wanted: &Wanted,
        (key, known): (&str, &mut Known),
        tenant: &Arc<str>,
    ) -> Result<Bound, Error> {
        let routed = self.routed(wanted, key, known).await?;
        let digest = match (model, routed.first()) {
            (Some(ArtifactName::Alias(alias)), _) => self.aliases.resolve(alias).await?.digest,
            (Some(name), _) => match known.model {
                Some(digest) => digest,
                None => *known.model.insert(self.models.named(name, "model").await?),
            },
            (None, Some((first, _))) => first.base,
            (None, None) => self.only_model().await?,
        };
        for (binding, _) in &routed {
            check_base(&binding.digest, &binding.base, &digest)?;
        }
        let together: BTreeSet<Digest> = routed.iter().map(|(binding, _)| binding.digest).collect();
        self.adapters.tenants.check_together(together.len())?;
        let model = self.models.get(digest).await?;
        let mut leases = Vec::with_capacity(routed.len());
        for (binding, follower) in routed {
            leases.push(self.adapters.lease_for(&binding, follower, &model, tenant).await?);
        }
        let adapter = match wanted {
            Wanted::Base | Wanted::Adapter(_) => leases.pop().map(Applied::One),
            Wanted::Sum(parts) => {
                let weights = parts.iter().map(|(_, weight)| *weight);
                Some(Applied::sum(leases.into_iter().zip(weights).collect())?)
            }
        };
        Ok(Bound { model, adapter })
    }

    /// What all the names stand for with a key, and what hears of their moves.
    async fn routed(&self, wanted: &Wanted, key: &str, known: &mut Known) -> Result<Vec<Routed>, Error> {
        match wanted {
            Wanted::Base => Ok(Vec::new()),
            Wanted::Adapter(name) => Ok(vec![self.route(name, (key, true), known, "adapter").await?]),
            Wanted::Sum(parts) => {
                let mut routed = Vec::with_capacity(parts.len());
                for (index, (name, _)) in parts.iter().enumerate() {
                    let field = format!("adapters[{index}].name");
                    // What was summed up stays so.
                    routed.push(self.route(name, (key, false), known, &field).await?);
                }
                Ok(routed)
            }
        }
    }

    async fn route(
        &self,
        name: &ArtifactName,
        (key, switches): (&str, bool),
        known: &mut Known,
        field: &str,
    ) -> Result<Routed, Error> {
        let ArtifactName::Alias(alias) = name else {
            if let Some((_, binding)) = known.adapters.iter().find(|(other, _)| other == name) {
                return Ok((binding.clone(), None));
            }
            let binding = self.adapter(name, field).await?;
            known.adapters.push((name.clone(), binding.clone()));
            return Ok((binding, None));
        };
        let (record, follower) = self.aliases.follow_for(alias, key, switches).await?;
        let binding = self.binding(&record, follower.bound().digest, field).await?;
        Ok((binding, Some(follower)))
    }

    /// What a base model's name stands for.
    pub(crate) async fn model(&self, name: &ArtifactName, field: &str) -> Result<Digest, Error> {
        match name {
            ArtifactName::Digest(_) | ArtifactName::Version(..) => self.models.named(name, field).await,
            ArtifactName::Alias(alias) => Ok(self.aliases.resolve(alias).await?.digest),
        }
    }

    /// What an adapter's name stands for, canaries left aside.
    pub(crate) async fn adapter(&self, name: &ArtifactName, field: &str) -> Result<Binding, Error> {
        match name {
            ArtifactName::Alias(alias) => {
                let record = self.aliases.resolve(alias).await?;
                self.binding(&record, record.digest, field).await
            }
            ArtifactName::Version(..) | ArtifactName::Digest(_) => {
                let artifact = self.adapters.describe(name, field).await?;
                let alias =
                    if let ArtifactName::Version(alias, _) = name { Some(alias.clone()) } else { None };
                Ok(Binding { digest: artifact.digest, generation: 0, alias, base: base_of(&artifact)? })
            }
        }
    }

    /// One of the versions of an alias; both have the same base.
    pub(crate) async fn binding(
        &self,
        record: &Alias,
        digest: Digest,
        field: &str,
    ) -> Result<Binding, Error> {
        let base = match record.base {
            Some(base) => base,
            None => base_of(&self.adapters.describe(&ArtifactName::Digest(digest), field).await?)?,
        };
        Ok(Binding { digest, generation: record.generation, alias: Some(record.name.clone()), base })
    }

    /// The base model that is meant when there is only one.
    async fn only_model(&self) -> Result<Digest, Error> {
        let mut choices: Vec<(String, Digest)> = Vec::new();
        if self.configured.is_empty() {
            let all = self.aliases.list(Kind::BaseModel, None, usize::MAX);
            choices.extend(all.iter().map(|alias| (alias.name.to_string(), alias.digest)));
        } else {
            for name in &self.configured {
                choices.push((name.to_string(), self.model(name, "model").await?));
            }
        }
        match choices.split_first() {
            None => Err(Error::invalid(
                "model",
                "names no base model, and there is none; import or train one first",
            )),
            Some(((_, digest), others)) if others.iter().all(|(_, other)| other == digest) => Ok(*digest),
            Some(_) => {
                let shown: Vec<&str> =
                    choices.iter().take(SHOWN_CHOICES).map(|(name, _)| name.as_str()).collect();
                let more = if choices.len() > SHOWN_CHOICES { ", ..." } else { "" };
                let message =
                    format!("must name one of the {} base models: {}{more}", choices.len(), shown.join(", "));
                Err(Error::invalid("model", message))
            }
        }
    }
}
