//! Uploads: chunks in, a verified blob out.
use bytes::Bytes;
use object_store::{ObjectStoreExt, path::Path as ObjectPath};
use tokio::sync::OwnedMutexGuard;

use super::slot::Upload;
use super::spool::{self, SpoolFile};
use super::{BlobStore, MAX_CHUNK_BYTES, SPOOL, StoreError, blocking, object_path};
use crate::Digest;
use crate::faults::Point;

/// One chunk of a blob.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Digest of the whole blob.
    pub digest: Digest,
    /// Size of the whole blob.
    pub total: u64,
    /// Where the chunk starts.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}

/// When a chunk must be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before the call returns.
    Now,
    /// With a later chunk, or at [`BlobStore::status`].
    Later,
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadStatus {
    /// How many bytes are durable.
    pub durable: u64,
    /// Whether the blob is whole and verified.
    pub complete: bool,
}

impl UploadStatus {
    fn complete(size: u64) -> Self {
        Self { durable: size, complete: true }
    }
}

impl BlobStore {
    /// Appends a chunk; the part of it that is there already is skipped. The last one verifies the digest and makes the
    /// blob visible, which is then kept for the commit that is to follow.
    ///
    /// # Errors
    /// When the chunk fits nowhere, the digest is wrong, or there is no room; in the last two cases nothing of the
    /// upload is left.
    pub async fn write(&self, chunk: Chunk, sync: Sync) -> Result<UploadStatus, StoreError> {
        check(&chunk, self.0.options.max_blob_bytes)?;
        if let Some(size) = self.size(&chunk.digest).await? {
            return completed(&chunk, size);
        }
        let store = self.clone();
        // A caller that goes away must not leave a step half-done, so the steps don't run in its future.
        let written = tokio::spawn(async move { store.write_step(chunk, sync).await });
        written.await.map_err(|error| StoreError::Io(error.into()))?
    }

    async fn write_step(&self, chunk: Chunk, sync: Sync) -> Result<UploadStatus, StoreError> {
        let guard = match self.0.slots.enter(chunk.digest).await {
            Err(StoreError::TooManyUploads(_))
                if self.expire_uploads().await? > 0 || self.make_room().await? > 0 =>
            {
                self.0.slots.enter(chunk.digest).await?
            }
            entered => entered?,
        };
        if matches!(*guard, Upload::Ended) {
            // Another caller ended it while this one waited.
            drop(guard);
            return match self.size(&chunk.digest).await? {
                Some(size) => completed(&chunk, size),
                None => Err(StoreError::WrongOffset { expected: 0, got: chunk.offset }),
            };
        }
        let (digest, store) = (chunk.digest, self.clone());
        let (mut guard, appended) = blocking(move || store.append(guard, &chunk, sync)).await?;
        let status = match appended {
            Ok(status) => status,
            Err(error) => return Err(self.after_failure(guard, digest, error).await),
        };
        if !status.complete {
            return Ok(status);
        }
        match self.publish(&digest).await {
            Ok(()) => {
                *guard = Upload::Ended;
                self.0.slots.leave(&digest);
                Ok(status)
            }
            Err(error) => Err(self.after_failure(guard, digest, error).await),
        }
    }

    /// Puts the chunk into the upload's file. `complete` in the result means that the bytes are all there, durable and
    /// verified.
    fn append(
        &self,
        mut guard: OwnedMutexGuard<Upload>,
        chunk: &Chunk,
        sync: Sync,
    ) -> (OwnedMutexGuard<Upload>, Result<UploadStatus, StoreError>) {
        let appended = self.opened(&mut guard, chunk).and_then(|file| self.append_to(file, chunk, sync));
        (guard, appended)
    }

    fn append_to(&self, file: &mut SpoolFile, chunk: &Chunk, sync: Sync) -> Result<UploadStatus, StoreError> {
        let faults = &self.0.options.faults;
        if chunk.total != file.total() {
            return Err(StoreError::WrongTotal { expected: file.total(), got: chunk.total });
        }
        let present = file.written().checked_sub(chunk.offset);
        let present =
            present.ok_or(StoreError::WrongOffset { expected: file.written(), got: chunk.offset })?;
        let fresh = usize::try_from(present).unwrap_or(usize::MAX).min(chunk.data.len());
        file.append(&chunk.data[fresh..], faults)?;
        let last = file.written() == file.total();
        if last || sync == Sync::Now {
            file.sync(faults)?;
        }
        if last {
            faults.pass(Point::VerifyDigest)?;
            let actual = file.digest();
            if actual != chunk.digest {
                return Err(StoreError::DigestMismatch { expected: chunk.digest, actual });
            }
        }
        Ok(UploadStatus { durable: file.durable(), complete: last })
    }

    /// The upload's file, opened or made if need be. A first chunk with another size than before begins again.
    fn opened<'a>(&self, upload: &'a mut Upload, chunk: &Chunk) -> Result<&'a mut SpoolFile, StoreError> {
        let dir = &self.0.spool;
        if matches!(upload, Upload::Interrupted) {
            *upload = SpoolFile::reopen(dir, &chunk.digest)?.map_or(Upload::New, Upload::Open);
        }
        let restart =
            matches!(upload, Upload::Open(file) if chunk.offset == 0 && file.total() != chunk.total);
        if matches!(upload, Upload::New) && chunk.offset > 0 {
            return Err(StoreError::WrongOffset { expected: 0, got: chunk.offset });
        }
        if restart || matches!(upload, Upload::New) {
            // The old files are gone even if the new ones can't be made.
            *upload = Upload::New;
            *upload =
                Upload::Open(SpoolFile::create(dir, &chunk.digest, chunk.total, &self.0.options.faults)?);
        }
        match upload {
            Upload::Open(file) => Ok(file),
            _ => Err(StoreError::WrongOffset { expected: 0, got: chunk.offset }),
        }
    }

    /// Makes a verified upload visible by one rename. The name may be taken only by the same bytes, so that replacing
    /// is harmless, and a blob that was damaged on disk is healed by it.
    async fn publish(&self, digest: &Digest) -> Result<(), StoreError> {
        let faults = &self.0.options.faults;
        let hold = self.hold(*digest).await;
        faults.pass(Point::PublishBlob)?;
        let spooled = ObjectPath::from_iter([SPOOL, format!("{}.{}", digest.hex(), spool::DATA).as_str()]);
        self.0.objects.rename(&spooled, &object_path(digest)).await?;
        hold.expect_commit();
        match self.clean_spool(*digest).await {
            // The blob is there; what is left of its upload goes when the store opens again.
            Err(error) if !faults.crashed() => {
                tracing::warn!(%error, %digest, "an upload's record stays behind");
            }
            cleaned => cleaned?,
        }
        Ok(())
    }

    async fn clean_spool(&self, digest: Digest) -> Result<(), StoreError> {
        self.0.options.faults.pass(Point::CleanSpool)?;
        self.remove_spooled(digest).await
    }

    /// After a wrong digest or a full disk nothing of an upload stays; after other errors it can go on.
    async fn after_failure(
        &self,
        mut guard: OwnedMutexGuard<Upload>,
        digest: Digest,
        error: StoreError,
    ) -> StoreError {
        if self.0.options.faults.crashed() {
            return error;
        }
        if matches!(&*guard, Upload::Open(file) if file.lost()) {
            // What is gone on from is what was durable before.
            *guard = Upload::Interrupted;
        }
        let discard = matches!(error, StoreError::DigestMismatch { .. } | StoreError::Full);
        if !discard && !matches!(*guard, Upload::New) {
            return error;
        }
        *guard = Upload::Ended;
        self.0.slots.leave(&digest);
        if let Err(failure) = self.remove_spooled(digest).await {
            tracing::warn!(%failure, %digest, "a failed upload could not be removed");
        }
        error
    }

    /// Where an upload stands. What was appended before is durable afterwards.
    ///
    /// # Errors
    /// When the file system fails.
    pub async fn status(&self, digest: &Digest) -> Result<UploadStatus, StoreError> {
        if let Some(size) = self.size(digest).await? {
            return Ok(UploadStatus::complete(size));
        }
        let Some(mut guard) = self.0.slots.find(digest).await else {
            return Ok(UploadStatus { durable: 0, complete: false });
        };
        let (store, digest) = (self.clone(), *digest);
        let durable = blocking(move || store.durable(&mut guard, &digest)).await??;
        match durable {
            Some(durable) => Ok(UploadStatus { durable, complete: false }),
            // It ended meanwhile.
            None => Ok(self
                .size(&digest)
                .await?
                .map_or(UploadStatus { durable: 0, complete: false }, UploadStatus::complete)),
        }
    }

    fn durable(&self, upload: &mut Upload, digest: &Digest) -> Result<Option<u64>, StoreError> {
        match upload {
            Upload::New => Ok(Some(0)),
            Upload::Ended => Ok(None),
            Upload::Open(file) => {
                let synced = file.sync(&self.0.options.faults);
                let durable = file.durable();
                if file.lost() {
                    *upload = Upload::Interrupted;
                }
                synced.map(|()| Some(durable)).map_err(StoreError::from)
            }
            Upload::Interrupted => {
                *upload = SpoolFile::reopen(&self.0.spool, digest)?.map_or(Upload::New, Upload::Open);
                Ok(Some(if let Upload::Open(file) = upload { file.durable() } else { 0 }))
            }
        }
    }
}

/// Checks what can be checked without the upload.
fn check(chunk: &Chunk, max_blob_bytes: u64) -> Result<(), StoreError> {
    if chunk.data.len() > MAX_CHUNK_BYTES {
        return Err(StoreError::ChunkTooLarge(chunk.data.len()));
    }
    if chunk.total > max_blob_bytes {
        return Err(StoreError::BlobTooLarge { size: chunk.total, max: max_blob_bytes });
    }
    let end = chunk.offset.saturating_add(chunk.data.len() as u64);
    if end > chunk.total {
        return Err(StoreError::BeyondEnd { end, total: chunk.total });
    }
    Ok(())
}

/// The answer to a chunk of a blob that is there.
fn completed(chunk: &Chunk, size: u64) -> Result<UploadStatus, StoreError> {
    if chunk.total == size {
        Ok(UploadStatus::complete(size))
    } else {
        Err(StoreError::WrongTotal { expected: size, got: chunk.total })
    }
}
