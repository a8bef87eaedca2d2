//! Aliases as the service knows them: records that move by compare-and-swap, and the events of their moves.
use std::str::FromStr;
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

/// A version that is tried beside the one that an alias points at.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// The artifact.
    pub digest: Digest,
    /// The share of the requests that get it, in (0, 1).
    pub share: f64,
}

/// What requests do that are under way when an alias moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Running {
    /// They finish on the version that they began with.
    #[default]
    Finish,
    /// They go on with the new version.
    Switch,
    /// They end.
    Abort,
}

impl Running {
    /// Its name in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Switch => "switch",
            Self::Abort => "abort",
        }
    }
}

impl FromStr for Running {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Finish, Self::Switch, Self::Abort].into_iter().find(|one| one.as_str() == text).ok_or(())
    }
}

/// An alias at one of its generations.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Its name.
    pub name: AliasName,
    /// Changes with every move.
    pub etag: String,
    /// The base model of what it points at, for an adapter.
    pub base_digest: Option<Digest>,
    /// The move that made this generation.
    pub current: Revision,
    /// A second version that a share of the requests get.
    pub canary: Option<Canary>,
    /// Whether servers keep the version in memory.
    pub pinned: bool,
    /// What requests do that were under way when it came to this generation.
    pub running: Running,
    /// Whether it is out of service, and `current` tells what it pointed at last.
    pub retired: bool,
    /// The last [`HISTORY`] moves to another version, newest first: the first one set the present version.
    pub history: Vec<Revision>,
}

/// A move of an alias, as watches tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasEvent {
    /// Rises with every move in the store.
    pub event_id: i64,
    /// The alias after the move.
    pub alias: Alias,
}

/// What an alias must be to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It doesn't exist, or is retired.
    Absent,
    /// It has this etag.
    Etag(String),
    /// Anything.
    Any,
}

/// A move that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasChange {
    /// The alias.
    pub name: AliasName,
    /// What it shall be.
    pub target: Target,
    /// Only then.
    pub expect: Expect,
}

/// What an alias shall be.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A name for this.
    Version(Version),
    /// Out of service.
    Retired,
}

/// What an alias shall name, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// What it shall point at.
    pub digest: Digest,
    /// The second version; `None` ends the one there is.
    pub canary: Option<Canary>,
    /// Whether servers shall keep it in memory; `None` leaves that as it is.
    pub pinned: Option<bool>,
    /// What requests do that are under way.
    pub running: Running,
}
