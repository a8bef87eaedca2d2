//! Which artifacts were fetched to the local disk, and whether they are still there: the cache on disk evicts by itself, and other
//! processes share it.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use rootstock_artifacts::Digest;

/// Artifacts remembered; with more, all are forgotten, and remembered again when they are next fetched.
const MAX_KNOWN: usize = 1 << 16;

/// The files of what was fetched; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    files: Arc<Mutex<HashMap<Digest, Vec<PathBuf>>>>,
}

impl Local {
    pub(super) fn fetched(&self, digest: Digest, files: &BTreeMap<String, PathBuf>) {
        let mut known = self.files.lock();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, files.values().cloned().collect());
    }

    /// Whether all files of the artifact are on the disk.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        let files = self.files.lock().get(digest).cloned();
        files.is_some_and(|files| files.iter().all(|file| file.is_file()))
    }
}
