//! Downloads into the local cache: only what the cache lacks, going on where a transfer was cut, verified by digest.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};
use rootstock_artifacts::cache::{Fill, Partial};
use rootstock_artifacts::{Cache, CacheError, Digest, Lease};
use rootstock_proto::checkpoint::v1::{Artifact, BlobEntry, ReadBlobRequest};
use rootstock_proto::common::v1::ErrorReason;
use tonic::Code;

use super::progress::{Meter, Share};
use super::{CheckpointClient, Progress};
use crate::{ClientError, backoff};

/// Files fetched at a time.
const PARALLEL: usize = 4;
/// Cuts in a row without a byte of progress after which a transfer gives up.
const MAX_FRUITLESS: u32 = 6;

/// An artifact whose files lie in the local cache. As long as it lives, the cache keeps them.
#[derive(Debug)]
pub struct FetchedArtifact {
    /// The artifact.
    pub artifact: Artifact,
    /// Where each of its files lies, by name. The files are immutable.
    pub files: BTreeMap<String, PathBuf>,
    leases: BTreeMap<String, Lease>,
}

impl FetchedArtifact {
    /// Where a file lies.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(PathBuf::as_path)
    }

    /// The files whose names have this ending, in order of their names.
    pub fn paths_ending(&self, ending: &str) -> Vec<PathBuf> {
        self.files.iter().filter(|(name, _)| name.ends_with(ending)).map(|(_, path)| path.clone()).collect()
    }

    /// Makes `dir` hold the files under their names, as hard links; blocks on the disk.
    ///
    /// # Errors
    /// When a link cannot be made.
    pub fn materialize(&self, cache: &Cache, dir: &Path) -> std::io::Result<()> {
        cache.materialize(dir, self.leases.iter().map(|(name, lease)| (name.as_str(), lease)))
    }
}

impl CheckpointClient {
    /// Fetches an artifact by digest, alias or version into the cache, as far as it isn't there.
    ///
    /// # Errors
    /// NOT_FOUND, CORRUPT, INVALID_FIELD, when the cache has no room, or the connection's.
    pub async fn fetch_artifact(
        &self,
        name: impl Into<String>,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<FetchedArtifact, ClientError> {
        let artifact = self.get_artifact(name).await?;
        self.fetch_files(artifact, cache, progress).await
    }

    /// Fetches the files of an artifact whose record is known already.
    ///
    /// # Errors
    /// As [`CheckpointClient::fetch_artifact`].
    pub async fn fetch_files(
        &self,
        artifact: Artifact,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<FetchedArtifact, ClientError> {
        let meter = Meter::new(progress, u64::try_from(artifact.size_bytes).unwrap_or_default());
        // One after the other for files that are the same: the second would wait for the first's lock for ever.
        let mut by_digest: BTreeMap<&str, Vec<BlobEntry>> = BTreeMap::new();
        for blob in &artifact.blobs {
            by_digest.entry(&blob.digest).or_default().push(blob.clone());
        }
        let leased: Vec<Vec<(String, Lease)>> = stream::iter(by_digest.into_values())
            .map(|blobs| self.fetch_same(blobs, cache, &meter))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let leases: BTreeMap<String, Lease> = leased.into_iter().flatten().collect();
        let files = leases.iter().map(|(name, lease)| (name.clone(), lease.path().to_owned())).collect();
        Ok(FetchedArtifact { artifact, files, leases })
    }

    /// Reads a small blob into memory.
    ///
    /// # Errors
    /// NOT_FOUND, CORRUPT, when it is larger than `max_bytes` or not what the digest says, or the connection's.
    pub async fn read_blob(&self, digest: &Digest, max_bytes: usize) -> Result<Bytes, ClientError> {
        let mut failures = 0;
        loop {
            match self.read_once(digest, max_bytes).await {
                Err(error) if error.is_transient() && failures < MAX_FRUITLESS => {
                    failures += 1;
                    tokio::time::sleep(backoff::delay(failures, error.retry_after)).await;
                }
                read => return read,
            }
        }
    }

    async fn read_once(&self, digest: &Digest, max_bytes: usize) -> Result<Bytes, ClientError> {
        let request = ReadBlobRequest { digest: digest.to_string(), offset: 0, limit: 0 };
        let mut streaming = self.raw().read_blob(request).await?.into_inner();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = streaming.message().await? {
            if bytes.len() + chunk.data.len() > max_bytes {
                let message = format!("blob {digest} is larger than the {max_bytes} bytes expected");
                return Err(ClientError::plain(Code::OutOfRange, message));
            }
            bytes.extend_from_slice(&chunk.data);
        }
        let bytes = bytes.freeze();
        let (expected, measured) = (*digest, bytes.clone());
        let actual = blocking(move || Ok(Digest::of(&measured))).await?;
        if actual == expected { Ok(bytes) } else { Err(mismatch(&expected, &actual)) }
    }

    async fn fetch_same(
        &self,
        blobs: Vec<BlobEntry>,
        cache: &Cache,
        meter: &Meter,
    ) -> Result<Vec<(String, Lease)>, ClientError> {
        let mut leases = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let lease = self.fetch_blob(&blob, cache, meter.share()).await?;
            leases.push((blob.path, lease));
        }
        Ok(leases)
    }

    async fn fetch_blob(
        &self,
        blob: &BlobEntry,
        cache: &Cache,
        mut share: Share,
    ) -> Result<Lease, ClientError> {
        let digest: Digest = blob.digest.parse().map_err(|_| ClientError::incomplete("digest"))?;
        let size = u64::try_from(blob.size_bytes).unwrap_or_default();
        // What an earlier transfer left may be damaged; then one fresh start is worth it.
        let mut fresh_start = true;
        loop {
            let opened = cache.clone();
            let mut partial = match blocking(move || opened.fill(&digest, size)).await? {
                Fill::Present(lease) => {
                    share.at(size);
                    return Ok(lease);
                }
                Fill::Partial(partial) => partial,
            };
            let resumed = partial.offset() > 0;
            let mut fruitless = 0;
            while !partial.is_complete() {
                let before = partial.offset();
                let (returned, result) = self.receive(&digest, partial, &mut share).await;
                partial = returned?;
                fruitless = if partial.offset() > before { 0 } else { fruitless + 1 };
                match result {
                    Ok(()) if partial.is_complete() => {}
                    Ok(()) if fruitless < MAX_FRUITLESS => {}
                    Ok(()) => return Err(ClientError::incomplete("rest of the blob")),
                    Err(error) if error.is_transient() && fruitless < MAX_FRUITLESS => {
                        tracing::debug!(%error, offset = partial.offset(), "the transfer was cut; going on");
                        tokio::time::sleep(backoff::delay(fruitless.max(1), error.retry_after)).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            match blocking(move || partial.finish()).await {
                Err(error) if error.is(ErrorReason::Corrupt) && resumed && fresh_start => fresh_start = false,
                finished => return finished,
            }
        }
    }

    /// Receives what comes in one call. The outer result is lost only with the transfer's file.
    async fn receive(
        &self,
        digest: &Digest,
        partial: Partial,
        share: &mut Share,
    ) -> (Result<Partial, ClientError>, Result<(), ClientError>) {
        let offset = i64::try_from(partial.offset()).unwrap_or(i64::MAX);
        let request = ReadBlobRequest { digest: digest.to_string(), offset, limit: 0 };
        let mut streaming = match self.raw().read_blob(request).await {
            Ok(response) => response.into_inner(),
            Err(status) => return (Ok(partial), Err(status.into())),
        };
        let mut partial = partial;
        loop {
            match streaming.message().await {
                Ok(Some(chunk)) => match append(partial, chunk.data).await {
                    Ok(appended) => partial = appended,
                    Err(error) => return (Err(error), Ok(())),
                },
                Ok(None) => return (Ok(partial), Ok(())),
                Err(status) => return (Ok(partial), Err(status.into())),
            }
            share.at(partial.offset());
        }
    }
}

async fn append(mut partial: Partial, data: Bytes) -> Result<Partial, ClientError> {
    blocking(move || {
        partial.append(&data)?;
        Ok(partial)
    })
    .await
}

/// Runs what blocks on the disk or hashes on a thread for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CacheError> + Send + 'static,
) -> Result<T, ClientError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(CacheError::Mismatch { expected, actual })) => Err(mismatch(&expected, &actual)),
        Ok(Err(error)) => Err(ClientError::local("cannot store the file locally", error)),
        Err(error) => Err(ClientError::local("cannot store the file locally", error)),
    }
}

fn mismatch(expected: &Digest, actual: &Digest) -> ClientError {
    let message = format!("blob {expected} arrived with digest {actual}");
    ClientError { reason: Some(ErrorReason::Corrupt), ..ClientError::plain(Code::DataLoss, message) }
}
