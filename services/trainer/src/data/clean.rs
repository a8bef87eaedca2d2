//! Cleaning: a data set in, a new version of one out, the same for the same data and settings.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rootstock_artifacts::Kind;
use rootstock_client::{ArtifactDraft, ErrorReason, Expect, Progress, Source};
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_text::{Cleaner, Cleaning, RecordFormat};

use super::{Budget, DataDesk, of_fault};
use crate::{
    convert::{Clean, cleaned},
    error::Error,
    worker::{files::Contents, stop::Stop},
};

impl DataDesk {
    /// Makes a data set without the records that filters take out.
    pub(crate) async fn clean(&self, clean: Clean) -> Result<proto::CleanDatasetResponse, Error> {
        let (beside, _ends) = self.beside()?;
        let Clean { dataset, output, cleaning } = clean;
        let (alias, checkpoint) = (output.to_string(), self.clients.checkpoint());
        let expect = match checkpoint.get_alias(&alias).await {
            Ok(found) => Expect::Etag(found.etag),
            Err(error) if error.is(ErrorReason::NotFound) => Expect::Absent,
            Err(error) => return Err(Error::remote(error, "checkpoint", "output")),
        };
        let contents = self.contents("dataset", &dataset, &mut Budget::default()).await?;
        let source = self.resolver.artifact("dataset", &dataset, &[ArtifactKind::Dataset]).await?;
        let washed = beside.run(move |stop| Ok(wash(&contents, cleaning, stop)));
        let (files, cleaner) = washed.await.map_err(of_fault)??;
        let draft = ArtifactDraft {
            files,
            annotations: annotations(&cleaning, &cleaner),
            tokenizer_digest: source.tokenizer_digest,
            ..ArtifactDraft::new(Kind::Dataset).parent(&alias)
        };
        let stored = checkpoint.upload_artifact(draft, &Progress::none()).await;
        let digest = stored.map_err(|error| Error::remote(error, "checkpoint", "output"))?.digest;
        let moved = checkpoint.set_alias(&alias, &digest, expect).await;
        moved.map_err(|error| Error::remote(error, "checkpoint", "output"))?;
        tracing::info!(digest, rows = cleaner.read, kept = cleaner.kept(), "data set cleaned");
        Ok(cleaned(&cleaner, digest))
    }
}

/// Files of what stays.
fn wash(
    contents: &Contents,
    cleaning: Cleaning,
    stop: &Stop,
) -> Result<(Vec<(String, Source)>, Cleaner), Error> {
    let mut cleaner = Cleaner::new(cleaning);
    let (mut files, mut names) = (Vec::new(), BTreeSet::new());
    for (name, bytes) in contents {
        stop.check().map_err(of_fault)?;
        let (stem, kept) = match RecordFormat::from_name(name) {
            Some(format) => {
                (name.rsplit_once('.').map_or("", |(stem, _)| stem), cleaner.records(bytes, format))
            }
            None => (name.as_str(), cleaner.text(bytes).map(String::into_bytes)),
        };
        let kept = kept.map_err(|error| Error::invalid("dataset", format!("{name}: {error}")))?;
        if kept.is_empty() {
            continue;
        }
        let ending = if stem == name { "" } else { ".jsonl" };
        let mut stored = format!("{stem}{ending}");
        let mut number = files.len();
        // Of two formats of one name.
        while !names.insert(stored.clone()) {
            stored = format!("part-{number:04}{ending}");
            number += 1;
        }
        files.push((stored, Source::Bytes(Bytes::from(kept))));
    }
    if files.is_empty() {
        let message = format!("takes out all {} records; loosen it", cleaner.read);
        return Err(Error::invalid("cleaning", message));
    }
    Ok((files, cleaner))
}

/// What was done, for people.
fn annotations(cleaning: &Cleaning, cleaner: &Cleaner) -> BTreeMap<String, String> {
    [
        ("cleaning", format!("{cleaning:?}")),
        ("rows", cleaner.read.to_string()),
        ("kept_rows", cleaner.kept().to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
