//! The lock on a data directory, so that two servers never share it.
use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::ServeError;

/// The file that is locked.
const NAME: &str = "lock";

/// Held as long as the server lives; the system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Makes the directory, and locks it; returns its absolute path, because workers have their own working directory.
    pub(super) async fn take(dir: PathBuf) -> Result<(PathBuf, Self), ServeError> {
        let taken = tokio::task::spawn_blocking(move || lock(dir)).await;
        taken.map_err(|error| ServeError::io("the data directory", error.into()))?
    }
}

fn lock(dir: PathBuf) -> Result<(PathBuf, DataLock), ServeError> {
    let failed = |source| ServeError::io(format!("data directory {}", dir.display()), source);
    std::fs::create_dir_all(&dir).map_err(failed)?;
    let absolute = dir.canonicalize().map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(absolute.join(NAME));
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok((absolute, DataLock { _file: file })),
        Err(TryLockError::WouldBlock) => Err(ServeError::Locked(dir)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_server_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let (absolute, held) = lock(data.clone()).unwrap();
        assert!(absolute.is_absolute());
        let error = lock(data.clone()).unwrap_err();
        assert!(matches!(&error, ServeError::Locked(locked) if *locked == data), "{error}");
        drop(held);
        lock(data).unwrap();
    }
}
