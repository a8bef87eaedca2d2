//! Takes back what jobs have published that were ended before they succeeded: their canaries, and what had just passed. The service does
//! it, not the worker, which may be killed at any moment.

use rootstock_client::{ClientError, ErrorReason};
use rootstock_proto::training::v1 as proto;

use crate::{
    canary::take_back,
    convert::published_name,
    error::Error,
    states::Janitor,
    store::{Job, State},
};

/// Jobs that are looked at before the list is read again.
const BATCH: u32 = 64;

impl Janitor {
    /// Takes back what is on the store's list.
    pub(crate) async fn withdraw_all(&self) -> Result<(), Error> {
        for job in self.store.withdrawals(BATCH).await? {
            match self.withdraw(&job).await {
                Ok(result) => self.store.withdrawn(&job, &result).await?,
                // Another job's alias may be fine.
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "what was published can't be taken back yet; trying again");
                }
            }
        }
        Ok(())
    }

    async fn withdraw(&self, job: &Job) -> Result<proto::PublicationResult, ClientError> {
        let so_far = job.publication.clone().unwrap_or_default();
        let published = self.end_evaluation(&so_far.evaluation).await?;
        take_back(&self.clients, published_name(&job.spec), &job.result_digest, published).await?;
        tracing::info!(job = %job.id, "what was published is taken back");
        let how = if job.state == State::Cancelled { "was cancelled" } else { "failed" };
        let reason = format!("the job {how}");
        Ok(proto::PublicationResult { published: false, reason, ..so_far })
    }

    /// Ends an evaluation; tells at which generation it has published, if it has.
    async fn end_evaluation(&self, name: &str) -> Result<i64, ClientError> {
        if name.is_empty() {
            return Ok(0);
        }
        let evaluations = self.clients.evaluation();
        match evaluations.cancel_evaluation(name).await {
            Ok(_) => Ok(0),
            Err(error) if error.is(ErrorReason::NotFound) => Ok(0),
            // It had ended before.
            Err(error) if error.is(ErrorReason::WrongState) => {
                let ended = evaluations.get_evaluation(name).await?;
                Ok(ended.gate.map_or(0, |gate| gate.published_generation))
            }
            Err(error) => Err(error),
        }
    }
}
