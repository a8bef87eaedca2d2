//! Creating, reading, cancelling and forgetting jobs.

use prost::Message;
use rootstock_proto::training::v1 as proto;
use sqlx::Row;

use super::{Job, Resolved, State, Store, Write, events::change_state, now_micros, saved};
use crate::{convert::Page, error::Error, names::JobId};

/// A job to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    pub(crate) request_id: Option<String>,
    pub(crate) spec: proto::TrainingSpec,
    pub(crate) resolved: Resolved,
    pub(crate) traceparent: String,
    pub(crate) save_total_limit: usize,
}

/// What became of a job to be created.
#[derive(Debug)]
pub(crate) enum Created {
    New(Job),
    /// The same request made it before.
    Before(Job),
}

impl Store {
    /// Stores a job and queues it, unless `max_queued` wait already.
    pub(crate) async fn create(&self, new: NewJob, max_queued: u32) -> Result<Created, Error> {
        let mut write = self.write().await?;
        if let Some(job) = by_request(&mut write, new.request_id.as_deref()).await? {
            return Ok(Created::Before(job));
        }
        if find(&mut write, &new.id).await?.is_some() {
            return Err(Error::JobExists(new.id.to_string()));
        }
        let queued: i64 = sqlx::query("SELECT COUNT(*) FROM jobs WHERE state = ?")
            .bind(State::Queued.code())
            .fetch_one(&mut *write)
            .await?
            .try_get(0)?;
        if queued >= i64::from(max_queued) {
            return Err(Error::QueueFull { limit: max_queued });
        }
        insert(&mut write, &new).await?;
        let mut job = find(&mut write, &new.id).await?.ok_or_else(|| Error::no_job(&new.id))?;
        change_state(&mut write, &mut job, State::Queued, "").await?;
        write.commit().await?;
        Ok(Created::New(job))
    }

    /// The job that a request created before.
    pub(crate) async fn created_by(&self, request_id: &str) -> Result<Option<Job>, Error> {
        let row = sqlx::query("SELECT * FROM jobs WHERE request_id = ?").bind(request_id);
        row.fetch_optional(&self.pool).await?.as_ref().map(Job::try_from).transpose()
    }

    /// One job.
    pub(crate) async fn get(&self, id: &JobId) -> Result<Job, Error> {
        let row = sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id.as_str());
        let row = row.fetch_optional(&self.pool).await?.ok_or_else(|| Error::no_job(id))?;
        Job::try_from(&row)
    }

    /// A page of jobs, newest first, and whether more follow.
    pub(crate) async fn list(&self, page: Page) -> Result<(Vec<Job>, bool), Error> {
        let size = page.size as usize;
        let rows = sqlx::query("SELECT * FROM jobs WHERE number < ? ORDER BY number DESC LIMIT ?")
            .bind(page.before.unwrap_or(i64::MAX))
            .bind(i64::from(page.size) + 1)
            .fetch_all(&self.pool)
            .await?;
        let jobs = rows.iter().take(size).map(Job::try_from).collect::<Result<_, _>>()?;
        Ok((jobs, rows.len() > size))
    }

    /// Ends a job that has not ended.
    pub(crate) async fn cancel(&self, id: &JobId) -> Result<Job, Error> {
        let mut write = self.write().await?;
        let mut job = find(&mut write, id).await?.ok_or_else(|| Error::no_job(id))?;
        if job.state.has_ended() {
            let problem = format!("has ended already ({}), so it can't be cancelled", job.state.name());
            return Err(Error::wrong_state(id, problem));
        }
        change_state(&mut write, &mut job, State::Cancelled, "").await?;
        write.commit().await?;
        Ok(job)
    }

    /// Forgets a job that has ended, with its events; its saved states are put on the list of those to delete.
    pub(crate) async fn delete(&self, id: &JobId) -> Result<(), Error> {
        let mut write = self.write().await?;
        let job = find(&mut write, id).await?.ok_or_else(|| Error::no_job(id))?;
        if !job.state.has_ended() {
            let problem = format!("is {}; cancel it first", job.state.name());
            return Err(Error::wrong_state(id, problem));
        }
        saved::keep_newest(&mut write, job.number, 0).await?;
        sqlx::query("DELETE FROM jobs WHERE number = ?").bind(job.number).execute(&mut *write).await?;
        write.commit().await?;
        Ok(())
    }
}

/// A job, read in the transaction that is going to change it.
pub(super) async fn find(write: &mut Write, id: &JobId) -> Result<Option<Job>, Error> {
    let row = sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id.as_str());
    row.fetch_optional(&mut **write).await?.as_ref().map(Job::try_from).transpose()
}

async fn by_request(write: &mut Write, request_id: Option<&str>) -> Result<Option<Job>, Error> {
    let Some(request_id) = request_id else { return Ok(None) };
    let row = sqlx::query("SELECT * FROM jobs WHERE request_id = ?").bind(request_id);
    row.fetch_optional(&mut **write).await?.as_ref().map(Job::try_from).transpose()
}

async fn insert(write: &mut Write, new: &NewJob) -> Result<(), Error> {
    let limit = i64::try_from(new.save_total_limit).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO jobs (id, request_id, spec, dataset_digest, validation_dataset_digest, base_digest, adapter_digest, fisher_digest, \
         replay_digest, retention_digest, tokenizer_artifact_digest, tokenizer_digest, traceparent, save_total_limit, state, create_micros) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.id.as_str())
    .bind(&new.request_id)
    .bind(new.spec.encode_to_vec())
    .bind(&new.resolved.dataset_digest)
    .bind(&new.resolved.validation_dataset_digest)
    .bind(&new.resolved.base_digest)
    .bind(&new.resolved.adapter_digest)
    .bind(&new.resolved.fisher_digest)
    .bind(&new.resolved.replay_digest)
    .bind(&new.resolved.retention_digest)
    .bind(&new.resolved.tokenizer_artifact_digest)
    .bind(&new.resolved.tokenizer_digest)
    .bind(&new.traceparent)
    .bind(limit)
    .bind(State::Queued.code())
    .bind(now_micros())
    .execute(&mut **write)
    .await?;
    Ok(())
}
