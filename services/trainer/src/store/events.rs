//! The event log of each job: append in the transaction of the change, read on from any event.

use prost::Message;
use rootstock_proto::training::v1::{self as proto, training_event::Event};
use sqlx::Row;

use super::{Job, State, Store, Write, now_micros, rows::decode};
use crate::{convert::timestamp, error::Error, names::JobId};

/// A piece of a job's log.
#[derive(Debug)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<proto::TrainingEvent>,
    /// No event can follow: the job has ended, and these are its last.
    pub(crate) complete: bool,
}

impl Store {
    /// The events after `after`, at most `limit`.
    pub(crate) async fn events(&self, id: &JobId, after: i64, limit: u32) -> Result<EventPage, Error> {
        // The state is read before the events: if it says that the job has ended, its last event is there.
        let job = self.get(id).await?;
        let rows = sqlx::query(
            "SELECT event_id, time_micros, event FROM events WHERE job = ? AND event_id > ? ORDER BY event_id LIMIT ?",
        )
        .bind(job.number)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let bytes: Vec<u8> = row.try_get("event")?;
            let mut event: proto::TrainingEvent = decode("event", &bytes)?;
            event.event_id = row.try_get("event_id")?;
            event.time = Some(timestamp(row.try_get("time_micros")?));
            events.push(event);
        }
        let last = events.last().map_or(after, |event| event.event_id);
        Ok(EventPage { events, complete: job.state.has_ended() && last >= job.last_event })
    }
}

/// Appends an event to the job's log.
pub(super) async fn append(write: &mut Write, job: &mut Job, event: Event) -> Result<(), Error> {
    job.last_event += 1;
    let message = proto::TrainingEvent { event: Some(event), ..Default::default() };
    sqlx::query("INSERT INTO events (job, event_id, time_micros, event) VALUES (?, ?, ?, ?)")
        .bind(job.number)
        .bind(job.last_event)
        .bind(now_micros())
        .bind(message.encode_to_vec())
        .execute(&mut **write)
        .await?;
    sqlx::query("UPDATE jobs SET last_event = ? WHERE number = ?")
        .bind(job.last_event)
        .bind(job.number)
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// Moves the job to `state` and appends the event that tells so.
pub(super) async fn change_state(
    write: &mut Write,
    job: &mut Job,
    state: State,
    message: &str,
) -> Result<(), Error> {
    job.state = state;
    if state != State::Queued {
        job.queue_position = 0;
    }
    if state.has_ended() {
        job.end_micros = Some(now_micros());
    }
    // Only a job that succeeds leaves something published.
    job.withdraw = matches!(state, State::Failed | State::Cancelled)
        && job.spec.publication.is_some()
        && !job.result_digest.is_empty();
    sqlx::query(
        "UPDATE jobs SET state = ?, end_micros = ?, result_digest = ?, error = ?, withdraw = ? WHERE number = ?",
    )
        .bind(state.code())
        .bind(job.end_micros)
        .bind(&job.result_digest)
        .bind(&job.error)
        .bind(job.withdraw)
        .bind(job.number)
        .execute(&mut **write)
        .await?;
    let change = proto::TrainingStateChange {
        state: proto::TrainingJobState::from(state).into(),
        message: message.to_owned(),
    };
    append(write, job, Event::StateChange(change)).await
}
