//! What this service needs of the checkpoint service, as a seam: the domain is tested without a network.

pub(crate) mod local;
pub(crate) mod remote;

use std::{any::Any, collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use futures::stream::BoxStream;
use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};

use crate::error::Error;

/// An artifact's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    /// The base model that an adapter belongs to.
    pub(crate) base: Option<Digest>,
    /// Digest of the tokenizer it was made with; empty where that is not known.
    pub(crate) tokenizer: String,
}

/// An artifact whose files lie on disk, and stay there as long as this lives.
pub(crate) struct Fetched {
    pub(crate) artifact: Artifact,
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// Whatever keeps the files from being evicted.
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("artifact", &self.artifact).finish_non_exhaustive()
    }
}

impl Fetched {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Where a file lies.
    pub(crate) fn path(&self, name: &str) -> Result<&PathBuf, Error> {
        let missing = || Error::InvalidFile(format!("{} has no {name}", self.artifact.digest));
        self.files.get(name).ok_or_else(missing)
    }

    /// A file's bytes; blocks.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        std::fs::read(self.path(name)?).map_err(|error| Error::internal(name, error))
    }

    /// The files with this ending, by name.
    pub(crate) fn paths_ending(&self, ending: &str) -> Vec<PathBuf> {
        self.files.iter().filter(|(name, _)| name.ends_with(ending)).map(|(_, path)| path.clone()).collect()
    }
}

/// A version that is tried beside the one that an alias points at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Canary {
    pub(crate) digest: Digest,
    /// The share of the requests that get it, in (0, 1).
    pub(crate) share: f64,
}

/// What requests do that are under way when an alias moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Running {
    /// They finish on the version that they began with.
    #[default]
    Finish,
    /// They go on with the new version.
    Switch,
    /// They end.
    Abort,
}

/// An alias record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alias {
    pub(crate) name: AliasName,
    pub(crate) digest: Digest,
    pub(crate) generation: i64,
    pub(crate) etag: String,
    /// Microseconds since 1970 at which it last moved.
    pub(crate) update_micros: i64,
    /// The base model, for an adapter.
    pub(crate) base: Option<Digest>,
    /// Generation and digest of the last moves, newest first, the present one included.
    pub(crate) history: Vec<(i64, Digest)>,
    pub(crate) canary: Option<Canary>,
    /// Whether servers keep the version in memory.
    pub(crate) pinned: bool,
    /// What requests do that were under way when it came to this generation.
    pub(crate) running: Running,
    /// Whether it is out of service.
    pub(crate) retired: bool,
}

/// What an alias shall be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) digest: Digest,
    /// `None` ends the one there is.
    pub(crate) canary: Option<Canary>,
    /// `None` leaves the pin as it is.
    pub(crate) pinned: Option<bool>,
    pub(crate) running: Running,
}

/// One message of the watch.
#[derive(Clone, Debug)]
pub(crate) enum AliasEvent {
    /// An alias as it stands, or after a move.
    Record { event_id: i64, alias: Arc<Alias> },
    /// All that stood has been sent.
    Synced { event_id: i64 },
}

/// What an alias must be for a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// It must not exist, or be retired.
    Absent,
    /// It must have this etag.
    Etag(String),
}

/// The evidence of an evaluation, to be stored.
#[derive(Clone, Debug)]
pub(crate) struct EvidenceDraft {
    /// `evaluations/{id}`.
    pub(crate) parent: String,
    pub(crate) base: Digest,
    pub(crate) tokenizer: String,
    pub(crate) json: Vec<u8>,
}

/// Artifacts and aliases.
#[tonic::async_trait]
pub(crate) trait Store: fmt::Debug + Send + Sync + 'static {
    /// The record of an artifact.
    async fn artifact(&self, name: &ArtifactName) -> Result<Artifact, Error>;
    /// An artifact with its files.
    async fn fetch(&self, digest: &Digest) -> Result<Fetched, Error>;
    /// Whether an artifact that was fetched still lies on the local disk; looks at the disk.
    fn is_local(&self, digest: &Digest) -> bool;
    /// An alias record; `None` if it was never set, or is retired.
    async fn alias(&self, name: &AliasName) -> Result<Option<Alias>, Error>;
    /// Moves an alias by compare-and-swap.
    async fn set_alias(&self, name: &AliasName, target: &Target, expect: Expect) -> Result<Alias, Error>;
    /// Takes an alias out of service if it still has this etag.
    async fn retire_alias(&self, name: &AliasName, etag: &str) -> Result<Alias, Error>;
    /// All aliases as they stand and then their moves, or with `after` the moves since. Ends with an error.
    fn watch(&self, after: i64) -> BoxStream<'static, Result<AliasEvent, Error>>;
    /// Stores an evaluation's evidence.
    async fn put_evidence(&self, draft: EvidenceDraft) -> Result<Digest, Error>;
}
