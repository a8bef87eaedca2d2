//! Statements on aliases: compare-and-swap, records with their history, and the log of moves.
use rootstock_artifacts::{AliasName, Digest, Kind};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::super::EventRange;
use super::rows;
use crate::{
    Alias, AliasChange, AliasEvent, Canary, Error, Expect, HISTORY, Revision, Running, Target, Version,
};

/// Moves an alias, if it is as expected.
pub(super) async fn set(
    connection: &mut SqliteConnection,
    change: &AliasChange,
) -> Result<AliasEvent, Error> {
    let present = last(connection, &change.name).await?;
    let next = match &change.target {
        Target::Version(version) => {
            let base = check_version(connection, &change.name, version).await?;
            check(change, present.as_ref())?;
            let was_pinned = present.as_ref().is_some_and(|alias| alias.pinned);
            Next {
                digest: version.digest,
                base,
                canary: version.canary.clone(),
                pinned: version.pinned.unwrap_or(was_pinned),
                running: version.running,
                retired: false,
            }
        }
        Target::Retired => {
            let alias = present.as_ref().filter(|alias| !alias.retired);
            let alias = alias.ok_or_else(|| Error::NotFound(format!("alias {}", change.name)))?;
            check(change, present.as_ref())?;
            Next {
                digest: alias.current.digest,
                base: alias.base_digest,
                canary: None,
                pinned: false,
                running: Running::Finish,
                retired: true,
            }
        }
    };
    let event_id = insert(connection, &change.name, present.map(|alias| alias.current), &next).await?;
    let select = "SELECT * FROM alias_events WHERE event_id = ?";
    let row = sqlx::query(select).bind(event_id).fetch_one(&mut *connection).await?;
    read(connection, &row).await
}

/// What an alias is after a move.
struct Next {
    digest: Digest,
    base: Option<Digest>,
    canary: Option<Canary>,
    pinned: bool,
    running: Running,
    retired: bool,
}

/// Checks that a name may stand for a version and its canary; gives their base model, for an adapter.
async fn check_version(
    connection: &mut SqliteConnection,
    name: &AliasName,
    version: &Version,
) -> Result<Option<Digest>, Error> {
    let base = base_of(connection, name, version.digest, "digest").await?;
    let Some(canary) = &version.canary else { return Ok(base) };
    if base_of(connection, name, canary.digest, "canary.digest").await? != base {
        return Err(Error::field(
            "canary.digest",
            "was made for another base model than the alias's version",
        ));
    }
    Ok(base)
}

/// The base model of an artifact that a name shall stand for.
async fn base_of(
    connection: &mut SqliteConnection,
    name: &AliasName,
    digest: Digest,
    field: &'static str,
) -> Result<Option<Digest>, Error> {
    let found = sqlx::query("SELECT kind, base_digest FROM artifacts WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let found = found.ok_or_else(|| Error::NotFound(format!("artifact {digest}")))?;
    let (expected, actual) = (name.kind(), rows::kind(&found, "kind")?);
    if expected != actual {
        return Err(Error::WrongKind { name: name.clone(), digest, field, expected, actual });
    }
    // An adapter says which base it is for; the other kinds have no base that a reader of the alias would need.
    if actual == Kind::Adapter { rows::optional_digest(&found, "base_digest") } else { Ok(None) }
}

/// Writes a move, and the record that it leads to.
async fn insert(
    connection: &mut SqliteConnection,
    name: &AliasName,
    before: Option<Revision>,
    next: &Next,
) -> Result<i64, Error> {
    let generation = before.as_ref().map_or(0, |before| before.generation) + 1;
    let sets_version = before.is_none_or(|before| before.digest != next.digest);
    let canary = next.canary.as_ref().map(|canary| canary.digest.to_string());
    let event = "INSERT INTO alias_events (name, kind, generation, digest, etag, base_digest, set_micros,
                                           canary_digest, canary_share, pinned, running, retired, sets_version)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let inserted = sqlx::query(event)
        .bind(name.to_string())
        .bind(name.kind().as_str())
        .bind(generation)
        .bind(next.digest.to_string())
        .bind(uuid::Uuid::now_v7().simple().to_string())
        .bind(next.base.map(|base| base.to_string()))
        .bind(rows::now_micros())
        .bind(&canary)
        .bind(next.canary.as_ref().map(|canary| canary.share))
        .bind(next.pinned)
        .bind(next.running.as_str())
        .bind(next.retired)
        .bind(sets_version)
        .execute(&mut *connection)
        .await?;
    let event_id = inserted.last_insert_rowid();
    let record = "INSERT INTO aliases (name, kind, digest, canary_digest, event_id) VALUES (?, ?, ?, ?, ?)
                  ON CONFLICT (name) DO UPDATE SET digest = excluded.digest,
                      canary_digest = excluded.canary_digest, event_id = excluded.event_id";
    sqlx::query(record)
        .bind(name.to_string())
        .bind(name.kind().as_str())
        .bind((!next.retired).then(|| next.digest.to_string()))
        .bind(canary)
        .bind(event_id)
        .execute(&mut *connection)
        .await?;
    Ok(event_id)
}

fn check(change: &AliasChange, present: Option<&Alias>) -> Result<(), Error> {
    let problem = match (&change.expect, present) {
        (Expect::Any, _) | (Expect::Absent, None) => return Ok(()),
        (Expect::Absent, Some(alias)) if alias.retired => return Ok(()),
        (Expect::Etag(wanted), Some(alias)) if *wanted == alias.etag => return Ok(()),
        (Expect::Absent, Some(_)) => "exists already, and no etag was given",
        (Expect::Etag(_), Some(_)) => "has moved since it was read",
        (Expect::Etag(_), None) => "doesn't exist, though an etag was given",
    };
    Err(Error::AliasMoved { name: change.name.clone(), problem })
}

/// An alias as its last move left it.
async fn last(connection: &mut SqliteConnection, name: &AliasName) -> Result<Option<Alias>, Error> {
    let select = "SELECT e.* FROM aliases a JOIN alias_events e USING (event_id) WHERE a.name = ?";
    let row = sqlx::query(select).bind(name.to_string()).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => Ok(Some(read(connection, &row).await?.alias)),
        None => Ok(None),
    }
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    name: &AliasName,
) -> Result<Option<Alias>, Error> {
    Ok(last(connection, name).await?.filter(|alias| !alias.retired))
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    kind: Option<Kind>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Alias>, Error> {
    let select = "SELECT e.* FROM aliases a JOIN alias_events e USING (event_id)
                  WHERE a.name > ?1 AND a.digest IS NOT NULL AND (?2 IS NULL OR a.kind = ?2)
                  ORDER BY a.name LIMIT ?3";
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

/// Reads a move with the history up to it: pins, canaries and retirements change no version, and would crowd out what can be rolled back
/// to.
async fn read(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<AliasEvent, Error> {
    let current = revision(row)?;
    let name = rows::name(row, "name")?;
    let select = "SELECT generation, digest, set_micros FROM alias_events
                  WHERE name = ? AND generation <= ? AND sets_version ORDER BY generation DESC LIMIT ?";
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
        canary: canary(row)?,
        pinned: row.try_get("pinned")?,
        running: row
            .try_get::<&str, _>("running")?
            .parse()
            .map_err(|()| Error::Damaged("running requests"))?,
        retired: row.try_get("retired")?,
        current,
        history: history.iter().map(revision).collect::<Result<_, _>>()?,
    };
    Ok(AliasEvent { event_id: row.try_get("event_id")?, alias })
}

fn canary(row: &SqliteRow) -> Result<Option<Canary>, Error> {
    let digest = rows::optional_digest(row, "canary_digest")?;
    digest.map(|digest| Ok(Canary { digest, share: row.try_get("canary_share")? })).transpose()
}

fn revision(row: &SqliteRow) -> Result<Revision, Error> {
    Ok(Revision {
        generation: row.try_get("generation")?,
        digest: rows::digest(row, "digest")?,
        set_time: rows::time(row.try_get("set_micros")?),
    })
}
