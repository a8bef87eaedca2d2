//! What goes: leftovers of a crash, abandoned uploads, and blobs that no artifact needs any more.
use std::collections::HashSet;
use std::future::Future;
use std::path::Path;
use std::time::SystemTime;

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, path::Path as ObjectPath};

use super::slot::Upload;
use super::{BLOBS, BlobStore, StoreError, blocking, object_path, spool};
use crate::faults::Point;
use crate::{Digest, fsync};

impl BlobStore {
    /// Clears away what a crash left in the spool, and takes in the uploads that can go on.
    pub(super) async fn recover(&self) -> Result<(), StoreError> {
        let dir = self.0.spool.clone();
        let interrupted = blocking(move || sort_out(&dir)).await??;
        for (digest, used) in interrupted {
            if self.size(&digest).await?.is_some() {
                self.remove_spooled(digest).await?;
            } else {
                self.0.slots.restore(digest, used);
            }
        }
        self.expire_uploads().await?;
        Ok(())
    }

    /// Gives up the uploads that got no byte for long; returns how many.
    ///
    /// # Errors
    /// When the file system fails.
    pub async fn expire_uploads(&self) -> Result<usize, StoreError> {
        let Some(before) = SystemTime::now().checked_sub(self.0.options.expiry) else { return Ok(0) };
        self.give_up(self.0.slots.unused_since(before)).await
    }

    /// Gives up the one upload that got no byte for longest, if that is long enough; returns how many, 0 or 1.
    pub(super) async fn make_room(&self) -> Result<usize, StoreError> {
        let Some(before) = SystemTime::now().checked_sub(self.0.options.idle) else { return Ok(0) };
        self.give_up(self.0.slots.longest_unused(before).into_iter().collect()).await
    }

    async fn give_up(&self, digests: Vec<Digest>) -> Result<usize, StoreError> {
        let mut expired = 0;
        for digest in digests {
            let Some(mut guard) = self.0.slots.find(&digest).await else { continue };
            if matches!(*guard, Upload::Ended) {
                continue;
            }
            *guard = Upload::Ended;
            self.0.slots.leave(&digest);
            self.remove_spooled(digest).await?;
            expired += 1;
        }
        if expired > 0 {
            tracing::info!(expired, "gave up abandoned uploads");
        }
        Ok(expired)
    }

    /// How many uploads are in flight.
    pub fn uploads(&self) -> usize {
        self.0.slots.len()
    }

    /// Removes those of the blobs that nothing keeps and that are not among what `needed` returns; it is asked once a
    /// blob can't be built on any more. Returns the bytes freed.
    ///
    /// # Errors
    /// When `needed` or the object store fails.
    pub async fn collect<E, F>(
        &self,
        candidates: Vec<Digest>,
        needed: impl Fn(Vec<Digest>) -> F,
    ) -> Result<u64, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<HashSet<Digest>, E>>,
    {
        let mut freed = 0;
        for digest in candidates {
            // From here to the end of the iteration a commit that wants the blob waits.
            let Some(_dying) = self.0.pins.try_kill(digest) else { continue };
            if needed(vec![digest]).await?.contains(&digest) {
                continue;
            }
            self.0.options.faults.pass(Point::CollectBlobs).map_err(StoreError::from)?;
            let Some(size) = self.size(&digest).await? else { continue };
            self.0.objects.delete(&object_path(&digest)).await.map_err(StoreError::from)?;
            freed += size;
        }
        Ok(freed)
    }

    /// Collects all blobs that no artifact needs and that came before the expiry: what uploads without a commit, and
    /// deletions that a crash or a hold interrupted, left behind.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub async fn sweep<E, F>(&self, needed: impl Fn(Vec<Digest>) -> F) -> Result<u64, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<HashSet<Digest>, E>>,
    {
        self.0.pins.purge();
        let Some(before) = SystemTime::now().checked_sub(self.0.options.expiry) else { return Ok(0) };
        let blobs = self.0.objects.list(Some(&ObjectPath::from(BLOBS)));
        let old: Vec<_> = blobs
            .try_filter(|meta| std::future::ready(SystemTime::from(meta.last_modified) <= before))
            .try_collect()
            .await
            .map_err(StoreError::from)?;
        let digests: Vec<Digest> =
            old.iter().filter_map(|meta| Digest::from_hex(meta.location.filename()?).ok()).collect();
        if digests.is_empty() {
            return Ok(0);
        }
        let kept = needed(digests.clone()).await?;
        self.collect(digests.into_iter().filter(|digest| !kept.contains(digest)).collect(), needed).await
    }

    pub(super) async fn remove_spooled(&self, digest: Digest) -> Result<(), StoreError> {
        let dir = self.0.spool.clone();
        Ok(blocking(move || spool::remove(&dir, &digest)).await??)
    }
}

/// Removes from the spool what cannot be gone on with; returns the uploads that can, and when they were last written.
fn sort_out(dir: &Path) -> std::io::Result<Vec<(Digest, SystemTime)>> {
    let mut uploads = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let digest = stem.and_then(|stem| Digest::from_hex(stem).ok());
        let ending = path.extension().and_then(|ending| ending.to_str());
        let whole = match ending {
            Some(spool::DATA) => spool::read_record(&path.with_extension(spool::RECORD))?.is_some(),
            Some(spool::RECORD) => path.with_extension(spool::DATA).is_file(),
            _ => false,
        };
        match digest {
            Some(digest) if whole && ending == Some(spool::DATA) => {
                uploads.push((digest, std::fs::metadata(&path)?.modified()?));
            }
            // Goes on with its data.
            Some(_) if whole => {}
            _ if path.is_file() => fsync::remove(&path)?,
            _ => {}
        }
    }
    Ok(uploads)
}
