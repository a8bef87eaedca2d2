//! From the contract's messages to the domain and back; what passes here is within its range.

mod adapter;
mod constraint;
mod encoder;
mod evaluation;
mod gate;
mod generation;
mod score;

pub(crate) use adapter::{ListAdapters, Retire, Rollback, adapter_name, running};
#[cfg(test)]
pub(crate) use evaluation::target_name;
pub(crate) use evaluation::{Create, ListEvaluations, evaluation_id, message_with_items, page_token};

pub(crate) use generation::{NO_TENANT, prompt_response, tenant};
use prost_types::Timestamp;
use rootstock_artifacts::{ArtifactName, Kind};

use crate::error::Error;

/// A page when none is asked for.
const DEFAULT_PAGE: usize = 50;
/// The largest page of adapters, and of evaluations: as large as those with all their targets and comparisons may be in a message.
const MAX_ADAPTERS: usize = 1000;
const MAX_EVALUATIONS: usize = 200;
const MICROS: i64 = 1_000_000;

/// Microseconds since 1970.
pub(crate) fn to_micros(timestamp: &Timestamp) -> i64 {
    timestamp.seconds.saturating_mul(MICROS).saturating_add(i64::from(timestamp.nanos) / 1000)
}

fn from_micros(micros: i64) -> Timestamp {
    // The remainder is below a million, so a thousand times it is below the limit of i32.
    Timestamp { seconds: micros.div_euclid(MICROS), nanos: (micros.rem_euclid(MICROS) * 1000) as i32 }
}

/// What a page holds, at most `most`.
fn page_size(size: i32, most: usize) -> Result<usize, Error> {
    match usize::try_from(size) {
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(size) => Ok(size.min(most)),
        Err(_) => Err(Error::invalid("page_size", format!("is {size}; must not be negative"))),
    }
}

/// What points at an artifact of a kind: an alias, a version, or a digest.
fn reference(field: &str, kind: Kind, name: &str) -> Result<ArtifactName, Error> {
    let parsed: ArtifactName = name.parse().map_err(|error| Error::invalid(field, format!("{error}")))?;
    match &parsed {
        ArtifactName::Alias(alias) | ArtifactName::Version(alias, _) if alias.kind() != kind => {
            Err(Error::invalid(field, format!("{name:?} must be in {}/", kind.collection())))
        }
        _ => Ok(parsed),
    }
}

/// The same, where leaving it out means something.
fn optional_reference(field: &str, kind: Kind, name: &str) -> Result<Option<ArtifactName>, Error> {
    if name.is_empty() { Ok(None) } else { reference(field, kind, name).map(Some) }
}

/// A count that must not be above what this machine or a message can have anyway.
fn count(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
