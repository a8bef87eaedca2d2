//! The evaluations on disk: one SQLite database, so that they outlive a restart.

mod record;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use rootstock_artifacts::Id;
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Evaluation, GateResult, Pinned, Spec, State, TargetResult, evaluation_name, runner::Found};
use crate::error::Error;
use record::Record;

/// Connections to the database: one writes at a time, the others read meanwhile.
const MAX_CONNECTIONS: u32 = 4;
/// How long a writer waits for the one before it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an evaluation may take the process down before it is given up: it would do so for ever, and nothing else
/// would be served.
pub(super) const MAX_CRASHES: u32 = 3;

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pool: SqlitePool,
    max_queued: u32,
}

/// An evaluation to be stored.
#[derive(Debug)]
pub(super) struct NewEvaluation {
    pub(super) id: Id,
    pub(super) request_id: Option<String>,
    pub(super) spec: Spec,
    pub(super) pinned: Pinned,
    pub(super) total_rows: usize,
}

/// Whether a create made something.
#[derive(Debug)]
pub(super) enum Created {
    New(Evaluation),
    /// Another call with the same request id did.
    Existing(Evaluation),
}

type Write = Transaction<'static, Sqlite>;

impl Book {
    /// Opens the database, makes it if need be, and brings its schema up to date.
    pub(crate) async fn open(path: &Path, max_queued: u32) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).connect_with(options).await?;
        let migrated = sqlx::migrate!("./migrations").run(&pool).await;
        migrated.map_err(|error| {
            Error::internal("the evaluation store's schema can't be brought up to date", error)
        })?;
        Ok(Self { pool, max_queued })
    }

    /// Closes the database once all work on it is done.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn of_request(&self, request_id: &str) -> Result<Option<Evaluation>, Error> {
        let found: Option<Record> = sqlx::query_as("SELECT * FROM evaluations WHERE request_id = ?")
            .bind(request_id)
            .fetch_optional(&self.pool)
            .await?;
        found.map(Evaluation::try_from).transpose()
    }

    pub(super) async fn create(&self, new: NewEvaluation) -> Result<Created, Error> {
        let mut write = self.write().await?;
        if let Some(existing) = existing(&mut write, &new).await? {
            return Ok(Created::Existing(existing));
        }
        let queued: i64 = sqlx::query_scalar("SELECT count(*) FROM evaluations WHERE state = ?")
            .bind(State::Queued as i64)
            .fetch_one(&mut *write)
            .await?;
        if queued >= i64::from(self.max_queued) {
            let message =
                format!("{queued} evaluations wait already, as many as may; retry when some have ended");
            return Err(Error::Overloaded(message));
        }
        let insert = "INSERT INTO evaluations (id, request_id, spec, pinned, total_rows, state, create_micros) \
                      VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *";
        let record: Record = sqlx::query_as(insert)
            .bind(new.id.as_str())
            .bind(new.request_id)
            .bind(record::encode_spec(&new.spec))
            .bind(record::json(&new.pinned)?)
            .bind(new.total_rows as i64)
            .bind(State::Queued as i64)
            .bind(now_micros())
            .fetch_one(&mut *write)
            .await?;
        write.commit().await?;
        record.try_into().map(Created::New)
    }

    /// One evaluation with its items.
    pub(crate) async fn get(&self, id: &Id) -> Result<Evaluation, Error> {
        let found: Option<Record> = sqlx::query_as("SELECT * FROM evaluations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        found.ok_or_else(|| not_found(id))?.try_into()
    }

    /// Newest first, without items.
    pub(super) async fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<Evaluation>, Error> {
        let select = "SELECT number, id, spec, pinned, total_rows, completed_rows, state, results, '[]' AS items, \
                      comparisons, gate, evidence_digest, error, create_micros, end_micros \
                      FROM evaluations WHERE number < ? ORDER BY number DESC LIMIT ?";
        let records: Vec<Record> = sqlx::query_as(select)
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        records.into_iter().map(Evaluation::try_from).collect()
    }

    /// Those that wait, and those that were running when the server ended; oldest first.
    pub(super) async fn unfinished(&self) -> Result<Vec<Evaluation>, Error> {
        let records: Vec<Record> =
            sqlx::query_as("SELECT * FROM evaluations WHERE state IN (?, ?) ORDER BY number")
                .bind(State::Queued as i64)
                .bind(State::Running as i64)
                .fetch_all(&self.pool)
                .await?;
        records.into_iter().map(Evaluation::try_from).collect()
    }

    /// Fails those that were running each time the process went down, as often as may be. To be called before anything
    /// is claimed: what is RUNNING then was interrupted.
    pub(super) async fn give_up_crashing(&self) -> Result<(), Error> {
        let reason = format!(
            "the server went down {MAX_CRASHES} times while this evaluation ran, so it isn't begun again; its chat \
             template, its model or its memory may be the cause: see the server's log, then create it anew"
        );
        let update = "UPDATE evaluations SET state = ?, error = ?, end_micros = ? \
                      WHERE state = ? AND attempts >= ? RETURNING *";
        let given_up: Vec<Record> = sqlx::query_as(update)
            .bind(State::Failed as i64)
            .bind(reason)
            .bind(now_micros())
            .bind(State::Running as i64)
            .bind(MAX_CRASHES)
            .fetch_all(&self.pool)
            .await?;
        for evaluation in given_up.into_iter().map(Evaluation::try_from) {
            tracing::error!(
                name = evaluation?.name(),
                "an evaluation that takes the server down is given up"
            );
        }
        Ok(())
    }

    /// Takes back the attempt that was under way: an orderly stop interrupted it, so it is not to blame.
    pub(super) async fn give_back(&self) -> Result<(), Error> {
        let update = "UPDATE evaluations SET attempts = max(attempts - 1, 0) WHERE state = ?";
        sqlx::query(update).bind(State::Running as i64).execute(&self.pool).await?;
        Ok(())
    }

    /// Takes the oldest that hasn't ended; with one runner, one that is RUNNING was interrupted.
    pub(super) async fn claim_next(&self) -> Result<Option<Evaluation>, Error> {
        let update = "UPDATE evaluations SET state = ?1, completed_rows = 0, attempts = attempts + 1 \
                      WHERE number = (SELECT min(number) FROM evaluations WHERE state IN (?2, ?1)) RETURNING *";
        let claimed: Option<Record> = sqlx::query_as(update)
            .bind(State::Running as i64)
            .bind(State::Queued as i64)
            .fetch_optional(&self.pool)
            .await?;
        claimed.map(Evaluation::try_from).transpose()
    }

    /// Ends it with its results, unless it was cancelled; gives it as it then is.
    pub(super) async fn succeed(
        &self,
        id: &Id,
        found: &Found,
        gate: Option<&GateResult>,
    ) -> Result<Evaluation, Error> {
        let summaries: Vec<TargetResult> = found.results.iter().map(TargetResult::summary).collect();
        let items: Vec<_> = found.results.iter().map(|result| &result.items).collect();
        let update = "UPDATE evaluations SET state = ?, completed_rows = total_rows, results = ?, items = ?, \
                      comparisons = ?, gate = ?, evidence_digest = ?, end_micros = ? WHERE id = ? AND state = ?";
        sqlx::query(update)
            .bind(State::Succeeded as i64)
            .bind(record::json(&summaries)?)
            .bind(record::json(&items)?)
            .bind(record::json(&found.comparisons)?)
            .bind(record::json(&gate)?)
            .bind(found.evidence.to_string())
            .bind(now_micros())
            .bind(id.as_str())
            .bind(State::Running as i64)
            .execute(&self.pool)
            .await?;
        self.get(id).await
    }

    /// Ends it with an error, unless it was cancelled; gives it as it then is.
    pub(super) async fn fail(&self, id: &Id, error: &str) -> Result<Evaluation, Error> {
        let update = "UPDATE evaluations SET state = ?, error = ?, end_micros = ? WHERE id = ? AND state = ?";
        sqlx::query(update)
            .bind(State::Failed as i64)
            .bind(error)
            .bind(now_micros())
            .bind(id.as_str())
            .bind(State::Running as i64)
            .execute(&self.pool)
            .await?;
        self.get(id).await
    }

    /// Cancels it, if it hasn't ended.
    pub(super) async fn cancel(&self, id: &Id) -> Result<Evaluation, Error> {
        let update =
            "UPDATE evaluations SET state = ?, end_micros = ? WHERE id = ? AND state IN (?, ?) RETURNING *";
        let cancelled: Option<Record> = sqlx::query_as(update)
            .bind(State::Cancelled as i64)
            .bind(now_micros())
            .bind(id.as_str())
            .bind(State::Queued as i64)
            .bind(State::Running as i64)
            .fetch_optional(&self.pool)
            .await?;
        if let Some(record) = cancelled {
            return record.try_into();
        }
        let state = self.get(id).await?.state;
        Err(Error::WrongState(format!("{} has ended already ({state:?})", evaluation_name(id))))
    }

    /// Begins a transaction that writes; it waits here for the writer before it, and never fails halfway for that.
    async fn write(&self) -> Result<Write, Error> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// The evaluation that the same request made; an error if another one has the id.
async fn existing(write: &mut Write, new: &NewEvaluation) -> Result<Option<Evaluation>, Error> {
    let by_request: Option<Record> =
        sqlx::query_as("SELECT * FROM evaluations WHERE request_id IS NOT NULL AND request_id = ?")
            .bind(new.request_id.as_deref())
            .fetch_optional(&mut **write)
            .await?;
    if let Some(record) = by_request {
        return record.try_into().map(Some);
    }
    let taken: i64 = sqlx::query_scalar("SELECT count(*) FROM evaluations WHERE id = ?")
        .bind(new.id.as_str())
        .fetch_one(&mut **write)
        .await?;
    if taken == 0 { Ok(None) } else { Err(Error::AlreadyExists(evaluation_name(&new.id))) }
}

fn not_found(id: &Id) -> Error {
    Error::NotFound(format!("{} does not exist", evaluation_name(id)))
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
