//! Aliases as the service knows them: records that move by compare-and-swap, and the events of their moves.
use std::time::SystemTime;

use rootstock_artifacts::{AliasName, Digest};

/// How many moves a record tells.
pub const HISTORY: usize = 16;

/// One move of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The generation that the move made.
    pub generation: i64,
    /// What the alias pointed at from then on.
    pub digest: Digest,
    /// When.
    pub set_time: SystemTime,
}

/// An alias at one of its generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: AliasName,
    /// Changes with every move.
    pub etag: String,
    /// The base model of what it points at, for an adapter.
    pub base_digest: Option<Digest>,
    /// The move that made this generation.
    pub current: Revision,
    /// The last [`HISTORY`] moves up to this one, newest first.
    pub history: Vec<Revision>,
}

/// A move of an alias, as watches tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasEvent {
    /// Rises with every move in the store.
    pub event_id: i64,
    /// The alias after the move.
    pub alias: Alias,
}

/// What an alias must be to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It doesn't exist.
    Absent,
    /// It has this etag.
    Etag(String),
    /// Anything.
    Any,
}

/// A move that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasChange {
    /// The alias.
    pub name: AliasName,
    /// What it shall point at.
    pub digest: Digest,
    /// Only then.
    pub expect: Expect,
}
