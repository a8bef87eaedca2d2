//! The job store: one SQLite database in which each change of a job and the event that tells of it are one transaction.

mod events;
mod evidence;
mod jobs;
mod leases;
mod reports;
mod rows;
mod saved;
mod withdrawals;

use std::{path::Path, time::SystemTime};

use rootstock_proto::training::v1 as proto;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{error::Error, names::JobId};

pub(crate) use jobs::{Created, NewJob, Room};
pub(crate) use leases::{Claim, Lease, Release, Released, Wish};

/// Connections to the database: one writes at a time, the others read meanwhile.
const MAX_CONNECTIONS: u32 = 8;
/// How long a writer waits for the one before it.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued = 1,
    Running = 2,
    Succeeded = 3,
    Failed = 4,
    Cancelled = 5,
    Paused = 6,
    Pausing = 7,
}

impl State {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Pausing => "pausing",
        }
    }
}

/// The artifacts that a job's names stood for when it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Empty for a mix or stages.
    pub(crate) dataset_digest: String,
    /// One for each data set of a mix, or of all stages.
    pub(crate) mix_digests: Vec<String>,
    /// Empty where there is none.
    pub(crate) validation_dataset_digest: String,
    /// Empty where there is none.
    pub(crate) base_digest: String,
    /// Empty where there is none.
    pub(crate) adapter_digest: String,
    /// Empty where there is none.
    pub(crate) fisher_digest: String,
    /// Empty where there is none.
    pub(crate) replay_digest: String,
    /// Empty where there is none.
    pub(crate) retention_digest: String,
    /// The state whose optimizer is gone on with. Empty where there is none.
    pub(crate) optimizer_digest: String,
    /// What the result is evaluated on before it is published; empty where it is not.
    pub(crate) publication_digest: String,
    pub(crate) tokenizer_artifact_digest: String,
    pub(crate) tokenizer_digest: String,
}

impl Resolved {
    /// The data set that is trained on, or those of the mix.
    pub(crate) fn data_digests(&self) -> &[String] {
        if self.mix_digests.is_empty() {
            std::slice::from_ref(&self.dataset_digest)
        } else {
            &self.mix_digests
        }
    }

    /// What training is made from, and what each is to the job; the optimizer's state only where the job begins.
    pub(crate) fn to_train(&self, begins: bool) -> Vec<(&'static str, &str)> {
        let data = self.data_digests().iter().map(|digest| ("data set", digest));
        let others = [
            ("validation data set", &self.validation_dataset_digest),
            ("replayed data set", &self.replay_digest),
            ("data set of its retention", &self.retention_digest),
            ("base adapter", &self.adapter_digest),
            ("Fisher information", &self.fisher_digest),
            ("tokenizer", &self.tokenizer_artifact_digest),
        ];
        let optimizer = begins.then_some(("optimizer's state", &self.optimizer_digest));
        let all = data.chain(others).chain(optimizer).map(|(what, digest)| (what, digest.as_str()));
        all.filter(|(_, digest)| !digest.is_empty()).chain(self.to_publish()).collect()
    }

    /// What a result is published with.
    pub(crate) fn to_publish(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("base model", self.base_digest.as_str()),
            ("data set of its publication", self.publication_digest.as_str()),
        ];
        all.into_iter().filter(|(_, digest)| !digest.is_empty()).collect()
    }
}

/// A job as stored.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Counts the jobs; decides the order of the queue and of lists.
    pub(crate) number: i64,
    pub(crate) id: JobId,
    pub(crate) spec: proto::TrainingSpec,
    pub(crate) resolved: Resolved,
    pub(crate) traceparent: String,
    pub(crate) state: State,
    pub(crate) progress: Option<proto::TrainingProgress>,
    pub(crate) data_ready: Option<proto::TrainingDataReady>,
    /// Of the result, once it is stored.
    pub(crate) result_digest: String,
    pub(crate) publication: Option<proto::PublicationResult>,
    /// What it published is to be taken back.
    pub(crate) withdraw: bool,
    pub(crate) error: String,
    pub(crate) create_micros: i64,
    pub(crate) start_micros: Option<i64>,
    pub(crate) end_micros: Option<i64>,
    pub(crate) attempts: i64,
    pub(crate) stalled: i64,
    pub(crate) save_total_limit: i64,
    /// Its place among the jobs that wait, from 1; 0 when it doesn't.
    pub(crate) queue_position: i64,
    tenant: String,
    lease_hash: String,
    last_sequence: i64,
    last_event: i64,
}

impl Job {
    /// A job as it would be stored.
    pub(crate) fn unsaved(id: JobId, spec: proto::TrainingSpec, resolved: Resolved) -> Self {
        Self {
            number: 0,
            id,
            spec,
            resolved,
            traceparent: String::new(),
            state: State::Queued,
            progress: None,
            data_ready: None,
            result_digest: String::new(),
            publication: None,
            withdraw: false,
            error: String::new(),
            create_micros: now_micros(),
            start_micros: None,
            end_micros: None,
            attempts: 0,
            stalled: 0,
            save_total_limit: 0,
            queue_position: 0,
            tenant: String::new(),
            lease_hash: String::new(),
            last_sequence: 0,
            last_event: 0,
        }
    }

    /// Whether `token` is that of the worker which was started last for the job.
    fn is_leased_to(&self, token: &str) -> bool {
        !self.lease_hash.is_empty() && self.lease_hash == leases::hash(token)
    }
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

type Write = Transaction<'static, Sqlite>;

impl Store {
    /// Opens the database, makes it if need be, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).connect_with(options).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Closes the database once all work on it is done.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction that writes; it waits here for the writer before it, and never fails halfway for that.
    async fn write(&self) -> Result<Write, Error> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
