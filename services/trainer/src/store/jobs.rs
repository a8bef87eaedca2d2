//! Creating, reading, cancelling, pausing and forgetting jobs.

use prost::Message;
use rootstock_proto::training::v1 as proto;
use sqlx::Row;

use super::{
    Job, Lease, Resolved, State, Store, Write,
    events::change_state,
    now_micros,
    rows::{DIGESTS_APART, select_jobs},
    saved,
};
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
    pub(crate) tenant: String,
    /// Lower numbers begin first.
    pub(crate) priority: i32,
}

/// How many jobs may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) queued: u32,
    /// Of one tenant.
    pub(crate) of_tenant: u32,
}

/// What became of a job to be created.
#[derive(Debug)]
pub(crate) enum Created {
    New(Job),
    /// The same request made it before.
    Before(Job),
}

impl Store {
    /// Stores a job and queues it, if there is room.
    pub(crate) async fn create(&self, new: NewJob, room: Room) -> Result<Created, Error> {
        let mut write = self.write().await?;
        if let Some(job) = by_request(&mut write, new.request_id.as_deref()).await? {
            return Ok(Created::Before(job));
        }
        if find(&mut write, &new.id).await?.is_some() {
            return Err(Error::JobExists(new.id.to_string()));
        }
        check_room(&mut write, room, &new.tenant).await?;
        insert(&mut write, &new).await?;
        // The job that saved it may have been deleted meanwhile.
        saved::retain(&mut write, &new.resolved.optimizer_digest).await?;
        let mut job = find(&mut write, &new.id).await?.ok_or_else(|| Error::no_job(&new.id))?;
        change_state(&mut write, &mut job, State::Queued, "").await?;
        write.commit().await?;
        Ok(Created::New(self.get(&new.id).await?))
    }

    /// The job that a request created before.
    pub(crate) async fn created_by(&self, request_id: &str) -> Result<Option<Job>, Error> {
        let row = sqlx::query(select_jobs!("WHERE request_id = ?")).bind(request_id);
        row.fetch_optional(&self.pool).await?.as_ref().map(Job::try_from).transpose()
    }

    /// One job.
    pub(crate) async fn get(&self, id: &JobId) -> Result<Job, Error> {
        let row = sqlx::query(select_jobs!("WHERE id = ?")).bind(id.as_str());
        let row = row.fetch_optional(&self.pool).await?.ok_or_else(|| Error::no_job(id))?;
        Job::try_from(&row)
    }

    /// The last job that made an artifact, and its newest state.
    pub(crate) async fn maker(&self, result_digest: &str) -> Result<Option<Lease>, Error> {
        let row = sqlx::query(select_jobs!("WHERE result_digest = ? ORDER BY number DESC LIMIT 1"));
        let Some(row) = row.bind(result_digest).fetch_optional(&self.pool).await? else { return Ok(None) };
        let job = Job::try_from(&row)?;
        let resume = saved::newest(&self.pool, job.number).await?;
        Ok(Some(Lease { job, resume }))
    }

    /// Whether a job has saved a state.
    pub(crate) async fn has_state(&self, number: i64) -> Result<bool, Error> {
        Ok(saved::newest(&self.pool, number).await?.is_some())
    }

    /// A page of jobs, newest first, and whether more follow.
    pub(crate) async fn list(&self, page: Page) -> Result<(Vec<Job>, bool), Error> {
        let size = page.size as usize;
        let rows = sqlx::query(select_jobs!("WHERE number < ? ORDER BY number DESC LIMIT ?"))
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

    /// Brings a job to rest: at once where no worker has it, and otherwise when its worker is gone.
    pub(crate) async fn pause(&self, id: &JobId) -> Result<Job, Error> {
        let mut write = self.write().await?;
        let mut job = find(&mut write, id).await?.ok_or_else(|| Error::no_job(id))?;
        let rest = match job.state {
            State::Paused | State::Pausing => return Ok(job),
            State::Queued if job.lease_hash.is_empty() => State::Paused,
            State::Queued | State::Running => State::Pausing,
            ended => {
                let problem = format!("has ended already ({}), so it can't be paused", ended.name());
                return Err(Error::wrong_state(id, problem));
            }
        };
        change_state(&mut write, &mut job, rest, "").await?;
        write.commit().await?;
        Ok(job)
    }

    /// Queues a job again that rests, in the place that it had; its next worker need not wait.
    pub(crate) async fn resume(&self, id: &JobId, room: Room) -> Result<Job, Error> {
        let mut write = self.write().await?;
        let mut job = find(&mut write, id).await?.ok_or_else(|| Error::no_job(id))?;
        if job.state != State::Paused {
            return Err(Error::wrong_state(id, format!("is {}, not paused", job.state.name())));
        }
        check_room(&mut write, room, &job.tenant).await?;
        sqlx::query("UPDATE jobs SET stalled = 0, not_before_micros = 0 WHERE number = ?")
            .bind(job.number)
            .execute(&mut *write)
            .await?;
        change_state(&mut write, &mut job, State::Queued, "").await?;
        write.commit().await?;
        self.get(id).await
    }

    /// Forgets a job that has ended, with its events; its saved states are put on the list of those to delete.
    pub(crate) async fn delete(&self, id: &JobId) -> Result<(), Error> {
        let mut write = self.write().await?;
        let job = find(&mut write, id).await?.ok_or_else(|| Error::no_job(id))?;
        if !job.state.has_ended() {
            let problem = format!("is {}; cancel it first", job.state.name());
            return Err(Error::wrong_state(id, problem));
        }
        if job.withdraw {
            return Err(Error::wrong_state(
                id,
                "takes back what it was about to publish; delete it a little later",
            ));
        }
        saved::keep_newest(&mut write, job.number, 0).await?;
        sqlx::query("DELETE FROM jobs WHERE number = ?").bind(job.number).execute(&mut *write).await?;
        saved::discard(&mut write, &job.resolved.optimizer_digest).await?;
        write.commit().await?;
        Ok(())
    }
}

/// A job, read in the transaction that is going to change it.
pub(super) async fn find(write: &mut Write, id: &JobId) -> Result<Option<Job>, Error> {
    let row = sqlx::query(select_jobs!("WHERE id = ?")).bind(id.as_str());
    row.fetch_optional(&mut **write).await?.as_ref().map(Job::try_from).transpose()
}

/// Refuses another job where as many wait as may.
async fn check_room(write: &mut Write, room: Room, tenant: &str) -> Result<(), Error> {
    let row = sqlx::query("SELECT COUNT(*), COUNT(*) FILTER (WHERE tenant = ?) FROM jobs WHERE state = ?")
        .bind(tenant)
        .bind(State::Queued.code())
        .fetch_one(&mut **write)
        .await?;
    let (queued, of_tenant): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if queued >= i64::from(room.queued) {
        return Err(Error::QueueFull { limit: room.queued });
    }
    if of_tenant >= i64::from(room.of_tenant) {
        return Err(Error::TenantQueueFull { limit: room.of_tenant });
    }
    Ok(())
}

async fn by_request(write: &mut Write, request_id: Option<&str>) -> Result<Option<Job>, Error> {
    let Some(request_id) = request_id else { return Ok(None) };
    let row = sqlx::query(select_jobs!("WHERE request_id = ?")).bind(request_id);
    row.fetch_optional(&mut **write).await?.as_ref().map(Job::try_from).transpose()
}

async fn insert(write: &mut Write, new: &NewJob) -> Result<(), Error> {
    let limit = i64::try_from(new.save_total_limit).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO jobs (id, request_id, spec, dataset_digest, validation_dataset_digest, base_digest, adapter_digest, \
         mix_digests, fisher_digest, replay_digest, retention_digest, publication_digest, optimizer_digest, tokenizer_artifact_digest, tokenizer_digest, traceparent, \
         save_total_limit, tenant, priority, state, create_micros) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.id.as_str())
    .bind(&new.request_id)
    .bind(new.spec.encode_to_vec())
    .bind(&new.resolved.dataset_digest)
    .bind(&new.resolved.validation_dataset_digest)
    .bind(&new.resolved.base_digest)
    .bind(&new.resolved.adapter_digest)
    .bind(new.resolved.mix_digests.join(DIGESTS_APART))
    .bind(&new.resolved.fisher_digest)
    .bind(&new.resolved.replay_digest)
    .bind(&new.resolved.retention_digest)
    .bind(&new.resolved.publication_digest)
    .bind(&new.resolved.optimizer_digest)
    .bind(&new.resolved.tokenizer_artifact_digest)
    .bind(&new.resolved.tokenizer_digest)
    .bind(&new.traceparent)
    .bind(limit)
    .bind(&new.tenant)
    .bind(new.priority)
    .bind(State::Queued.code())
    .bind(now_micros())
    .execute(&mut **write)
    .await?;
    Ok(())
}
