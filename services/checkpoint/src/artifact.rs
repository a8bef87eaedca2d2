//! Artifacts as the service knows them.
use std::time::SystemTime;

use rootstock_artifacts::{AliasName, Digest, Manifest};

/// An artifact to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is made of.
    pub manifest: Manifest,
    /// The alias it is a version of.
    pub parent: Option<AliasName>,
}

/// An artifact of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its name.
    pub digest: Digest,
    /// What it is made of.
    pub manifest: Manifest,
    /// The alias it is a version of: the one it was asked by, or the first.
    pub parent: Option<AliasName>,
    /// When it was first committed; unset if it was only validated.
    pub create_time: Option<SystemTime>,
}
