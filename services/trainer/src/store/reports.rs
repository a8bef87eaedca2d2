//! What a worker reports: appended once each, in order, however often it is sent.

use prost::Message;
use rootstock_proto::training::v1::{self as proto, training_event::Event};

use super::{
    Job, State, Store, Write,
    events::{append, change_state},
    leases::held,
    saved,
};
use crate::{
    convert::{Outcome, Report},
    error::Error,
    names::JobId,
};

/// What a report changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    /// Events that were new.
    pub(crate) appended: usize,
    /// Where the job stands, if the report ended it.
    pub(crate) ended: Option<State>,
    /// Saved states were put on the list of those to delete.
    pub(crate) discarded: bool,
}

impl Store {
    /// Appends what is new in a report.
    pub(crate) async fn report(&self, id: &JobId, token: &str, report: Report) -> Result<Reported, Error> {
        let mut write = self.write().await?;
        let mut job = held(&mut write, id, token).await?;
        if !matches!(job.state, State::Running | State::Pausing) {
            return repeated(&job, &report).ok_or_else(|| Error::LeaseLost(id.to_string()));
        }
        if report.first_sequence > job.last_sequence + 1 {
            let message = format!("is {}, but {} comes next", report.first_sequence, job.last_sequence + 1);
            return Err(Error::invalid("first_sequence", message));
        }
        let mut reported = Reported::default();
        let seen = usize::try_from(job.last_sequence + 1 - report.first_sequence).unwrap_or(0);
        for event in report.events.into_iter().skip(seen) {
            reported.discarded |= take_in(&mut write, &mut job, event).await?;
            reported.appended += 1;
        }
        job.last_sequence += i64::try_from(reported.appended).unwrap_or(0);
        store_progress(&mut write, &job).await?;
        if let Some(outcome) = report.outcome {
            reported.ended = Some(end(&mut write, &mut job, outcome).await?);
        }
        write.commit().await?;
        Ok(reported)
    }
}

/// The answer to a last report that comes again because its first answer was lost.
fn repeated(job: &Job, report: &Report) -> Option<Reported> {
    let same = match (report.outcome.as_ref()?, job.state) {
        (Outcome::Succeeded { result_digest }, State::Succeeded) => *result_digest == job.result_digest,
        (Outcome::Failed { error }, State::Failed) => *error == job.error,
        _ => false,
    };
    same.then(Reported::default)
}

/// Appends one event and does what it means; tells whether saved states were discarded.
async fn take_in(write: &mut Write, job: &mut Job, event: Event) -> Result<bool, Error> {
    let mut discarded = false;
    match &event {
        Event::Progress(progress) => {
            let eval_loss = progress.eval_loss.or(job.progress.and_then(|before| before.eval_loss));
            job.progress = Some(proto::TrainingProgress { eval_loss, ..*progress });
        }
        Event::Evaluated(evaluated) => {
            job.progress.get_or_insert_default().eval_loss = Some(evaluated.eval_loss);
        }
        Event::StateSaved(state) => {
            discarded = saved::insert(write, job.number, state.step, &state.digest).await?;
            job.stalled = 0;
            discarded |= saved::keep_newest(write, job.number, job.save_total_limit).await?;
        }
        Event::DataReady(ready) => job.data_ready = Some(ready.clone()),
        Event::ResultStored(stored) => {
            job.result_digest.clone_from(&stored.digest);
            job.stalled = 0;
        }
        Event::Publication(result) => job.publication = Some(result.clone()),
        Event::Resumed(_) | Event::StateChange(_) | Event::PhaseChange(_) | Event::StageChange(_) => {}
    }
    append(write, job, event).await?;
    Ok(discarded)
}

async fn store_progress(write: &mut Write, job: &Job) -> Result<(), Error> {
    sqlx::query(
        "UPDATE jobs SET last_sequence = ?, progress = ?, data_ready = ?, stalled = ?, result_digest = ?, publication = ?
         WHERE number = ?",
    )
    .bind(job.last_sequence)
    .bind(job.progress.map(|progress| progress.encode_to_vec()))
    .bind(job.data_ready.as_ref().map(Message::encode_to_vec))
    .bind(job.stalled)
    .bind(&job.result_digest)
    .bind(job.publication.as_ref().map(Message::encode_to_vec))
    .bind(job.number)
    .execute(&mut **write)
    .await?;
    Ok(())
}

async fn end(write: &mut Write, job: &mut Job, outcome: Outcome) -> Result<State, Error> {
    let (state, message) = match outcome {
        Outcome::Succeeded { result_digest } => {
            job.result_digest = result_digest;
            (State::Succeeded, String::new())
        }
        Outcome::Failed { error } => {
            job.error = error.clone();
            (State::Failed, error)
        }
    };
    change_state(write, job, state, &message).await?;
    Ok(state)
}
