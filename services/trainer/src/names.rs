//! Resource names: parsed once, so that no string from a client reaches the store, a command line or a file unchecked.

use std::fmt;

use rootstock_artifacts::{AliasName, ArtifactName, Digest, Id, Kind};

/// What a job's name starts with.
const JOBS: &str = "trainingJobs/";

/// Whether `text` is `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn is_digest(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

/// The id of a training job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobId(String);

impl JobId {
    /// Parses an id, as in `CreateTrainingJobRequest.training_job_id`.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        id.parse::<Id>().ok().map(|id| Self(id.to_string()))
    }

    /// Parses a name, `trainingJobs/{id}`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        name.strip_prefix(JOBS).and_then(Self::parse)
    }

    /// An id that nobody has: a UUID of version 7.
    pub(crate) fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the name, `trainingJobs/{id}`.
impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{JOBS}{}", self.0)
    }
}

/// Parses an alias of one kind of artifact.
pub(crate) fn alias(kind: Kind, name: &str) -> Option<AliasName> {
    name.parse::<AliasName>().ok().filter(|alias| alias.kind() == kind)
}

/// Parses what points at an artifact of one of `kinds`: an alias, a version of one, or a digest, which can be anything.
pub(crate) fn reference(kinds: &[Kind], name: &str) -> Option<ArtifactName> {
    let name: ArtifactName = name.parse().ok()?;
    let fits = match &name {
        ArtifactName::Digest(_) => true,
        ArtifactName::Alias(alias) | ArtifactName::Version(alias, _) => kinds.contains(&alias.kind()),
    };
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_aliases_versions_and_digests_of_the_right_kind() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let parse = |name: &str| reference(&[Kind::Dataset, Kind::Tokenizer], name);
        for name in ["datasets/a", "tokenizers/a", &digest, &format!("datasets/a/versions/{digest}")] {
            assert_eq!(parse(name).unwrap().to_string(), name);
        }
        let upper = digest.to_uppercase();
        for name in ["", "a", "adapters/a", "datasets/", "datasets/A", "datasets/a/versions/x", &upper] {
            assert!(parse(name).is_none(), "{name}");
        }
        assert!(alias(Kind::Adapter, "adapters/a").is_some() && alias(Kind::Adapter, "datasets/a").is_none());
    }

    #[test]
    fn a_job_has_one_name() {
        let id = JobId::from_name("trainingJobs/first").unwrap();
        assert_eq!((id.as_str(), id.to_string().as_str()), ("first", "trainingJobs/first"));
        assert!(JobId::from_name("first").is_none() && JobId::from_name("trainingJobs/../x").is_none());
        let fresh = JobId::fresh();
        assert_eq!(JobId::parse(fresh.as_str()).unwrap(), fresh);
        assert_ne!(JobId::fresh(), fresh);
    }
}
