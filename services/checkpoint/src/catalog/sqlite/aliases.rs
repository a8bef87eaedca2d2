//! Statements on aliases: compare-and-swap, records with their history, and the log of moves.
use rootstock_artifacts::{AliasName, Kind};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::super::EventRange;
use super::rows;
use crate::{Alias, AliasChange, AliasEvent, Error, Expect, HISTORY, Revision};

/// Moves an alias, if it is as expected.
pub(super) async fn set(
    connection: &mut SqliteConnection,
    change: &AliasChange,
) -> Result<AliasEvent, Error> {
    let target = sqlx::query("SELECT kind, base_digest FROM artifacts WHERE digest = ?")
        .bind(change.digest.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let target = target.ok_or_else(|| Error::NotFound(format!("artifact {}", change.digest)))?;
    let (expected, actual) = (change.name.kind(), rows::kind(&target, "kind")?);
    if expected != actual {
        let (name, digest) = (change.name.clone(), change.digest);
        return Err(Error::WrongKind { name, digest, expected, actual });
    }
    let present = "SELECT e.generation, e.etag FROM aliases a JOIN alias_events e USING (event_id)
                   WHERE a.name = ?";
    let present: Option<(i64, String)> =
        sqlx::query_as(present).bind(change.name.to_string()).fetch_optional(&mut *connection).await?;
    check(change, present.as_ref().map(|(_, etag)| etag.as_str()))?;
    // An adapter says which base it is for; the other kinds have no base that a reader of the alias would need.
    let base = if actual == Kind::Adapter { rows::optional_digest(&target, "base_digest")? } else { None };
    let event = "INSERT INTO alias_events (name, kind, generation, digest, etag, base_digest, set_micros)
                 VALUES (?, ?, ?, ?, ?, ?, ?)";
    let inserted = sqlx::query(event)
        .bind(change.name.to_string())
        .bind(actual.as_str())
        .bind(present.map_or(0, |(generation, _)| generation) + 1)
        .bind(change.digest.to_string())
        .bind(uuid::Uuid::now_v7().simple().to_string())
        .bind(base.map(|base| base.to_string()))
        .bind(rows::now_micros())
        .execute(&mut *connection)
        .await?;
    let event_id = inserted.last_insert_rowid();
    let record = "INSERT INTO aliases (name, kind, digest, event_id) VALUES (?, ?, ?, ?)
                  ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, event_id = excluded.event_id";
    sqlx::query(record)
        .bind(change.name.to_string())
        .bind(actual.as_str())
        .bind(change.digest.to_string())
        .bind(event_id)
        .execute(&mut *connection)
        .await?;
    let select = "SELECT * FROM alias_events WHERE event_id = ?";
    let row = sqlx::query(select).bind(event_id).fetch_one(&mut *connection).await?;
    read(connection, &row).await
}

fn check(change: &AliasChange, present: Option<&str>) -> Result<(), Error> {
    let problem = match (&change.expect, present) {
        (Expect::Any, _) | (Expect::Absent, None) => return Ok(()),
        (Expect::Etag(wanted), Some(etag)) if wanted == etag => return Ok(()),
        (Expect::Absent, Some(_)) => "exists already, and no etag was given",
        (Expect::Etag(_), Some(_)) => "has moved since it was read",
        (Expect::Etag(_), None) => "doesn't exist, though an etag was given",
    };
    Err(Error::AliasMoved { name: change.name.clone(), problem })
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    name: &AliasName,
) -> Result<Option<Alias>, Error> {
    let select = "SELECT e.* FROM aliases a JOIN alias_events e USING (event_id) WHERE a.name = ?";
    let row = sqlx::query(select).bind(name.to_string()).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => Ok(Some(read(connection, &row).await?.alias)),
        None => Ok(None),
    }
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    kind: Option<Kind>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Alias>, Error> {
    let select = "SELECT e.* FROM aliases a JOIN alias_events e USING (event_id)
                  WHERE a.name > ?1 AND (?2 IS NULL OR a.kind = ?2) ORDER BY a.name LIMIT ?3";
    let rows = sqlx::query(select)
        .bind(after.unwrap_or_default())
        .bind(kind.map(Kind::as_str))
        .bind(rows::limit(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut aliases = Vec::with_capacity(rows.len());
    for row in rows {
        aliases.push(read(connection, &row).await?.alias);
    }
    Ok(aliases)
}

pub(super) async fn last_event(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(event_id) FROM alias_events").fetch_one(connection).await?;
    Ok(last.unwrap_or_default())
}

pub(super) async fn events(
    connection: &mut SqliteConnection,
    range: EventRange,
    limit: usize,
) -> Result<Vec<AliasEvent>, Error> {
    let select = if range.last_only {
        "SELECT e.* FROM aliases a JOIN alias_events e USING (event_id)
         WHERE e.event_id > ?1 AND e.event_id <= ?2 AND (?3 IS NULL OR e.kind = ?3)
         ORDER BY e.event_id LIMIT ?4"
    } else {
        "SELECT e.* FROM alias_events e
         WHERE e.event_id > ?1 AND e.event_id <= ?2 AND (?3 IS NULL OR e.kind = ?3)
         ORDER BY e.event_id LIMIT ?4"
    };
    let rows = sqlx::query(select)
        .bind(range.after)
        .bind(range.upto)
        .bind(range.kind.map(Kind::as_str))
        .bind(rows::limit(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(read(connection, &row).await?);
    }
    Ok(events)
}

/// Reads a move with the history up to it.
async fn read(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<AliasEvent, Error> {
    let current = revision(row)?;
    let name = rows::name(row, "name")?;
    let select = "SELECT generation, digest, set_micros FROM alias_events
                  WHERE name = ? AND generation <= ? ORDER BY generation DESC LIMIT ?";
    let history = sqlx::query(select)
        .bind(name.to_string())
        .bind(current.generation)
        .bind(rows::limit(HISTORY))
        .fetch_all(connection)
        .await?;
    let alias = Alias {
        name,
        etag: row.try_get("etag")?,
        base_digest: rows::optional_digest(row, "base_digest")?,
        current,
        history: history.iter().map(revision).collect::<Result<_, _>>()?,
    };
    Ok(AliasEvent { event_id: row.try_get("event_id")?, alias })
}

fn revision(row: &SqliteRow) -> Result<Revision, Error> {
    Ok(Revision {
        generation: row.try_get("generation")?,
        digest: rows::digest(row, "digest")?,
        set_time: rows::time(row.try_get("set_micros")?),
    })
}
