//! The service without its network: blobs, catalog and admission put together.
use std::collections::BTreeSet;

use rootstock_artifacts::blob_store::{Chunk, Hold, Sync, VerifiedRead};
use rootstock_artifacts::{
    AliasName, ArtifactName, BlobStore, Digest, Kind, Manifest, StoreError, UploadStatus,
};
use rootstock_runtime::Tasks;
use tokio::sync::watch;

use crate::admission::{Base, Inspection};
use crate::catalog::{ArtifactFilter, Catalog, Numbered};
use crate::metrics::StoreMetrics;
use crate::watch::Watcher;
use crate::{Alias, AliasChange, Artifact, Draft, Error};

/// The store; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store<C> {
    catalog: C,
    blobs: BlobStore,
    // The number of the last move, so that watches needn't ask the catalog over and over.
    moved: watch::Sender<i64>,
    metrics: StoreMetrics,
    tasks: Tasks,
}

impl<C: Catalog> Store<C> {
    pub(crate) async fn new(
        catalog: C,
        blobs: BlobStore,
        metrics: StoreMetrics,
        tasks: Tasks,
    ) -> Result<Self, Error> {
        let moved = watch::Sender::new(catalog.last_event().await?);
        Ok(Self { catalog, blobs, moved, metrics, tasks })
    }

    pub(crate) async fn missing(&self, digests: &[Digest]) -> Result<Vec<Digest>, Error> {
        Ok(self.blobs.missing(digests).await?)
    }

    pub(crate) async fn write(&self, chunk: Chunk, sync: Sync) -> Result<UploadStatus, Error> {
        let bytes = chunk.data.len();
        let written = self.blobs.write(chunk, sync).await;
        self.metrics.wrote(bytes, self.blobs.uploads());
        Ok(written?)
    }

    pub(crate) async fn write_status(&self, digest: &Digest) -> Result<UploadStatus, Error> {
        Ok(self.blobs.status(digest).await?)
    }

    pub(crate) async fn read(&self, digest: Digest, offset: u64, limit: u64) -> Result<VerifiedRead, Error> {
        Ok(self.blobs.read(digest, offset, limit).await?)
    }

    /// Takes note of what a read ended with.
    pub(crate) fn count_read(&self, read: &Result<Option<(u64, bytes::Bytes)>, StoreError>) {
        match read {
            Ok(Some((_, piece))) => self.metrics.read(piece.len()),
            Err(StoreError::Corrupt(digest)) => {
                tracing::error!(%digest, "a stored blob no longer matches its digest");
                self.metrics.corrupt();
            }
            _ => {}
        }
    }

    /// Checks the files for the artifact's kind and makes it visible; with `validate_only` only checks.
    pub(crate) async fn commit(&self, draft: Draft, validate_only: bool) -> Result<Artifact, Error> {
        let digests: BTreeSet<Digest> = draft.manifest.blobs.iter().map(|blob| blob.digest).collect();
        let mut holds: Vec<Hold> = Vec::with_capacity(digests.len());
        for digest in &digests {
            holds.push(self.blobs.hold(*digest).await);
        }
        self.check_blobs(&draft.manifest).await?;
        let base = self.base(&draft.manifest).await?;
        // Dropped with this call, which ends the reading behind it.
        let (inspection, _cancel) = Inspection::open(&self.blobs, &draft.manifest, base).await?;
        let tokenizer_digest = self.tasks.spawn_blocking("admission", move || inspection.run()).await??;
        let mut draft = draft;
        draft.manifest.tokenizer_digest = tokenizer_digest;
        if validate_only {
            let Draft { manifest, parent } = draft;
            return Ok(Artifact { digest: manifest.digest(), manifest, parent, create_time: None });
        }
        let artifact = self.catalog.insert_artifact(&draft).await?;
        self.blobs.committed(digests);
        self.metrics.committed(artifact.manifest.kind);
        tracing::info!(digest = %artifact.digest, kind = %artifact.manifest.kind, "committed an artifact");
        Ok(artifact)
    }

    async fn check_blobs(&self, manifest: &Manifest) -> Result<(), Error> {
        for (index, blob) in manifest.blobs.iter().enumerate() {
            match self.blobs.size(&blob.digest).await? {
                Some(size) if size == blob.size => {}
                Some(size) => {
                    let problem = format!("{}: the blob has {size} bytes, not {}", blob.path, blob.size);
                    return Err(Error::field(format!("artifact.blobs[{index}].size_bytes"), problem));
                }
                None => return Err(Error::BlobMissing { path: blob.path.clone(), digest: blob.digest }),
            }
        }
        Ok(())
    }

    /// What admission needs to know about the base model.
    async fn base(&self, manifest: &Manifest) -> Result<Option<Base>, Error> {
        let Some(digest) = manifest.base_digest else { return Ok(None) };
        let artifact = self.catalog.artifact(&digest, None).await?;
        let artifact = artifact.ok_or_else(|| Error::NotFound(format!("base model {digest}")))?;
        if artifact.manifest.kind != Kind::BaseModel {
            let problem = format!("names an artifact of kind {}, not base_model", artifact.manifest.kind);
            return Err(Error::field("artifact.base_digest", problem));
        }
        Ok(Some(Base::read(&self.blobs, &artifact).await?))
    }

    pub(crate) async fn artifact(&self, name: &ArtifactName) -> Result<Artifact, Error> {
        let found = match name {
            ArtifactName::Digest(digest) => self.catalog.artifact(digest, None).await?,
            ArtifactName::Version(parent, digest) => self.catalog.artifact(digest, Some(parent)).await?,
            ArtifactName::Alias(alias) => {
                let digest = self.alias(alias).await?.current.digest;
                self.catalog.artifact(&digest, Some(alias)).await?
            }
        };
        found.ok_or_else(|| Error::NotFound(format!("artifact {name}")))
    }

    pub(crate) async fn list_artifacts(
        &self,
        filter: &ArtifactFilter,
        limit: usize,
    ) -> Result<Vec<Numbered>, Error> {
        self.catalog.list_artifacts(filter, limit).await
    }

    /// Deletes an artifact and those of its blobs that nothing keeps; returns the bytes freed.
    pub(crate) async fn delete(&self, digest: &Digest) -> Result<u64, Error> {
        let blobs = self.catalog.delete_artifact(digest).await?;
        tracing::info!(%digest, "deleted an artifact");
        // What a failure leaves here, the next sweep takes.
        let freed = self.blobs.collect(blobs, |blobs| self.catalog.needed(blobs)).await?;
        self.metrics.collected(freed);
        Ok(freed)
    }

    /// Reads every byte of an artifact again; returns how many that were.
    pub(crate) async fn verify(&self, digest: &Digest) -> Result<u64, Error> {
        let artifact = self.artifact(&ArtifactName::Digest(*digest)).await?;
        let mut verified = 0;
        for blob in &artifact.manifest.blobs {
            let read = self.blobs.verify(blob.digest).await.map_err(|error| match error {
                // What a committed artifact needs is never collected.
                StoreError::NotFound(lost) => StoreError::Corrupt(lost),
                other => other,
            });
            if let Err(error @ StoreError::Corrupt(_)) = read {
                tracing::error!(%digest, path = blob.path, "a stored file no longer matches its digest");
                self.metrics.corrupt();
                return Err(error.into());
            }
            verified += read?;
        }
        Ok(verified)
    }

    pub(crate) async fn alias(&self, name: &AliasName) -> Result<Alias, Error> {
        self.catalog.alias(name).await?.ok_or_else(|| Error::NotFound(format!("alias {name}")))
    }

    pub(crate) async fn list_aliases(
        &self,
        kind: Option<Kind>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>, Error> {
        self.catalog.list_aliases(kind, after, limit).await
    }

    pub(crate) async fn set_alias(&self, change: &AliasChange) -> Result<Alias, Error> {
        let event = self.catalog.move_alias(change).await?;
        // Moves may return out of order; the number only rises.
        self.moved.send_if_modified(|last| {
            let newer = event.event_id > *last;
            *last = event.event_id.max(*last);
            newer
        });
        self.metrics.moved();
        let alias = event.alias;
        tracing::info!(name = %alias.name, generation = alias.current.generation, "moved an alias");
        Ok(alias)
    }

    /// Begins to watch the aliases of a collection after an event, or with 0 from the present records on.
    pub(crate) async fn watch_aliases(&self, kind: Option<Kind>, after: i64) -> Result<Watcher<C>, Error> {
        Watcher::new(self.catalog.clone(), self.moved.subscribe(), kind, after).await
    }

    /// Gives up abandoned uploads and removes blobs that nothing needs; returns the bytes freed.
    pub(crate) async fn sweep(&self) -> Result<u64, Error> {
        self.blobs.expire_uploads().await?;
        let freed = self.blobs.sweep(|blobs| self.catalog.needed(blobs)).await?;
        self.metrics.collected(freed);
        Ok(freed)
    }

    pub(crate) async fn close(&self) {
        self.catalog.close().await;
    }
}
