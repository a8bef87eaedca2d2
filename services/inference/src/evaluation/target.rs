//! What a target of an evaluation is called.

use std::fmt;

use rootstock_artifacts::{AliasName, ArtifactName};

/// What follows an adapter's name where the version before the present one is meant.
pub(crate) const PREVIOUS: &str = "@previous";

/// The base model, an adapter, or what an adapter was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetName {
    /// Written as nothing.
    Base,
    Adapter(ArtifactName),
    /// What a rollback would publish.
    Previous(AliasName),
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => Ok(()),
            Self::Adapter(name) => name.fmt(f),
            Self::Previous(alias) => write!(f, "{alias}{PREVIOUS}"),
        }
    }
}
