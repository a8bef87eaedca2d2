//! `rootstock adapters versions`: what can be published under a name.
use std::collections::BTreeSet;

use clap::Args;
use futures::StreamExt;
use rootstock_artifacts::Kind;
use rootstock_client::ErrorReason;
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};
use serde::Serialize;

use crate::table::{self, Tabular};
use crate::{CliError, Context, names};

/// Arguments of `adapters versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// The adapter
    name: String,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Version {
    digest: String,
    published: bool,
    /// Whether it is tried beside the one that is published.
    canary: bool,
    /// Whether the name's history has it, and the store no more.
    deleted: bool,
    /// The generations that served it, as far as the name's history goes, newest first.
    generations: Vec<i64>,
    base_digest: String,
    size_bytes: Option<i64>,
    create_time: Option<String>,
}

impl Tabular for Version {
    const HEADER: &'static [&'static str] =
        &["DIGEST", "PUBLISHED", "GENERATIONS", "BASE", "SIZE", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let generations: Vec<String> = self.generations.iter().map(ToString::to_string).collect();
        vec![
            // Whole, because it is copied from here into `publish --digest`.
            self.digest.clone(),
            self.state().to_owned(),
            if generations.is_empty() { "-".to_owned() } else { generations.join(",") },
            table::short(&self.base_digest),
            table::or_dash(self.size_bytes.map(table::bytes)),
            table::time(self.create_time.as_deref()),
        ]
    }
}

impl Version {
    /// A version as the store and the name's record have it.
    fn new(digest: String, artifact: Option<Artifact>, alias: Option<&Alias>) -> Self {
        let deleted = artifact.is_none();
        let Artifact { base_digest, size_bytes, create_time, .. } = artifact.unwrap_or_default();
        Self {
            published: alias.is_some_and(|alias| !alias.retired && alias.digest == digest),
            canary: alias.is_some_and(|alias| canary(alias) == Some(&digest)),
            deleted,
            generations: alias.map(|alias| generations(alias, &digest)).unwrap_or_default(),
            digest,
            base_digest,
            size_bytes: (!deleted).then_some(size_bytes),
            create_time: create_time.map(|time| time.to_string()),
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self { published: true, .. } => "yes",
            Self { canary: true, .. } => "canary",
            Self { deleted: true, .. } => "deleted",
            _ => "no",
        }
    }
}

pub(crate) async fn run(args: VersionsArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let checkpoint = context.clients().checkpoint();
    let artifacts = checkpoint.list_artifacts(Some(&name), Some(Kind::Adapter)).await?;
    let alias = record(context, &name).await?;
    // What was stored under another name, such as that of the job that made it, can be published under this one.
    let mut elsewhere = Vec::new();
    for digest in alias.as_ref().map(named).unwrap_or_default() {
        if artifacts.iter().all(|artifact| artifact.digest != digest) {
            elsewhere.push((digest.clone(), stored(context, &digest).await?));
        }
    }
    let own = artifacts.into_iter().map(|artifact| (artifact.digest.clone(), Some(artifact)));
    let versions: Vec<Version> = own
        .chain(elsewhere)
        .map(|(digest, artifact)| Version::new(digest, artifact, alias.as_ref()))
        .collect();
    context.list(&versions, args.json)
}

/// The record behind a name, as it was retired if it is; none if the name was never published.
async fn record(context: &Context, name: &str) -> Result<Option<Alias>, CliError> {
    let checkpoint = context.clients().checkpoint();
    match checkpoint.get_alias(name).await {
        Ok(alias) => return Ok(Some(alias)),
        Err(error) if error.is(ErrorReason::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    // Only a watch tells of names that are out of service.
    let mut records = checkpoint.watch_aliases(format!("{}/", Kind::Adapter.collection()), 0);
    while let Some(message) = records.next().await {
        let message = message?;
        match message.alias {
            Some(alias) if alias.name == name => return Ok(Some(alias)),
            _ if message.synced => break,
            _ => {}
        }
    }
    Ok(None)
}

/// An artifact, unless it was deleted.
async fn stored(context: &Context, digest: &str) -> Result<Option<Artifact>, CliError> {
    match context.clients().checkpoint().get_artifact(digest).await {
        Ok(artifact) => Ok(Some(artifact)),
        Err(error) if error.is(ErrorReason::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The versions that a record names, each once: the present one, its canary, and those before, newest first.
fn named(alias: &Alias) -> Vec<String> {
    let before = alias.history.iter().map(|revision| &revision.digest);
    let mut seen = BTreeSet::new();
    let named = std::iter::once(&alias.digest).chain(canary(alias)).chain(before);
    named.filter(|digest| seen.insert(*digest)).cloned().collect()
}

fn canary(alias: &Alias) -> Option<&String> {
    alias.canary.as_ref().map(|canary| &canary.digest)
}

/// The generations at which a name came to stand for a version.
fn generations(alias: &Alias, digest: &str) -> Vec<i64> {
    let of_digest = alias.history.iter().filter(|revision| revision.digest == digest);
    of_digest.map(|revision| revision.generation).collect()
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::checkpoint::v1::{AliasRevision, Canary};

    use super::*;

    fn alias(digests: &[&str]) -> Alias {
        let generations = (1..=digests.len() as i64).rev();
        let revision = |(generation, digest): (i64, &&str)| AliasRevision {
            generation,
            digest: (*digest).to_owned(),
            ..AliasRevision::default()
        };
        Alias {
            digest: digests[0].to_owned(),
            generation: digests.len() as i64,
            history: generations.zip(digests).map(revision).collect(),
            ..Alias::default()
        }
    }

    #[test]
    fn a_record_names_what_is_served_what_is_tried_and_what_was_before() {
        let canary = Some(Canary { digest: "c".to_owned(), share: 0.5 });
        let alias = Alias { canary, ..alias(&["b", "a", "b"]) };
        assert_eq!(named(&alias), ["b", "c", "a"]);
        let version = |digest: &str, artifact| Version::new(digest.to_owned(), artifact, Some(&alias));
        let present = version("b", Some(Artifact::default()));
        assert_eq!((present.state(), &present.generations[..]), ("yes", &[3, 1][..]));
        let tried = version("c", Some(Artifact::default()));
        assert_eq!((tried.state(), tried.generations.is_empty()), ("canary", true));
        let gone = version("a", None);
        assert_eq!((gone.state(), &gone.generations[..]), ("deleted", &[2][..]));
        assert_eq!(gone.cells()[3..], ["-", "-", "-"]);
    }

    #[test]
    fn a_retired_name_serves_nothing_and_keeps_its_generations() {
        let alias = Alias { retired: true, ..alias(&["b", "a"]) };
        let last = Version::new("b".to_owned(), Some(Artifact::default()), Some(&alias));
        assert_eq!((last.state(), &last.generations[..]), ("no", &[2][..]));
        let other = Version::new("c".to_owned(), Some(Artifact::default()), None);
        assert_eq!((other.state(), &other.cells()[2][..]), ("no", "-"));
    }
}
