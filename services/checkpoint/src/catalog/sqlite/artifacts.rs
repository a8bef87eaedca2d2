//! Statements on artifacts.
use std::collections::HashSet;

use rootstock_artifacts::{AliasName, Digest, Manifest};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::super::{ArtifactFilter, Numbered};
use super::rows;
use crate::{Artifact, Draft, Error};

/// Inserts an artifact, or finds the one that is there. `midway` is called between the statements.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    draft: &Draft,
    midway: impl FnOnce() -> Result<(), Error>,
) -> Result<Artifact, Error> {
    let digest = draft.manifest.digest();
    let seq = match seq_of(connection, &digest).await? {
        Some(seq) => seq,
        None => insert_new(connection, draft, &digest).await?,
    };
    midway()?;
    if let Some(parent) = &draft.parent {
        // A row that takes another's place has a number of its own, the highest.
        sqlx::query("INSERT OR REPLACE INTO artifact_versions (parent, artifact_seq) VALUES (?, ?)")
            .bind(parent.to_string())
            .bind(seq)
            .execute(&mut *connection)
            .await?;
    }
    let stored = find(connection, &digest, draft.parent.as_ref()).await?;
    stored.ok_or(Error::Damaged("artifact"))
}

async fn insert_new(connection: &mut SqliteConnection, draft: &Draft, digest: &Digest) -> Result<i64, Error> {
    let manifest = &draft.manifest;
    if let Some(base) = &manifest.base_digest
        && seq_of(connection, base).await?.is_none()
    {
        return Err(Error::NotFound(format!("base model {base}")));
    }
    let json = String::from_utf8(manifest.canonical_json()).map_err(|_| Error::Damaged("manifest"))?;
    let insert = "INSERT INTO artifacts (digest, kind, manifest, parent, base_digest, create_micros)
                  VALUES (?, ?, ?, ?, ?, ?)";
    let inserted = sqlx::query(insert)
        .bind(digest.to_string())
        .bind(manifest.kind.as_str())
        .bind(json)
        .bind(draft.parent.as_ref().map(ToString::to_string))
        .bind(manifest.base_digest.map(|base| base.to_string()))
        .bind(rows::now_micros())
        .execute(&mut *connection)
        .await?;
    let seq = inserted.last_insert_rowid();
    for blob in &manifest.blobs {
        sqlx::query("INSERT INTO artifact_blobs (artifact_seq, path, digest) VALUES (?, ?, ?)")
            .bind(seq)
            .bind(&blob.path)
            .bind(blob.digest.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(seq)
}

async fn seq_of(connection: &mut SqliteConnection, digest: &Digest) -> Result<Option<i64>, Error> {
    let found = sqlx::query_scalar("SELECT seq FROM artifacts WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(found)
}

/// Finds an artifact; with `parent` only as a version of that alias.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    digest: &Digest,
    parent: Option<&AliasName>,
) -> Result<Option<Artifact>, Error> {
    let select = "SELECT seq, digest, manifest, parent, create_micros FROM artifacts WHERE digest = ?";
    let row = sqlx::query(select).bind(digest.to_string()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let (seq, mut artifact) = read(&row)?;
    let Some(parent) = parent else { return Ok(Some(artifact)) };
    let version = "SELECT EXISTS (SELECT 1 FROM artifact_versions WHERE parent = ?1 AND artifact_seq = ?2)
                       OR EXISTS (SELECT 1 FROM alias_events
                                  WHERE name = ?1 AND (digest = ?3 OR canary_digest = ?3))";
    let is_version: bool = sqlx::query_scalar(version)
        .bind(parent.to_string())
        .bind(seq)
        .bind(digest.to_string())
        .fetch_one(connection)
        .await?;
    artifact.parent = Some(parent.clone());
    Ok(is_version.then_some(artifact))
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    filter: &ArtifactFilter,
    limit: usize,
) -> Result<Vec<Numbered>, Error> {
    let before = filter.before.unwrap_or(i64::MAX);
    let kind = filter.kind.map(rootstock_artifacts::Kind::as_str);
    let query = match &filter.parent {
        None => {
            let all = "SELECT seq, digest, manifest, parent, create_micros FROM artifacts
                       WHERE seq < ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY seq DESC LIMIT ?3";
            sqlx::query(all).bind(before).bind(kind).bind(rows::limit(limit))
        }
        Some(parent) => {
            let of_parent = "SELECT v.seq, a.digest, a.manifest, v.parent, a.create_micros
                             FROM artifact_versions v JOIN artifacts a ON a.seq = v.artifact_seq
                             WHERE v.parent = ?4 AND v.seq < ?1 AND (?2 IS NULL OR a.kind = ?2)
                             ORDER BY v.seq DESC LIMIT ?3";
            sqlx::query(of_parent).bind(before).bind(kind).bind(rows::limit(limit)).bind(parent.to_string())
        }
    };
    query.fetch_all(connection).await?.iter().map(read).collect()
}

/// Deletes an artifact that nothing needs; returns its blobs.
pub(super) async fn delete(connection: &mut SqliteConnection, digest: &Digest) -> Result<Vec<Digest>, Error> {
    let text = digest.to_string();
    let seq = seq_of(connection, digest).await?;
    let seq = seq.ok_or_else(|| Error::NotFound(format!("artifact {digest}")))?;
    let in_use = |user: String| Error::InUse { digest: *digest, user };
    let alias = "SELECT name FROM aliases WHERE digest = ?1 OR canary_digest = ?1 LIMIT 1";
    let alias: Option<String> =
        sqlx::query_scalar(alias).bind(&text).fetch_optional(&mut *connection).await?;
    if let Some(alias) = alias {
        return Err(in_use(format!("named by {alias}")));
    }
    // An evaluation's evidence can be read without the base model; the others are nothing without it.
    let dependent = "SELECT digest FROM artifacts
                     WHERE base_digest = ? AND kind IN ('adapter', 'training_state') LIMIT 1";
    let dependent: Option<String> =
        sqlx::query_scalar(dependent).bind(&text).fetch_optional(&mut *connection).await?;
    if let Some(dependent) = dependent {
        return Err(in_use(format!("the base of artifact {dependent}")));
    }
    let blobs = sqlx::query("SELECT DISTINCT digest FROM artifact_blobs WHERE artifact_seq = ?")
        .bind(seq)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM artifacts WHERE seq = ?").bind(seq).execute(&mut *connection).await?;
    blobs.iter().map(|row| rows::digest(row, "digest")).collect()
}

pub(super) async fn needed(
    connection: &mut SqliteConnection,
    blobs: Vec<Digest>,
) -> Result<HashSet<Digest>, Error> {
    let mut needed = HashSet::new();
    for blob in blobs {
        let is_needed: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM artifact_blobs WHERE digest = ?)")
                .bind(blob.to_string())
                .fetch_one(&mut *connection)
                .await?;
        if is_needed {
            needed.insert(blob);
        }
    }
    Ok(needed)
}

fn read(row: &SqliteRow) -> Result<Numbered, Error> {
    let json: &str = row.try_get("manifest")?;
    let manifest: Manifest = serde_json::from_str(json).map_err(|_| Error::Damaged("manifest"))?;
    let artifact = Artifact {
        digest: rows::digest(row, "digest")?,
        manifest,
        parent: rows::optional_name(row, "parent")?,
        create_time: Some(rows::time(row.try_get("create_micros")?)),
    };
    Ok((row.try_get("seq")?, artifact))
}
