//! What the names of an evaluation stand for when it is created.

use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};
use serde::{Deserialize, Serialize};

use super::{Evaluations, Spec, TargetName};
use crate::{adapters::check_base, error::Error, publish::before_present};

/// What the names stood for when the evaluation was created: an alias that moves later doesn't change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) dataset: Digest,
    pub(crate) model: Digest,
    /// One for each target; `None` is the base model itself.
    pub(crate) adapters: Vec<Option<Digest>>,
    /// The generation of the alias to publish under, in service or not; 0 if it has never been set.
    #[serde(default)]
    pub(crate) publish_generation: Option<i64>,
}

impl Evaluations {
    pub(super) async fn pin(&self, spec: &Spec) -> Result<Pinned, Error> {
        let model = self.binder.model(&spec.model, "spec.model").await?;
        if self.store.artifact(&ArtifactName::Digest(model)).await?.tokenizer.is_empty() {
            let message = "has no tokenizer, and rows are texts; take a base model that was stored with one";
            return Err(Error::invalid("spec.model", message));
        }
        let dataset = match &spec.dataset {
            ArtifactName::Alias(alias) => self.binder.aliases.resolve(alias).await?.digest,
            ArtifactName::Digest(digest) | ArtifactName::Version(_, digest) => *digest,
        };
        self.check_kind(&dataset, Kind::Dataset, "spec.dataset").await?;
        let mut adapters = Vec::with_capacity(spec.targets.len());
        for (index, target) in spec.targets.iter().enumerate() {
            adapters.push(self.pin_target(target, &format!("spec.targets[{index}]"), &model).await?);
        }
        let publish_generation = match &spec.publish {
            Some(alias) => Some(self.generation(alias).await?),
            None => None,
        };
        Ok(Pinned { dataset, model, adapters, publish_generation })
    }

    /// The generation of an alias, in service or not: a name that is used again goes on counting.
    async fn generation(&self, alias: &AliasName) -> Result<i64, Error> {
        let live = self.store.alias(alias).await?.map(|record| record.generation);
        let retired = || self.binder.aliases.get(alias).map(|record| record.generation);
        Ok(live.or_else(retired).unwrap_or(0))
    }

    async fn pin_target(
        &self,
        target: &TargetName,
        field: &str,
        model: &Digest,
    ) -> Result<Option<Digest>, Error> {
        let bound = match target {
            TargetName::Base => return Ok(None),
            TargetName::Adapter(name) => self.binder.adapter(name, field).await?,
            TargetName::Previous(alias) => {
                let previous = before_present(&*self.binder.aliases.resolve(alias).await?)?;
                self.binder.adapter(&ArtifactName::Digest(previous), field).await?
            }
        };
        check_base(&bound.digest, &bound.base, model)?;
        Ok(Some(bound.digest))
    }

    async fn check_kind(&self, digest: &Digest, kind: Kind, field: &str) -> Result<(), Error> {
        let found = self.store.artifact(&ArtifactName::Digest(*digest)).await?.kind;
        if found == kind {
            return Ok(());
        }
        Err(Error::invalid(field, format!("{digest} is of kind {found}, which doesn't fit here")))
    }
}
