//! A local cache of blobs, named by digest, that several processes share: filled by resumable transfers, read under
//! leases, and kept below a size by evicting what was used longest ago.
mod evict;
mod partial;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use partial::{Fill, Partial};

use crate::{Digest, fsync};

/// Folder of the complete blobs.
const BLOBS: &str = "blobs";
/// Folder of the transfers under way.
const PARTIAL: &str = "partial";

/// Why the cache cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system fails.
    #[error("the local cache cannot be used")]
    Io(#[from] io::Error),
    /// The blob is larger than what can be freed.
    #[error(
        "the local cache has no room for {needed} bytes: its limit is {max}, {leased} are in use; raise the limit"
    )]
    Full {
        /// Size of the blob.
        needed: u64,
        /// The cache's limit.
        max: u64,
        /// What is leased and cannot go.
        leased: u64,
    },
    /// The bytes received are not those that the digest names; they were thrown away.
    #[error("received bytes with digest {actual} instead of {expected}")]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// More bytes came than the blob has.
    #[error("received more than the {size} bytes of {digest}")]
    TooLong {
        /// The blob.
        digest: Digest,
        /// Its size.
        size: u64,
    },
}

/// A handle to a cache directory; clones share it, and so may other processes. All its functions block on the disk.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    max_bytes: u64,
}

/// The right to read a cached blob: as long as it lives, no process evicts the blob.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    // Holds the shared lock that eviction respects.
    _file: File,
}

impl Lease {
    /// Where the blob lies. The file is immutable: never open it for writing.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Cache {
    /// Opens or makes the cache in `dir`, which keeps at most `max_bytes` of blobs.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(dir: impl Into<PathBuf>, max_bytes: u64) -> io::Result<Self> {
        let dir = dir.into();
        fsync::create_dir(&dir.join(BLOBS))?;
        fsync::create_dir(&dir.join(PARTIAL))?;
        let cache = Self(Arc::new(Inner { dir, max_bytes }));
        cache.remove_stale_partials()?;
        Ok(cache)
    }

    /// Where the blob lies, if it is there. Without a [lease](Self::lease) it may be evicted at any time.
    pub fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.blob_path(digest);
        path.is_file().then_some(path)
    }

    /// Leases the blob, if it is there, and marks it as just used.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn lease(&self, digest: &Digest) -> io::Result<Option<Lease>> {
        let path = self.blob_path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.lock_shared()?;
        // Between the open and the lock the blob may have been evicted.
        if !same_file(&file, &path)? {
            return Ok(None);
        }
        file.set_modified(SystemTime::now())?;
        Ok(Some(Lease { path, _file: file }))
    }

    /// Begins or resumes the transfer of a blob of `size` bytes, unless it is there already. Waits while another
    /// transfer of the same blob is under way, in whichever process. What has another size, as where a disk lost the end of
    /// a file, is removed and comes again.
    ///
    /// # Errors
    /// When there is no room, or the file system fails.
    pub fn fill(&self, digest: &Digest, size: u64) -> Result<Fill, CacheError> {
        loop {
            if let Some(lease) = self.lease(digest)? {
                if std::fs::metadata(&lease.path)?.len() == size {
                    return Ok(Fill::Present(lease));
                }
                // Who has leased it keeps what it has open.
                fsync::remove(&lease.path)?;
            }
            if let Some(partial) = Partial::open(self, *digest, size)? {
                // Another transfer may have ended between the first look and the lock.
                if self.path(digest).is_some() {
                    continue;
                }
                self.make_room(size)?;
                return Ok(Fill::Partial(partial));
            }
        }
    }

    /// Stores bytes at hand.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn insert(&self, bytes: &[u8]) -> Result<Lease, CacheError> {
        match self.fill(&Digest::of(bytes), bytes.len() as u64)? {
            Fill::Present(lease) => Ok(lease),
            Fill::Partial(mut partial) => {
                partial.restart()?;
                partial.append(bytes)?;
                partial.finish()
            }
        }
    }

    /// Makes `dir` hold the given blobs under their file names, as hard links: a directory for programs that want one.
    ///
    /// # Errors
    /// When a link cannot be made.
    pub fn materialize<'a>(
        &self,
        dir: &Path,
        files: impl IntoIterator<Item = (&'a str, &'a Lease)>,
    ) -> io::Result<()> {
        fsync::create_dir(dir)?;
        for (name, lease) in files {
            let target = dir.join(name);
            fsync::remove(&target)?;
            std::fs::hard_link(lease.path(), target)?;
        }
        fsync::sync_dir(dir)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.0.dir.join(BLOBS).join(&hex[..2]).join(hex)
    }

    fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.0.dir.join(PARTIAL).join(digest.hex())
    }
}

/// Whether `file` is still what lies at `path`.
fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
