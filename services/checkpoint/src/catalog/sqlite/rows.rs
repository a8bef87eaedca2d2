//! Values of the domain in columns and back; what cannot be read back is damage of the catalog.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rootstock_artifacts::{AliasName, Digest, Kind};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::Error;

/// Now, in microseconds since 1970.
pub(super) fn now_micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

pub(super) fn digest(row: &SqliteRow, column: &str) -> Result<Digest, Error> {
    optional_digest(row, column)?.ok_or(Error::Damaged("digest"))
}

pub(super) fn optional_digest(row: &SqliteRow, column: &str) -> Result<Option<Digest>, Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| Error::Damaged("digest"))).transpose()
}

pub(super) fn kind(row: &SqliteRow, column: &str) -> Result<Kind, Error> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| Error::Damaged("kind"))
}

pub(super) fn optional_name(row: &SqliteRow, column: &str) -> Result<Option<AliasName>, Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| Error::Damaged("alias name"))).transpose()
}

pub(super) fn name(row: &SqliteRow, column: &str) -> Result<AliasName, Error> {
    optional_name(row, column)?.ok_or(Error::Damaged("alias name"))
}

/// A limit for SQL.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
