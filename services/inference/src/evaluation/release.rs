//! What follows from a gate: the candidate that passed is published, unless somebody else was there first.

use std::time::Instant;

use rootstock_artifacts::{AliasName, Digest};

use super::{Evaluation, Evaluations, gate::GateResult, runner::Found};
use crate::{
    error::Error,
    publish::{Change, Publish, moved},
    store::Running,
};

impl Evaluations {
    /// What the gate says, if there is one, and whether its candidate was published, if it was to be.
    pub(super) async fn release(&self, evaluation: &Evaluation, found: &Found) -> Option<GateResult> {
        let gate = evaluation.spec.gate.as_ref()?;
        let mut said = gate.judge(&found.results, &found.comparisons);
        let pinned = &evaluation.pinned;
        if said.passed
            && let (Some(alias), Some(before)) = (&evaluation.spec.publish, pinned.publish_generation)
            && let Some(digest) = pinned.adapters[gate.candidate]
        {
            match self.publish(alias, digest, before).await {
                Ok(generation) => said.published_generation = Some(generation),
                Err(error) => said.publish_error = error.to_string(),
            }
        }
        tracing::info!(name = evaluation.name(), passed = said.passed, reason = said.reason, "gate judged");
        Some(said)
    }

    /// Publishes a version, if the alias is still at the generation that it had when the evaluation was created. If the one
    /// move since then was to this version, it was made before a restart, or by somebody who wanted the same.
    async fn publish(&self, alias: &AliasName, digest: Digest, before: i64) -> Result<i64, Error> {
        let change = Change::Version(Running::Finish);
        let out_of_service = self.store.alias(alias).await?.is_none();
        // What the watch doesn't know yet is refused: the record that it has is of a name in service.
        let retired = self.binder.aliases.get(alias).filter(|record| out_of_service && record.retired);
        // For who publishes, what is out of service is at no generation.
        let expected = match retired {
            Some(record) if record.generation == before => 0,
            Some(record) => return Err(moved(alias, record.generation, before)),
            None => before,
        };
        let publish = Publish { name: alias.clone(), digest, expected: Some(expected), change };
        let refused = match self.publisher.publish(publish, Instant::now()).await {
            Ok(swapped) => return Ok(swapped.adapter.alias.generation),
            Err(error) => error,
        };
        match self.store.alias(alias).await? {
            Some(now) if now.digest == digest && now.generation == before + 1 => Ok(now.generation),
            _ => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests;
