//! Makes room in the cache: removes blobs that nobody leases, those used longest ago first.
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{BLOBS, Cache, CacheError, PARTIAL};
use crate::fsync;

/// After this long an unfinished transfer is not resumed any more.
const STALE_PARTIAL: Duration = Duration::from_secs(7 * 24 * 3600);

struct Blob {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

impl Cache {
    /// Size of all complete blobs, in bytes.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.blobs()?.iter().map(|blob| blob.size).sum())
    }

    /// Frees room for `needed` more bytes.
    pub(super) fn make_room(&self, needed: u64) -> Result<(), CacheError> {
        let mut blobs = self.blobs()?;
        blobs.sort_by_key(|blob| blob.used);
        let mut total: u64 = blobs.iter().map(|blob| blob.size).sum();
        for blob in blobs {
            if total.saturating_add(needed) <= self.0.max_bytes {
                return Ok(());
            }
            if evict(&blob)? {
                total -= blob.size;
            }
        }
        if total.saturating_add(needed) <= self.0.max_bytes {
            return Ok(());
        }
        Err(CacheError::Full { needed, max: self.0.max_bytes, leased: total })
    }

    pub(super) fn remove_stale_partials(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.0.dir.join(PARTIAL))? {
            let entry = entry?;
            let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > STALE_PARTIAL && File::open(entry.path())?.try_lock().is_ok() {
                fsync::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn blobs(&self) -> io::Result<Vec<Blob>> {
        let mut blobs = Vec::new();
        for shard in std::fs::read_dir(self.0.dir.join(BLOBS))? {
            for entry in std::fs::read_dir(shard?.path())? {
                let entry = entry?;
                match entry.metadata() {
                    Ok(metadata) => blobs.push(Blob {
                        path: entry.path(),
                        size: metadata.len(),
                        used: metadata.modified()?,
                    }),
                    // Another process evicted it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(blobs)
    }
}

/// Removes a blob unless it is leased; says whether it is gone.
fn evict(blob: &Blob) -> io::Result<bool> {
    let file = match File::open(&blob.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if file.try_lock().is_err() {
        return Ok(false);
    }
    fsync::remove(&blob.path)?;
    tracing::debug!(size = blob.size, "evicted a blob from the local cache");
    Ok(true)
}
