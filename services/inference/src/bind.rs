//! Admission: what a request's names stand for now. From here on it is bound to that, whatever moves afterwards.

use std::sync::Arc;

use rootstock_artifacts::{ArtifactName, Digest, Kind};

use crate::{
    adapters::{Adapters, Applied, Binding, base_of, check_base},
    aliases::Aliases,
    error::Error,
    models::{Model, Models},
};

/// Names listed in a message before the rest is left out.
const SHOWN_CHOICES: usize = 10;

/// A model and perhaps adapters, all in memory and kept there.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) model: Arc<Model>,
    pub(crate) adapter: Option<Applied>,
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
    /// Resolves all names, then loads what isn't in memory. Never answers for an adapter with the base.
    pub(crate) async fn bind(&self, model: Option<&ArtifactName>, wanted: &Wanted) -> Result<Bound, Error> {
        let bindings = self.bindings(wanted).await?;
        let digest = match (model, bindings.first()) {
            (Some(name), _) => self.model(name).await?,
            (None, Some(first)) => first.base,
            (None, None) => self.only_model().await?,
        };
        for binding in &bindings {
            check_base(&binding.digest, &binding.base, &digest)?;
        }
        let model = self.models.get(digest).await?;
        let mut leases = Vec::with_capacity(bindings.len());
        for binding in &bindings {
            leases.push(self.adapters.lease(binding, &model).await?);
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

    async fn bindings(&self, wanted: &Wanted) -> Result<Vec<Binding>, Error> {
        match wanted {
            Wanted::Base => Ok(Vec::new()),
            Wanted::Adapter(name) => Ok(vec![self.adapter(name, "adapter").await?]),
            Wanted::Sum(parts) => {
                let mut bindings = Vec::with_capacity(parts.len());
                for (index, (name, _)) in parts.iter().enumerate() {
                    bindings.push(self.adapter(name, &format!("adapters[{index}].name")).await?);
                }
                Ok(bindings)
            }
        }
    }

    /// What a base model's name stands for.
    pub(crate) async fn model(&self, name: &ArtifactName) -> Result<Digest, Error> {
        match name {
            ArtifactName::Digest(digest) | ArtifactName::Version(_, digest) => Ok(*digest),
            ArtifactName::Alias(alias) => Ok(self.aliases.resolve(alias).await?.digest),
        }
    }

    /// What an adapter's name stands for.
    pub(crate) async fn adapter(&self, name: &ArtifactName, field: &str) -> Result<Binding, Error> {
        match name {
            ArtifactName::Alias(alias) => {
                let record = self.aliases.resolve(alias).await?;
                let base = match record.base {
                    Some(base) => base,
                    None => {
                        base_of(&self.adapters.describe(&ArtifactName::Digest(record.digest), field).await?)?
                    }
                };
                let (digest, generation) = (record.digest, record.generation);
                Ok(Binding { digest, generation, alias: Some(alias.clone()), base })
            }
            ArtifactName::Version(..) | ArtifactName::Digest(_) => {
                let artifact = self.adapters.describe(name, field).await?;
                let alias =
                    if let ArtifactName::Version(alias, _) = name { Some(alias.clone()) } else { None };
                Ok(Binding { digest: artifact.digest, generation: 0, alias, base: base_of(&artifact)? })
            }
        }
    }

    /// The base model that is meant when there is only one.
    async fn only_model(&self) -> Result<Digest, Error> {
        let mut choices: Vec<(String, Digest)> = Vec::new();
        if self.configured.is_empty() {
            let all = self.aliases.list(Kind::BaseModel, None, usize::MAX);
            choices.extend(all.iter().map(|alias| (alias.name.to_string(), alias.digest)));
        } else {
            for name in &self.configured {
                choices.push((name.to_string(), self.model(name).await?));
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
