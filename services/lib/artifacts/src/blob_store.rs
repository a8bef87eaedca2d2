//! The blobs of the store: uploads in flight in a spool of local files, complete blobs in an object store.
//!
//! A blob becomes visible by one rename, after its bytes are synced and their digest is right. What an upload was told
//! to be durable survives a crash; what it wasn't told is cut off when the store opens again.
mod collect;
mod error;
mod pins;
mod read;
mod slot;
mod spool;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath};

pub use error::StoreError;
pub use pins::Hold;
use pins::Pins;
pub use read::{BlobReader, VerifiedRead};
use slot::Slots;
pub use upload::{Chunk, Sync, UploadStatus};

use crate::faults::Faults;
use crate::{Digest, fsync};

/// Folder of the complete blobs.
const BLOBS: &str = "blobs";
/// Folder of the uploads in flight.
const SPOOL: &str = "spool";
/// Most bytes in one chunk.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;

/// What can be chosen about a store.
#[derive(Clone, Debug)]
pub struct BlobStoreOptions {
    /// Most uploads in flight.
    pub max_uploads: usize,
    /// Largest blob, in bytes.
    pub max_blob_bytes: u64,
    /// An upload that got no byte for so long is given up, and so is a complete blob that no artifact names.
    pub expiry: Duration,
    /// When uploads are at their bound, the one that got no byte for longest makes room, if it was for so long; its
    /// client begins again.
    pub idle: Duration,
    /// How long a blob that was uploaded, or that a client was told is there, waits for its artifact's commit.
    pub grace: Duration,
    /// Faults to inject.
    pub faults: Faults,
}

impl Default for BlobStoreOptions {
    fn default() -> Self {
        Self {
            max_uploads: 256,
            max_blob_bytes: 1 << 40,
            expiry: Duration::from_secs(24 * 3600),
            idle: Duration::from_secs(5 * 60),
            grace: Duration::from_secs(15 * 60),
            faults: Faults::default(),
        }
    }
}

/// Stores blobs by digest; clones share the store. One process at a time may have it open.
#[derive(Clone, Debug)]
pub struct BlobStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // The spool must lie in the same file system as the blobs, so that a rename makes a blob visible. A store in the
    // cloud takes the spool's file in a multipart upload instead; all else goes through this seam already.
    objects: Arc<dyn ObjectStore>,
    spool: PathBuf,
    slots: Slots,
    pins: Pins,
    options: BlobStoreOptions,
}

impl BlobStore {
    /// Opens or makes the store in `dir`: uploads in flight can go on, what a crash left half-done is cleared away.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub async fn open(dir: &Path, options: BlobStoreOptions) -> Result<Self, StoreError> {
        let spool = dir.join(SPOOL);
        let (root, made) = (dir.to_owned(), spool.clone());
        blocking(move || {
            fsync::create_dir(&root.join(BLOBS))?;
            fsync::create_dir(&made)
        })
        .await??;
        let objects = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        let slots = Slots::new(options.max_uploads);
        let pins = Pins::new(options.grace);
        let store = Self(Arc::new(Inner { objects: Arc::new(objects), spool, slots, pins, options }));
        store.recover().await?;
        Ok(store)
    }

    /// The blob's size, if the store has it.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        match self.0.objects.head(&object_path(digest)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of the blobs that the store lacks, in order. The others are kept for the commit that is to follow.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn missing(&self, digests: &[Digest]) -> Result<Vec<Digest>, StoreError> {
        let mut missing = Vec::new();
        for digest in digests {
            let kept = self.hold(*digest).await;
            match self.size(digest).await? {
                Some(_) => kept.expect_commit(),
                None => missing.push(*digest),
            }
        }
        Ok(missing)
    }

    /// Keeps the blob from being collected as long as the hold lives.
    pub async fn hold(&self, digest: Digest) -> Hold {
        self.0.pins.hold(digest).await
    }

    /// An artifact of these blobs was committed: they no longer need to be kept for that commit.
    pub fn committed(&self, digests: impl IntoIterator<Item = Digest>) {
        self.0.pins.committed(digests);
    }

    /// The faults that tests inject.
    pub fn faults(&self) -> &Faults {
        &self.0.options.faults
    }
}

/// Where a blob lies in the object store.
fn object_path(digest: &Digest) -> ObjectPath {
    let hex = digest.hex();
    ObjectPath::from_iter([BLOBS, &hex[..2], &hex])
}

/// Runs what blocks on the disk or hashes on a thread for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Io(error.into()))
}

#[cfg(test)]
mod tests;
