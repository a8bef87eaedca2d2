//! What is kept of a job's steps: its saved states, and what was reported.

use rootstock_proto::training::v1::{self as proto, training_event::Event};
use sqlx::Row;

use super::{Job, Lease, Store};
use crate::{convert::Verify, error::Error};

/// Events read at a time.
const PAGE: u32 = 1000;

impl Store {
    /// What a job's steps can be compared with when they are made again.
    pub(crate) async fn evidence(
        &self,
        job: Job,
        wanted: &Verify,
    ) -> Result<proto::VerificationOrder, Error> {
        let mut states = self.states(job.number).await?;
        let mut progress = Vec::new();
        let mut after = 0;
        loop {
            let page = self.events(&job.id, after, PAGE).await?;
            let Some(last) = page.events.last() else { break };
            after = last.event_id;
            for event in page.events.into_iter().filter_map(|event| event.event) {
                match event {
                    Event::Progress(report) => progress.push(report),
                    Event::StateSaved(saved) => {
                        let kept = states.iter_mut().find(|state| state.digest == saved.digest);
                        kept.into_iter().for_each(|kept| kept.chain_digest.clone_from(&saved.chain_digest));
                    }
                    _ => {}
                }
            }
        }
        let first = states.first().filter(|_| !wanted.from_beginning);
        let resume = first.map(|state| (state.step, state.digest.clone()));
        let first_step = resume.as_ref().map_or(0, |(step, _)| *step);
        progress.retain(|report| report.step > first_step);
        Ok(proto::VerificationOrder {
            result_digest: job.result_digest.clone(),
            lease: Some(Lease { job, resume }.into()),
            states,
            progress,
            max_steps: wanted.max_steps,
        })
    }

    /// The states that a job keeps, by step.
    async fn states(&self, job: i64) -> Result<Vec<proto::TrainingStateSaved>, Error> {
        let rows = sqlx::query("SELECT step, digest FROM saved_states WHERE job = ? ORDER BY step").bind(job);
        let rows = rows.fetch_all(&self.pool).await?;
        let state = |row: &sqlx::sqlite::SqliteRow| {
            let (step, digest) = (row.try_get("step")?, row.try_get("digest")?);
            Ok(proto::TrainingStateSaved { step, digest, chain_digest: String::new() })
        };
        rows.iter().map(state).collect()
    }
}
