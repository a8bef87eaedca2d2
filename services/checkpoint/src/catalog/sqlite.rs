//! The catalog in SQLite: one connection writes, a few read; a transaction that has returned is on the disk.
mod aliases;
mod artifacts;
mod rows;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rootstock_artifacts::faults::Point;
use rootstock_artifacts::{AliasName, Digest, Faults, Kind};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{ArtifactFilter, Catalog, EventRange, Numbered};
use crate::{Alias, AliasChange, AliasEvent, Artifact, Draft, Error};

/// How long a statement waits for a lock that another process has, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Takes the write lock at once, so that nothing a transaction has read changes before it writes.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The catalog in one SQLite file; clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteCatalog {
    writer: SqlitePool,
    readers: SqlitePool,
    faults: Faults,
}

impl SqliteCatalog {
    /// Opens or makes the file, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn open(path: &Path, readers: u32, faults: Faults) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(readers).connect_with(options).await?;
        Ok(Self { writer, readers, faults })
    }

    async fn begin(&self) -> Result<sqlx::SqliteTransaction<'static>, Error> {
        Ok(self.writer.begin_with(BEGIN).await?)
    }

    fn pass(&self, point: Point) -> Result<(), Error> {
        self.faults.pass(point).map_err(|error| Error::Blobs(error.into()))
    }
}

impl Catalog for SqliteCatalog {
    async fn insert_artifact(&self, draft: &Draft) -> Result<Artifact, Error> {
        self.pass(Point::BeforeCommit)?;
        let mut transaction = self.begin().await?;
        let artifact = artifacts::insert(&mut transaction, draft, || self.pass(Point::WithinCommit)).await?;
        transaction.commit().await?;
        self.pass(Point::AfterCommit)?;
        Ok(artifact)
    }

    async fn artifact(&self, digest: &Digest, parent: Option<&AliasName>) -> Result<Option<Artifact>, Error> {
        let mut connection = self.readers.acquire().await?;
        artifacts::find(&mut connection, digest, parent).await
    }

    async fn list_artifacts(&self, filter: &ArtifactFilter, limit: usize) -> Result<Vec<Numbered>, Error> {
        let mut connection = self.readers.acquire().await?;
        artifacts::list(&mut connection, filter, limit).await
    }

    async fn delete_artifact(&self, digest: &Digest) -> Result<Vec<Digest>, Error> {
        let mut transaction = self.begin().await?;
        let blobs = artifacts::delete(&mut transaction, digest).await?;
        transaction.commit().await?;
        Ok(blobs)
    }

    async fn needed(&self, blobs: Vec<Digest>) -> Result<HashSet<Digest>, Error> {
        let mut connection = self.readers.acquire().await?;
        artifacts::needed(&mut connection, blobs).await
    }

    async fn move_alias(&self, change: &AliasChange) -> Result<AliasEvent, Error> {
        let mut transaction = self.begin().await?;
        let event = aliases::set(&mut transaction, change).await?;
        transaction.commit().await?;
        Ok(event)
    }

    async fn alias(&self, name: &AliasName) -> Result<Option<Alias>, Error> {
        let mut connection = self.readers.acquire().await?;
        aliases::find(&mut connection, name).await
    }

    async fn list_aliases(
        &self,
        kind: Option<Kind>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>, Error> {
        let mut connection = self.readers.acquire().await?;
        aliases::list(&mut connection, kind, after, limit).await
    }

    async fn last_event(&self) -> Result<i64, Error> {
        let mut connection = self.readers.acquire().await?;
        aliases::last_event(&mut connection).await
    }

    async fn events(&self, range: EventRange, limit: usize) -> Result<Vec<AliasEvent>, Error> {
        let mut connection = self.readers.acquire().await?;
        aliases::events(&mut connection, range, limit).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
