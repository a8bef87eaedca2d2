//! The catalog: which artifacts there are, which blobs they need, and where aliases point. SQLite implements it here;
//! PostgreSQL can, by the same tables.
mod sqlite;

use std::collections::HashSet;
use std::future::Future;

use rootstock_artifacts::{AliasName, Digest, Kind};
pub use sqlite::SqliteCatalog;

use crate::{Alias, AliasChange, AliasEvent, Artifact, Draft, Error};

/// Which artifacts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactFilter {
    /// Only versions of this alias.
    pub parent: Option<AliasName>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only those committed before the one with this number: the artifact's, or that of its version where a parent is named.
    pub before: Option<i64>,
}

/// Which moves of aliases to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRange {
    /// Only aliases of this collection.
    pub kind: Option<Kind>,
    /// Only moves after this one.
    pub after: i64,
    /// Only moves up to this one.
    pub upto: i64,
    /// Only the last move of each alias.
    pub last_only: bool,
}

/// An artifact with its number, which rises with every commit.
pub type Numbered = (i64, Artifact);

/// Every change is one transaction: whole and durable when it returns, or as if it had not been asked for.
pub trait Catalog: Clone + Send + Sync + 'static {
    /// Makes an artifact visible. If the same content is there, returns that, listed under the new parent too.
    ///
    /// # Errors
    /// NOT_FOUND if the base model is gone.
    fn insert_artifact(&self, draft: &Draft) -> impl Future<Output = Result<Artifact, Error>> + Send;

    /// An artifact by digest; with `parent` only if it is a version of that alias, by commit or by a move.
    fn artifact(
        &self,
        digest: &Digest,
        parent: Option<&AliasName>,
    ) -> impl Future<Output = Result<Option<Artifact>, Error>> + Send;

    /// At most `limit` artifacts, newest first.
    fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Numbered>, Error>> + Send;

    /// Deletes an artifact; returns the blobs it had.
    ///
    /// # Errors
    /// NOT_FOUND, or IN_USE while an alias names it or another artifact is made for it.
    fn delete_artifact(&self, digest: &Digest) -> impl Future<Output = Result<Vec<Digest>, Error>> + Send;

    /// Those of the blobs that some artifact has.
    fn needed(&self, blobs: Vec<Digest>) -> impl Future<Output = Result<HashSet<Digest>, Error>> + Send;

    /// Moves an alias.
    ///
    /// # Errors
    /// NOT_FOUND for the artifact or an alias that can't be retired, ALIAS_MOVED, or INVALID_FIELD if an artifact is of
    /// another kind, or a canary of another base.
    fn move_alias(&self, change: &AliasChange) -> impl Future<Output = Result<AliasEvent, Error>> + Send;

    /// An alias as it stands, unless it is retired.
    fn alias(&self, name: &AliasName) -> impl Future<Output = Result<Option<Alias>, Error>> + Send;

    /// At most `limit` aliases by name, those after `after`; no retired ones.
    fn list_aliases(
        &self,
        kind: Option<Kind>,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Alias>, Error>> + Send;

    /// The number of the last move in the store; 0 if there was none.
    fn last_event(&self) -> impl Future<Output = Result<i64, Error>> + Send;

    /// At most `limit` moves, in the order in which they happened.
    fn events(
        &self,
        range: EventRange,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<AliasEvent>, Error>> + Send;

    /// Closes the connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
