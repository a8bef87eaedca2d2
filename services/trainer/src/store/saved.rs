//! Which saved states each job keeps, and which are to be deleted. Two jobs can share one, since equal states are one
//! artifact: it is deleted when no job keeps it.

use sqlx::{Row, SqliteExecutor};

use super::{Store, Write};
use crate::error::Error;

/// Records a saved state; a step that was reached again replaces what was saved there. Tells whether that is to be deleted.
pub(super) async fn insert(write: &mut Write, job: i64, step: i64, digest: &str) -> Result<bool, Error> {
    let before = sqlx::query("SELECT digest FROM saved_states WHERE job = ? AND step = ? AND digest <> ?")
        .bind(job)
        .bind(step)
        .bind(digest)
        .fetch_optional(&mut **write)
        .await?;
    sqlx::query("INSERT INTO saved_states (job, step, digest) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest")
        .bind(job)
        .bind(step)
        .bind(digest)
        .execute(&mut **write)
        .await?;
    // It may have been discarded by a job that had made the same state.
    retain(write, digest).await?;
    let Some(before) = before else { return Ok(false) };
    discard(write, &before.try_get::<String, _>("digest")?).await?;
    Ok(true)
}

/// Takes a state from the list of those to delete.
pub(super) async fn retain(write: &mut Write, digest: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM discarded_states WHERE digest = ?").bind(digest).execute(&mut **write).await?;
    Ok(())
}

/// Puts a state on the list of those to delete, unless a job keeps it or goes on with it; the empty name is none.
pub(super) async fn discard(write: &mut Write, digest: &str) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO discarded_states (digest) SELECT ?1 WHERE ?1 <> '' \
         AND NOT EXISTS (SELECT 1 FROM saved_states WHERE digest = ?1) \
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE optimizer_digest = ?1) ON CONFLICT DO NOTHING",
    )
    .bind(digest)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// The newest state: its step and its digest.
pub(super) async fn newest(read: impl SqliteExecutor<'_>, job: i64) -> Result<Option<(i64, String)>, Error> {
    let row = sqlx::query("SELECT step, digest FROM saved_states WHERE job = ? ORDER BY step DESC LIMIT 1")
        .bind(job);
    let row = row.fetch_optional(read).await?;
    row.map(|row| Ok((row.try_get("step")?, row.try_get("digest")?))).transpose()
}

/// Keeps the newest `limit` states of a job and tells whether others were put on the list of those to delete.
pub(super) async fn keep_newest(write: &mut Write, job: i64, limit: i64) -> Result<bool, Error> {
    let rows = sqlx::query(
        "SELECT step, digest FROM saved_states WHERE job = ? ORDER BY step DESC LIMIT -1 OFFSET ?",
    )
    .bind(job)
    .bind(limit)
    .fetch_all(&mut **write)
    .await?;
    for row in &rows {
        let (step, digest): (i64, String) = (row.try_get("step")?, row.try_get("digest")?);
        sqlx::query("DELETE FROM saved_states WHERE job = ? AND step = ?")
            .bind(job)
            .bind(step)
            .execute(&mut **write)
            .await?;
        discard(write, &digest).await?;
    }
    Ok(!rows.is_empty())
}

impl Store {
    /// States to delete from the checkpoint service, at most `limit`.
    pub(crate) async fn discarded(&self, limit: u32) -> Result<Vec<String>, Error> {
        let rows = sqlx::query("SELECT digest FROM discarded_states LIMIT ?").bind(limit);
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get("digest")?)).collect()
    }

    /// A discarded state is deleted.
    pub(crate) async fn forget_discarded(&self, digest: &str) -> Result<(), Error> {
        let query = sqlx::query("DELETE FROM discarded_states WHERE digest = ?").bind(digest);
        query.execute(&self.pool).await?;
        Ok(())
    }
}
