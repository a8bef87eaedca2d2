//! Which worker may compute a job: claimed for a worker about to be started, leased when it comes, released when it is gone.

use std::time::Duration;

use rootstock_artifacts::Digest;

use super::{
    Job, State, Store, Write, events::change_state, jobs::find, now_micros, rows::select_jobs, saved,
};
use crate::{error::Error, names::JobId};

/// Longest time that a job waits after a crash.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);

/// A queued job for which a worker is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) id: JobId,
    pub(crate) traceparent: String,
    /// Workers started since a state was last saved, this one included.
    pub(crate) stalled: i64,
}

/// What a worker needs to begin.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) job: Job,
    /// The newest saved state: its step and its digest.
    pub(crate) resume: Option<(i64, String)>,
}

/// What became of a job whose worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// It had ended, or belongs to another worker already.
    NotHeld,
    Requeued,
    /// It was to be paused.
    Paused,
    Failed,
}

/// What is wanted of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Work,
    /// The job is to be paused.
    Rest,
    /// The job was cancelled.
    End,
}

/// How a job is treated whose worker is gone.
#[derive(Clone, Debug)]
pub(crate) struct Release<'a> {
    /// Why, for the job's log.
    pub(crate) message: &'a str,
    /// Workers that may be started without a state being saved.
    pub(crate) max_stalled: i64,
    /// How long the next one waits; it doubles with each worker lost without progress.
    pub(crate) retry_delay: Duration,
    /// The worker did nothing wrong: it doesn't count.
    pub(crate) blameless: bool,
}

/// What is stored of a token: whoever reads the database can't act as a worker, and comparing it tells nothing by time.
pub(super) fn hash(token: &str) -> String {
    Digest::of(token.as_bytes()).to_string()
}

impl Store {
    /// After a restart no lease is good any more: what ran is queued again, and a worker that still lives is refused.
    pub(crate) async fn recover(&self) -> Result<Vec<JobId>, Error> {
        let mut write = self.write().await?;
        let mut requeued = Vec::new();
        for mut job in in_state(&mut write, State::Running).await? {
            change_state(&mut write, &mut job, State::Queued, "the server was restarted").await?;
            requeued.push(job.id);
        }
        for mut job in in_state(&mut write, State::Pausing).await? {
            change_state(&mut write, &mut job, State::Paused, "the server was restarted").await?;
        }
        sqlx::query(
            "UPDATE jobs SET lease_hash = '', not_before_micros = 0 WHERE state IN (?, ?) OR withdraw = 1",
        )
        .bind(State::Queued.code())
        .bind(State::Paused.code())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(requeued)
    }

    /// Takes the first queued job that may start and gives it to whoever has `token`. No tenant has more than `most_of_tenant` workers.
    pub(crate) async fn claim(&self, token: &str, most_of_tenant: u32) -> Result<Option<Claim>, Error> {
        let mut write = self.write().await?;
        let row = sqlx::query(select_jobs!(
            "WHERE state = ?1 AND lease_hash = '' AND not_before_micros <= ?2 AND (SELECT COUNT(*) FROM jobs AS held \
             WHERE held.state IN (?1, ?3, ?4) AND held.lease_hash <> '' AND held.tenant = jobs.tenant) < ?5 \
             ORDER BY priority, number LIMIT 1"
        ))
        .bind(State::Queued.code())
        .bind(now_micros())
        .bind(State::Running.code())
        .bind(State::Pausing.code())
        .bind(most_of_tenant)
        .fetch_optional(&mut *write)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let job = Job::try_from(&row)?;
        sqlx::query(
            "UPDATE jobs SET lease_hash = ?, last_sequence = 0, stalled = stalled + 1 WHERE number = ?",
        )
        .bind(hash(token))
        .bind(job.number)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(Some(Claim { id: job.id, traceparent: job.traceparent, stalled: job.stalled + 1 }))
    }

    /// The worker has come. Asking again with the same token gives the same answer.
    pub(crate) async fn lease(&self, id: &JobId, token: &str) -> Result<Lease, Error> {
        let mut write = self.write().await?;
        let mut job = held(&mut write, id, token).await?;
        match job.state {
            State::Running => {}
            State::Queued => begin(&mut write, &mut job).await?,
            State::Pausing => return Err(Error::wrong_state(id, "is to be paused")),
            ended => return Err(Error::wrong_state(id, format!("has {}", ended.name()))),
        }
        let resume = saved::newest(&mut *write, job.number).await?;
        write.commit().await?;
        Ok(Lease { job, resume })
    }

    /// What the worker shall do.
    pub(crate) async fn heartbeat(&self, id: &JobId, token: &str) -> Result<Wish, Error> {
        let job = self.get(id).await?;
        match job.state {
            _ if !job.is_leased_to(token) => Err(Error::LeaseLost(id.to_string())),
            State::Cancelled => Ok(Wish::End),
            State::Running => Ok(Wish::Work),
            State::Pausing => Ok(Wish::Rest),
            _ => Err(Error::LeaseLost(id.to_string())),
        }
    }

    /// The worker with `token` is gone. Its job, if it has not ended, rests where that was wanted; otherwise it is queued again, or fails
    /// when too many workers were lost without progress.
    pub(crate) async fn release(&self, id: &JobId, token: &str, how: Release<'_>) -> Result<Released, Error> {
        let mut write = self.write().await?;
        let job = find(&mut write, id).await?.filter(|job| job.is_leased_to(token));
        let Some(mut job) = job else { return Ok(Released::NotHeld) };
        if job.state.has_ended() {
            end_lease(&mut write, &job).await?;
            write.commit().await?;
            return Ok(Released::NotHeld);
        }
        let stalled = job.stalled - i64::from(how.blameless);
        let released = if job.state == State::Pausing {
            change_state(&mut write, &mut job, State::Paused, "").await?;
            Released::Paused
        } else if stalled >= how.max_stalled {
            job.error =
                format!("{} workers were lost without progress; the last one: {}", stalled, how.message);
            let message = job.error.clone();
            change_state(&mut write, &mut job, State::Failed, &message).await?;
            Released::Failed
        } else {
            change_state(&mut write, &mut job, State::Queued, how.message).await?;
            Released::Requeued
        };
        let delay = if how.blameless { Duration::ZERO } else { retry_delay(how.retry_delay, stalled) };
        sqlx::query("UPDATE jobs SET lease_hash = '', stalled = ?, not_before_micros = ? WHERE number = ?")
            .bind(stalled)
            .bind(now_micros().saturating_add(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX)))
            .bind(job.number)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(released)
    }
}

/// From here on nobody works on the job.
async fn end_lease(write: &mut Write, job: &Job) -> Result<(), Error> {
    sqlx::query("UPDATE jobs SET lease_hash = '' WHERE number = ?")
        .bind(job.number)
        .execute(&mut **write)
        .await?;
    Ok(())
}

async fn in_state(write: &mut Write, state: State) -> Result<Vec<Job>, Error> {
    let rows = sqlx::query(select_jobs!("WHERE state = ?")).bind(state.code());
    rows.fetch_all(&mut **write).await?.iter().map(Job::try_from).collect()
}

fn retry_delay(first: Duration, stalled: i64) -> Duration {
    let doublings = u32::try_from(stalled.saturating_sub(1)).unwrap_or(0);
    first.saturating_mul(2_u32.saturating_pow(doublings)).min(MAX_RETRY_DELAY)
}

async fn begin(write: &mut Write, job: &mut Job) -> Result<(), Error> {
    job.attempts += 1;
    job.start_micros = job.start_micros.or_else(|| Some(now_micros()));
    sqlx::query("UPDATE jobs SET attempts = ?, start_micros = ? WHERE number = ?")
        .bind(job.attempts)
        .bind(job.start_micros)
        .bind(job.number)
        .execute(&mut **write)
        .await?;
    change_state(write, job, State::Running, "").await
}

/// The job, if the worker with `token` was the last one started for it.
pub(super) async fn held(write: &mut Write, id: &JobId, token: &str) -> Result<Job, Error> {
    let job = find(write, id).await?.ok_or_else(|| Error::no_job(id))?;
    if job.is_leased_to(token) { Ok(job) } else { Err(Error::LeaseLost(id.to_string())) }
}
