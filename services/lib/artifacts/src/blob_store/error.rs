//! Why the blob store refuses or fails.
use std::error::Error as StdError;
use std::io;

use super::MAX_CHUNK_BYTES;
use crate::Digest;

/// Why the blob store refuses or fails.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The chunk is too large.
    #[error("a chunk of {0} bytes is larger than {MAX_CHUNK_BYTES}")]
    ChunkTooLarge(usize),
    /// The blob is too large.
    #[error("a blob of {size} bytes is larger than the store's limit of {max}")]
    BlobTooLarge {
        /// Its announced size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// The announced size is not that of the upload or the blob.
    #[error("the blob has {expected} bytes, not {got}; begin again at offset 0 to announce another size")]
    WrongTotal {
        /// The size known.
        expected: u64,
        /// The size announced.
        got: u64,
    },
    /// The chunk ends after the announced end.
    #[error("a chunk that ends at byte {end} is beyond the announced size of {total}")]
    BeyondEnd {
        /// Where the chunk ends.
        end: u64,
        /// The announced size.
        total: u64,
    },
    /// The chunk starts after what is there.
    #[error("the chunk starts at byte {got}, the upload stands at {expected}")]
    WrongOffset {
        /// Where the upload stands.
        expected: u64,
        /// Where the chunk starts.
        got: u64,
    },
    /// The bytes are not those that were announced; the upload was thrown away.
    #[error("the bytes have digest {actual}, announced was {expected}; send the blob again from the start")]
    DigestMismatch {
        /// The announced digest.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// There are as many uploads as there may be.
    #[error("there are {0} uploads in flight already; try again when one has ended")]
    TooManyUploads(usize),
    /// There is no room left; the upload was thrown away.
    #[error("the store has no room left; nothing was stored")]
    Full,
    /// The store has no such blob.
    #[error("there is no blob {0}")]
    NotFound(Digest),
    /// The range asked for begins after the end.
    #[error("the blob has {size} bytes; it cannot be read from {offset} on")]
    OutOfRange {
        /// Its size.
        size: u64,
        /// Where the read was to begin.
        offset: u64,
    },
    /// The stored bytes are no longer those that the digest names.
    #[error("the stored bytes of blob {0} no longer match their digest")]
    Corrupt(Digest),
    /// The file system fails.
    #[error("the store's file system failed")]
    Io(#[source] io::Error),
    /// The object store fails.
    #[error("the object store failed")]
    Object(#[source] object_store::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Io(error) }
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(current) = cause {
            if current.downcast_ref::<io::Error>().is_some_and(is_full) {
                return Self::Full;
            }
            cause = current.source();
        }
        Self::Object(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
