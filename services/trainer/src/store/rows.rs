//! From database rows to what they mean.

use prost::Message;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Job, Resolved, State};
use crate::{error::Error, names::JobId};

/// Reads jobs, each with its place among those that wait: state 1 is QUEUED.
macro_rules! select_jobs {
    ($which:literal) => {
        concat!(
            "SELECT jobs.*, CASE state WHEN 1 THEN (SELECT COUNT(*) FROM jobs AS before WHERE before.state = 1 \
             AND (before.priority, before.number) <= (jobs.priority, jobs.number)) ELSE 0 END AS queue_position \
             FROM jobs ",
            $which
        )
    };
}
pub(super) use select_jobs;

impl TryFrom<&SqliteRow> for Job {
    type Error = Error;

    fn try_from(row: &SqliteRow) -> Result<Self, Error> {
        let id: String = row.try_get("id")?;
        let spec: Vec<u8> = row.try_get("spec")?;
        let progress: Option<Vec<u8>> = row.try_get("progress")?;
        let data_ready: Option<Vec<u8>> = row.try_get("data_ready")?;
        let publication: Option<Vec<u8>> = row.try_get("publication")?;
        Ok(Self {
            number: row.try_get("number")?,
            spec: decode("spec", &spec)?,
            progress: progress.map(|bytes| decode("progress", &bytes)).transpose()?,
            data_ready: data_ready.map(|bytes| decode("data_ready", &bytes)).transpose()?,
            resolved: resolved(row)?,
            traceparent: row.try_get("traceparent")?,
            state: State::from_code(row.try_get("state")?)?,
            result_digest: row.try_get("result_digest")?,
            publication: publication.map(|bytes| decode("publication", &bytes)).transpose()?,
            withdraw: row.try_get("withdraw")?,
            error: row.try_get("error")?,
            create_micros: row.try_get("create_micros")?,
            start_micros: row.try_get("start_micros")?,
            end_micros: row.try_get("end_micros")?,
            attempts: row.try_get("attempts")?,
            stalled: row.try_get("stalled")?,
            save_total_limit: row.try_get("save_total_limit")?,
            queue_position: row.try_get("queue_position")?,
            tenant: row.try_get("tenant")?,
            lease_hash: row.try_get("lease_hash")?,
            last_sequence: row.try_get("last_sequence")?,
            last_event: row.try_get("last_event")?,
            id: JobId::parse(&id).ok_or_else(|| Error::Record(format!("job id {id:?}")))?,
        })
    }
}

/// What stands between the digests of a mix.
pub(super) const DIGESTS_APART: &str = " ";

fn resolved(row: &SqliteRow) -> Result<Resolved, Error> {
    let mix_digests: String = row.try_get("mix_digests")?;
    Ok(Resolved {
        dataset_digest: row.try_get("dataset_digest")?,
        mix_digests: mix_digests.split_terminator(DIGESTS_APART).map(str::to_owned).collect(),
        validation_dataset_digest: row.try_get("validation_dataset_digest")?,
        base_digest: row.try_get("base_digest")?,
        adapter_digest: row.try_get("adapter_digest")?,
        fisher_digest: row.try_get("fisher_digest")?,
        replay_digest: row.try_get("replay_digest")?,
        retention_digest: row.try_get("retention_digest")?,
        optimizer_digest: row.try_get("optimizer_digest")?,
        publication_digest: row.try_get("publication_digest")?,
        tokenizer_artifact_digest: row.try_get("tokenizer_artifact_digest")?,
        tokenizer_digest: row.try_get("tokenizer_digest")?,
    })
}

/// Decodes a message that this service encoded.
pub(super) fn decode<M: Message + Default>(what: &str, bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(|error| Error::Record(format!("{what}: {error}")))
}

impl State {
    /// The number that stands for the state in the database.
    pub(super) fn code(self) -> i64 {
        self as i64
    }

    fn from_code(code: i64) -> Result<Self, Error> {
        let states = [
            Self::Queued,
            Self::Running,
            Self::Succeeded,
            Self::Failed,
            Self::Cancelled,
            Self::Paused,
            Self::Pausing,
        ];
        let found = states.into_iter().find(|state| state.code() == code);
        found.ok_or_else(|| Error::Record(format!("job state {code}")))
    }
}
