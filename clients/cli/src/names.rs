//! Names as people type them: `greeter` means `adapters/greeter` where an adapter is asked for.
use std::collections::BTreeSet;

use rootstock_artifacts::{AliasName, ArtifactName, Kind};

use crate::{CliError, Context};

/// How a digest begins.
const SHA256: &str = "sha256:";
/// Digits of a whole digest.
const DIGITS: usize = 64;

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
    if text.starts_with(SHA256) {
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
        let digits = "give sha256: and 64 hexadecimal digits, as --json shows them";
        CliError::refused(format!("{text} is no digest: {digits}"))
    })
}

/// As [`artifact`], where a digest may be shortened as lists show it.
pub(crate) async fn stored(context: &Context, kind: Kind, text: &str) -> Result<String, CliError> {
    if text.starts_with(SHA256) {
        stored_digest(context, Some(kind), text).await
    } else {
        artifact(kind, text)
    }
}

/// A digest, or so much of its beginning that only one artifact in the store, of this kind if one is given, has it.
pub(crate) async fn stored_digest(
    context: &Context,
    kind: Option<Kind>,
    text: &str,
) -> Result<String, CliError> {
    if !is_shortened(text) {
        return digest(text);
    }
    let artifacts = context.clients().checkpoint().list_artifacts(None, kind).await?;
    whole(text, artifacts.into_iter().map(|artifact| artifact.digest))
}

fn is_shortened(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(SHA256)
        .is_some_and(|digits| (1..DIGITS).contains(&digits.len()) && digits.bytes().all(is_digit))
}

/// The one of these digests that begins so.
fn whole(text: &str, digests: impl Iterator<Item = String>) -> Result<String, CliError> {
    let mut found: BTreeSet<String> = digests.filter(|digest| digest.starts_with(text)).collect();
    match (found.pop_first(), found.pop_first()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => Err(CliError::refused(format!(
            "{text} is the beginning of more than one digest, such as {one} and {other}; give more digits"
        ))),
        (None, _) => Err(CliError::refused(format!("{text} is the beginning of no digest in the store"))),
    }
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
    fn a_shortened_digest_means_the_only_one_that_begins_so() {
        assert!(is_shortened("sha256:f600b9532c64"));
        let full = rootstock_artifacts::Digest::of(b"x").to_string();
        for other in [full.as_str(), "sha256:", "sha256:F6", "sha256:xy", "f600b9532c64"] {
            assert!(!is_shortened(other), "{other}");
        }
        let stored =
            || ["sha256:aa11", "sha256:aa22", "sha256:bb", "sha256:bb"].map(str::to_owned).into_iter();
        assert_eq!(whole("sha256:aa1", stored()).unwrap(), "sha256:aa11");
        assert_eq!(whole("sha256:b", stored()).unwrap(), "sha256:bb");
        let refused = |text| whole(text, stored()).unwrap_err().to_string();
        let both = refused("sha256:aa");
        assert!(both.contains("sha256:aa11 and sha256:aa22") && both.contains("more digits"), "{both}");
        assert_eq!(refused("sha256:c"), "sha256:c is the beginning of no digest in the store");
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
