//! What the names of an evaluation stand for when it is created.

use rootstock_artifacts::{ArtifactName, Digest, Kind};
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
    /// The generation of the alias to publish under; 0 if it has never been set.
    #[serde(default)]
    pub(crate) publish_generation: Option<i64>,
}

impl Evaluations {
    pub(super) async fn pin(&self, spec: &Spec) -> Result<Pinned, Error> {
        let model = self.binder.model(&spec.model, "spec.model").await?;
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
            Some(alias) => Some(self.store.alias(alias).await?.map_or(0, |alias| alias.generation)),
            None => None,
        };
        Ok(Pinned { dataset, model, adapters, publish_generation })
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
