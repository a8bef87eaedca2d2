//! The names of the contract, parsed once: `adapters/{id}`, `adapters/{id}/versions/{digest}`, or a digest.
use std::fmt;
use std::str::FromStr;

use crate::{Digest, Kind};

/// Longest id.
const MAX_ID_BYTES: usize = 63;

/// Text that is not a name of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The id has other characters or another length than ids may have.
    #[error("id `{0}` must match [a-z0-9]([a-z0-9._-]{{0,61}}[a-z0-9])?")]
    Id(String),
    /// The collection does not exist or has no aliases.
    #[error("`{0}` must start with baseModels/, adapters/, tokenizers/ or datasets/")]
    Collection(String),
    /// None of the forms of a name.
    #[error("`{0}` must be a digest, `collection/id` or `collection/id/versions/digest`")]
    Form(String),
}

/// The last part of a name: `[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        let valid = bytes.len() <= MAX_ID_BYTES
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(inner);
        if valid { Ok(Self(text.into())) } else { Err(NameError::Id(shorten(text))) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `{collection}/{id}`. Names that move are those whose kind [has aliases](Kind::has_aliases).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName {
    kind: Kind,
    id: Id,
}

impl AliasName {
    /// The name of `id` in the collection of `kind`.
    pub fn new(kind: Kind, id: Id) -> Self {
        Self { kind, id }
    }

    /// What the name's artifacts are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The last part.
    pub fn id(&self) -> &Id {
        &self.id
    }
}

impl FromStr for AliasName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (collection, id) = text.split_once('/').ok_or_else(|| NameError::Form(shorten(text)))?;
        let kind = Kind::of_collection(collection).map_err(|_| NameError::Collection(shorten(text)))?;
        Ok(Self { kind, id: id.parse()? })
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.collection(), self.id)
    }
}

/// Any way to name an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactName {
    /// By its digest.
    Digest(Digest),
    /// Whatever an alias points at.
    Alias(AliasName),
    /// One version of an alias.
    Version(AliasName, Digest),
}

impl FromStr for ArtifactName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with("sha256:") {
            return text.parse().map(Self::Digest).map_err(|_| NameError::Form(shorten(text)));
        }
        match text.split_once("/versions/") {
            Some((alias, digest)) => {
                let digest = digest.parse().map_err(|_| NameError::Form(shorten(text)))?;
                Ok(Self::Version(alias.parse()?, digest))
            }
            None => text.parse().map(Self::Alias),
        }
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(formatter),
            Self::Alias(alias) => alias.fmt(formatter),
            Self::Version(alias, digest) => write!(formatter, "{alias}/versions/{digest}"),
        }
    }
}

/// Keeps what a client sent from filling an error message.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 96;
    if text.chars().count() <= SHOWN {
        return text.into();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_reads_back() {
        let digest = Digest::of(b"x");
        for name in [
            "adapters/greeter".into(),
            "baseModels/tiny-1.5_b".into(),
            format!("{digest}"),
            format!("datasets/d/versions/{digest}"),
        ] {
            assert_eq!(name.parse::<ArtifactName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_could_reach_the_file_system_is_no_id() {
        let long = "a".repeat(MAX_ID_BYTES + 1);
        for id in ["", "..", "a/b", "-a", "a.", "A", "a b", "ä", "a\0", long.as_str()] {
            assert!(matches!(id.parse::<Id>(), Err(NameError::Id(_))), "{id}");
        }
        assert!("a".repeat(MAX_ID_BYTES).parse::<Id>().is_ok());
        assert_eq!("models/a".parse::<AliasName>(), Err(NameError::Collection("models/a".into())));
        assert!(matches!("adapters".parse::<ArtifactName>(), Err(NameError::Form(_))));
        assert!(matches!("sha256:12".parse::<ArtifactName>(), Err(NameError::Form(_))));
    }
}
