//! A transfer into the cache: bytes are appended, survive a crash of the process, and become a blob once their digest
//! is right.
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::{Cache, CacheError, Lease, same_file};
use crate::{Digest, Hasher, fsync};

/// How much is read at a time when a transfer is resumed.
const READ_BYTES: usize = 1 << 20;

/// What [`Cache::fill`] finds.
#[derive(Debug)]
pub enum Fill {
    /// The blob is there.
    Present(Lease),
    /// The blob, or the rest of it, has to be fetched.
    Partial(Partial),
}

/// A transfer under way. Dropped before its end, it keeps what it has for the next one.
#[derive(Debug)]
pub struct Partial {
    cache: Cache,
    digest: Digest,
    size: u64,
    path: PathBuf,
    // Locked exclusively as long as it is open.
    file: File,
    hasher: Hasher,
}

impl Partial {
    /// Opens and locks the transfer's file. `None` if the file got another name while this waited for the lock.
    pub(super) fn open(cache: &Cache, digest: Digest, size: u64) -> io::Result<Option<Self>> {
        let path = cache.partial_path(&digest);
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        file.lock()?;
        if !same_file(&file, &path)? {
            return Ok(None);
        }
        if file.metadata()?.len() > size {
            file.set_len(0)?;
        }
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        Ok(Some(Self { cache: cache.clone(), digest, size, path, file, hasher }))
    }

    /// How many bytes are there: where to go on.
    pub fn offset(&self) -> u64 {
        self.hasher.len()
    }

    /// Whether all bytes are there.
    pub fn is_complete(&self) -> bool {
        self.offset() == self.size
    }

    /// Forgets what is there and begins again.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::new();
        Ok(())
    }

    /// Appends the next bytes.
    ///
    /// # Errors
    /// When more come than the blob has, or the file system fails.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        if self.offset() + bytes.len() as u64 > self.size {
            return Err(CacheError::TooLong { digest: self.digest, size: self.size });
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Verifies the digest and makes the blob visible.
    ///
    /// # Errors
    /// When the digest is another; the bytes are thrown away then. When the file system fails.
    pub fn finish(mut self) -> Result<Lease, CacheError> {
        let actual = self.hasher.finish();
        if actual != self.digest {
            self.restart()?;
            return Err(CacheError::Mismatch { expected: self.digest, actual });
        }
        self.file.sync_all()?;
        let target = self.cache.blob_path(&self.digest);
        if let Some(dir) = target.parent() {
            fsync::create_dir(dir)?;
        }
        fsync::rename(&self.path, &target)?;
        // The exclusive lock becomes the lease's shared one.
        self.file.lock_shared()?;
        if !same_file(&self.file, &target)? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "evicted before it could be leased").into());
        }
        Ok(Lease { path: target, _file: self.file })
    }
}
