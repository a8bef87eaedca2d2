//! What the training service does, without the network: the handlers decode, call this, and encode.

use std::sync::Arc;

use prost::Message;
use rootstock_runtime::{MAX_MESSAGE_BYTES, trace};
use tokio::sync::Notify;

use crate::{
    convert::{Create, Page, Report},
    error::Error,
    metrics::Metrics,
    names::JobId,
    resolve::Resolver,
    store::{Created, Job, Lease, NewJob, Room, State, Store, Wish},
    supervisor::Leases,
    verification::Verifier,
    watch::{Bells, Watches},
};

/// Room in a message for what a job has beside its specification and its error.
const JOB_MARGIN: usize = 4 << 10;

/// The jobs.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    pub(crate) store: Store,
    pub(crate) resolver: Resolver,
    pub(crate) watches: Watches,
    pub(crate) verifier: Verifier,
    pub(crate) bells: Bells,
    pub(crate) leases: Leases,
    pub(crate) metrics: Metrics,
    pub(crate) room: Room,
    /// Calls the supervisor: a job waits, or one was cancelled.
    pub(crate) supervisor: Arc<Notify>,
    /// Calls the janitor: saved states were discarded, or a job that publishes was ended.
    pub(crate) janitor: Arc<Notify>,
}

impl Jobs {
    /// Creates a job, or returns the one that the same request created before.
    pub(crate) async fn create(&self, create: Create, tenant: String) -> Result<Job, Error> {
        if let Some(request_id) = &create.request_id
            && let Some(job) = self.store.created_by(request_id).await?
        {
            return Ok(job);
        }
        if let Some(id) = &create.id
            && self.store.get(id).await.is_ok()
        {
            return Err(Error::JobExists(id.to_string()));
        }
        let mut resolved = self.resolver.resolve(&create.spec).await?;
        if resolved.data_digests().contains(&resolved.validation_dataset_digest) {
            let message =
                "is the data that is trained on; hold out other rows, or set validation_split instead";
            return Err(Error::invalid("spec.validation_dataset", message));
        }
        resolved.optimizer_digest = self.store.optimizer_state(&create.spec, &resolved).await?;
        let id = create.id.unwrap_or_else(JobId::fresh);
        if create.validate_only {
            return Ok(Job::unsaved(id, create.written, resolved));
        }
        let new = NewJob {
            id,
            request_id: create.request_id,
            save_total_limit: create.spec.arguments.save_total_limit,
            spec: create.written,
            resolved,
            traceparent: traceparent(),
            tenant,
            priority: create.spec.priority,
        };
        match self.store.create(new, self.room).await? {
            Created::Before(job) => Ok(job),
            Created::New(job) => {
                tracing::info!(job = %job.id, "training job created");
                self.metrics.created.inc();
                self.supervisor.notify_one();
                Ok(job)
            }
        }
    }

    pub(crate) async fn get(&self, id: &JobId) -> Result<Job, Error> {
        self.store.get(id).await
    }

    /// A page of jobs and the token of the next one; empty at the end.
    pub(crate) async fn list(&self, page: Page) -> Result<(Vec<Job>, String), Error> {
        let (mut jobs, mut more) = self.store.list(page).await?;
        let fitting = fitting(&jobs);
        more |= fitting < jobs.len();
        jobs.truncate(fitting);
        let next = jobs.last().filter(|_| more).map(|job| job.number.to_string()).unwrap_or_default();
        Ok((jobs, next))
    }

    /// Ends a job at once; its worker is told, and killed if it doesn't stop.
    pub(crate) async fn cancel(&self, id: &JobId) -> Result<Job, Error> {
        let job = self.store.cancel(id).await?;
        tracing::info!(job = %id, "training job cancelled");
        self.metrics.job_ended(State::Cancelled);
        self.bells.ring(id);
        self.leases.cancel(id);
        self.janitor.notify_one();
        Ok(job)
    }

    /// Brings a job to rest; its worker hears of it with its next heartbeat.
    pub(crate) async fn pause(&self, id: &JobId) -> Result<Job, Error> {
        let job = self.store.pause(id).await?;
        tracing::info!(job = %id, state = job.state.name(), "training job to be paused");
        self.bells.ring(id);
        Ok(job)
    }

    /// Queues a job again that rests, if all that it needs is still there.
    pub(crate) async fn resume(&self, id: &JobId) -> Result<Job, Error> {
        let paused = self.store.get(id).await?;
        if paused.state == State::Paused {
            let begins = !self.store.has_state(paused.number).await?;
            let needed = match paused.result_digest.is_empty() {
                true => paused.resolved.to_train(begins),
                false => paused.resolved.to_publish(),
            };
            if let Some(missing) = self.resolver.missing(&needed).await? {
                let problem = format!(
                    "needs {missing}, which is not in the store any more; put it back, or cancel the job"
                );
                return Err(Error::wrong_state(id, problem));
            }
        }
        let job = self.store.resume(id, self.room).await?;
        tracing::info!(job = %id, "training job resumed");
        self.bells.ring(id);
        self.supervisor.notify_one();
        Ok(job)
    }

    /// Forgets a job that has ended.
    pub(crate) async fn delete(&self, id: &JobId) -> Result<(), Error> {
        self.store.delete(id).await?;
        self.bells.ring(id);
        self.janitor.notify_one();
        Ok(())
    }

    /// A worker takes its job.
    pub(crate) async fn lease(&self, id: &JobId, token: &str) -> Result<Lease, Error> {
        let lease = self.store.lease(id, token).await?;
        self.leases.heard(id);
        self.bells.ring(id);
        Ok(lease)
    }

    /// A worker lives; tells what it shall do.
    pub(crate) async fn heartbeat(&self, id: &JobId, token: &str) -> Result<Wish, Error> {
        let wish = self.store.heartbeat(id, token).await?;
        self.leases.heard(id);
        Ok(wish)
    }

    /// A worker reports.
    pub(crate) async fn report(&self, id: &JobId, token: &str, report: Report) -> Result<(), Error> {
        let reported = self.store.report(id, token, report).await?;
        self.leases.heard(id);
        self.metrics.events.inc_by(reported.appended as u64);
        if let Some(state) = reported.ended {
            tracing::info!(job = %id, state = state.name(), "training job ended");
            self.metrics.job_ended(state);
        }
        if reported.discarded {
            self.janitor.notify_one();
        }
        self.bells.ring(id);
        Ok(())
    }
}

/// What a job's publication takes of a message.
fn publication(job: &Job) -> usize {
    job.publication.as_ref().map_or(0, Message::encoded_len)
}

/// How many of the jobs fit into one message; one always does.
fn fitting(jobs: &[Job]) -> usize {
    let mut bytes = 0;
    let fits = |job: &&Job| {
        bytes += job.spec.encoded_len() + publication(job) + job.error.len() + JOB_MARGIN;
        bytes <= MAX_MESSAGE_BYTES
    };
    jobs.iter().take_while(fits).count().max(1)
}

/// The trace of the call that creates the job: its worker continues it.
fn traceparent() -> String {
    let env = trace::child_env();
    let found = env.into_iter().find(|(name, _)| name == trace::TRACEPARENT_ENV);
    found.map(|(_, value)| value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert::tests::supervised, store::Resolved};

    #[test]
    fn a_page_ends_where_a_message_does_and_holds_one_job_at_least() {
        let job = |error: usize| {
            let mut job = Job::unsaved(JobId::fresh(), supervised(), Resolved::default());
            job.error = "x".repeat(error);
            job
        };
        assert_eq!(fitting(&[job(0), job(0)]), 2);
        assert_eq!(fitting(&[job(0), job(MAX_MESSAGE_BYTES), job(0)]), 1);
        assert_eq!(fitting(&[job(MAX_MESSAGE_BYTES), job(0)]), 1);
    }
}
