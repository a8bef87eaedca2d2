//! Names as people type them: `greeter` means `adapters/greeter` where an adapter is asked for.
use rootstock_artifacts::{AliasName, ArtifactName, Kind};

use crate::CliError;

/// How the name of a job begins.
const JOBS: &str = "trainingJobs/";

/// How the name of an evaluation begins.
const EVALUATIONS: &str = "evaluations/";

/// The full name of an alias: `N` or `collection/N`.
pub(crate) fn alias(kind: Kind, text: &str) -> Result<String, CliError> {
    let full = with_collection(kind, text);
    let name: AliasName = full.parse().map_err(|error| CliError::refused(format!("name {text}: {error}")))?;
    if name.kind() != kind {
        let collection = kind.collection();
        return Err(CliError::refused(format!("name {text}: must be a plain id or {collection}/ID")));
    }
    Ok(full)
}

/// An alias of any kind, which only its full name tells.
pub(crate) fn full_alias(text: &str) -> Result<String, CliError> {
    let parsed: Result<AliasName, _> = text.parse();
    parsed.map(|name| name.to_string()).map_err(|error| CliError::refused(format!("name {text}: {error}")))
}

/// The full name of an artifact: an alias, `N/versions/DIGEST`, or a digest.
pub(crate) fn artifact(kind: Kind, text: &str) -> Result<String, CliError> {
    if text.starts_with("sha256:") {
        return digest(text);
    }
    let full = with_collection(kind, text);
    full.parse::<ArtifactName>()
        .map(|_| full)
        .map_err(|error| CliError::refused(format!("name {text}: {error}")))
}

/// A digest.
pub(crate) fn digest(text: &str) -> Result<String, CliError> {
    let parsed: Result<rootstock_artifacts::Digest, _> = text.parse();
    parsed.map(|digest| digest.to_string()).map_err(|_| {
        CliError::refused(format!("{text} is no digest: give sha256: and 64 hexadecimal digits"))
    })
}

/// The full name of a job.
pub(crate) fn job(text: &str) -> String {
    format!("{JOBS}{}", job_id(text))
}

/// The last part of a job's name.
pub(crate) fn job_id(text: &str) -> &str {
    text.strip_prefix(JOBS).unwrap_or(text)
}

/// The full name of an evaluation.
pub(crate) fn evaluation(text: &str) -> String {
    format!("{EVALUATIONS}{}", evaluation_id(text))
}

/// The last part of an evaluation's name.
pub(crate) fn evaluation_id(text: &str) -> &str {
    text.strip_prefix(EVALUATIONS).unwrap_or(text)
}

/// Puts the collection before a plain id; other forms are left to be refused with what they are.
fn with_collection(kind: Kind, text: &str) -> String {
    let collection = kind.collection();
    match text.split_once('/') {
        None => format!("{collection}/{text}"),
        Some((_, rest)) if rest.starts_with("sha256:") => text.to_owned(),
        Some((first, _)) if Kind::of_collection(first).is_ok() => text.to_owned(),
        Some((_, rest)) if rest.starts_with("versions/") => format!("{collection}/{text}"),
        Some(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_id_gets_its_collection() {
        let digest = rootstock_artifacts::Digest::of(b"x").to_string();
        assert_eq!(alias(Kind::Adapter, "greeter").unwrap(), "adapters/greeter");
        assert_eq!(alias(Kind::Adapter, "adapters/greeter").unwrap(), "adapters/greeter");
        assert_eq!(artifact(Kind::BaseModel, &digest).unwrap(), digest);
        let version = format!("greeter/versions/{digest}");
        assert_eq!(artifact(Kind::Adapter, &version).unwrap(), format!("adapters/{version}"));
        assert_eq!((job("a").as_str(), job_id("trainingJobs/a")), ("trainingJobs/a", "a"));
        assert_eq!((evaluation("a").as_str(), evaluation_id("evaluations/a")), ("evaluations/a", "a"));
    }

    #[test]
    fn what_is_no_name_is_refused_before_it_is_sent() {
        for name in ["", "A", "../x", "datasets/x", "models/x", "a/b/c"] {
            assert!(alias(Kind::Adapter, name).is_err(), "{name}");
        }
        assert_eq!(full_alias("datasets/x").unwrap(), "datasets/x");
        assert!(full_alias("x").unwrap_err().to_string().starts_with("name x: "));
        assert!(artifact(Kind::Adapter, "sha256:12").unwrap_err().to_string().contains("no digest"));
    }
}
