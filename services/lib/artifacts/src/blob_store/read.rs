//! Reading blobs: every read hashes the whole blob and gives the last bytes only if the digest is right.
use std::io::{self, Read};

use bytes::Bytes;
use object_store::ObjectStoreExt;
use tokio::runtime::Handle;

use super::{BlobStore, Hold, StoreError, blocking, object_path};
use crate::{Digest, Hasher};

/// How much is read at a time.
const READ_BYTES: u64 = 1 << 20;

/// A read of a range of a blob under way. The whole blob is read and hashed whatever the range, and the range's last
/// piece is held back until the digest is known to be right: a reader that got all it asked for got the right bytes.
#[derive(Debug)]
pub struct VerifiedRead {
    store: BlobStore,
    digest: Digest,
    size: u64,
    start: u64,
    end: u64,
    at: u64,
    hasher: Hasher,
    held_back: Option<(u64, Bytes)>,
    _hold: Hold,
}

impl BlobStore {
    /// Begins to read a blob from `offset` on, at most `limit` bytes if it is not 0.
    ///
    /// # Errors
    /// When there is no such blob, or the offset is after its end.
    pub async fn read(&self, digest: Digest, offset: u64, limit: u64) -> Result<VerifiedRead, StoreError> {
        let hold = self.hold(digest).await;
        let size = self.size(&digest).await?.ok_or(StoreError::NotFound(digest))?;
        if offset > size {
            return Err(StoreError::OutOfRange { size, offset });
        }
        let end = if limit == 0 { size } else { offset.saturating_add(limit).min(size) };
        Ok(VerifiedRead {
            store: self.clone(),
            digest,
            size,
            start: offset,
            end,
            at: 0,
            hasher: Hasher::new(),
            held_back: None,
            _hold: hold,
        })
    }

    /// Reads a whole blob and compares it with its digest; returns its size.
    ///
    /// # Errors
    /// When it is not there, or no longer right.
    pub async fn verify(&self, digest: Digest) -> Result<u64, StoreError> {
        let mut read = self.read(digest, 0, 0).await?;
        let size = read.size;
        while read.next().await?.is_some() {}
        Ok(size)
    }

    /// Reads a whole blob of at most `max_bytes` into memory.
    ///
    /// # Errors
    /// When it is not there, larger, or no longer right.
    pub async fn read_all(&self, digest: Digest, max_bytes: u64) -> Result<Bytes, StoreError> {
        let mut read = self.read(digest, 0, 0).await?;
        if read.size > max_bytes {
            return Err(StoreError::BlobTooLarge { size: read.size, max: max_bytes });
        }
        let mut bytes = Vec::new();
        while let Some((_, piece)) = read.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    /// A blocking reader of a blob, for parsers on threads of their own. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no such blob.
    pub async fn reader(&self, digest: Digest) -> Result<BlobReader, StoreError> {
        Ok(BlobReader {
            read: self.read(digest, 0, 0).await?,
            piece: Bytes::new(),
            runtime: Handle::current(),
        })
    }
}

impl VerifiedRead {
    /// Size of the whole blob.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next piece of the range and where it starts; `None` at the end.
    ///
    /// # Errors
    /// When the stored bytes are not those that the digest names, or the object store fails.
    pub async fn next(&mut self) -> Result<Option<(u64, Bytes)>, StoreError> {
        while self.at < self.size {
            let at = self.at;
            let piece = self.piece().await?;
            let (from, to) = (self.start.max(at), self.end.min(self.at));
            if from < to {
                let wanted = piece.slice((from - at) as usize..(to - at) as usize);
                if let Some(ready) = self.held_back.replace((from, wanted)) {
                    return Ok(Some(ready));
                }
            }
        }
        if self.hasher.finish() != self.digest {
            return Err(StoreError::Corrupt(self.digest));
        }
        Ok(self.held_back.take())
    }

    /// Reads and hashes the next bytes of the blob.
    async fn piece(&mut self) -> Result<Bytes, StoreError> {
        let range = self.at..(self.at + READ_BYTES).min(self.size);
        let expected = range.end - range.start;
        let piece = match self.store.0.objects.get_range(&object_path(&self.digest), range).await {
            Ok(piece) if piece.len() as u64 == expected => piece,
            // The file became shorter, or vanished, under the hold: that is damage.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {
                return Err(StoreError::Corrupt(self.digest));
            }
            Err(error) => return Err(error.into()),
        };
        let (mut hasher, hashed) = (std::mem::take(&mut self.hasher), piece.clone());
        self.hasher = blocking(move || {
            hasher.update(&hashed);
            hasher
        })
        .await?;
        self.at += expected;
        Ok(piece)
    }
}

/// A blob as [`Read`]; only for threads outside the async runtime. The last bytes come only if the digest is right.
#[derive(Debug)]
pub struct BlobReader {
    read: VerifiedRead,
    piece: Bytes,
    runtime: Handle,
}

impl BlobReader {
    /// Size of the blob.
    pub fn size(&self) -> u64 {
        self.read.size
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.read.next()).map_err(io::Error::other)? {
                Some((_, piece)) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let len = buffer.len().min(self.piece.len());
        buffer[..len].copy_from_slice(&self.piece.split_to(len));
        Ok(len)
    }
}
