//! Which artifacts were fetched to the local disk, and whether they are still there: the cache on disk evicts by itself, and other
//! processes share it.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use rootstock_artifacts::Digest;
use rootstock_client::FetchedArtifact;
use rootstock_proto::checkpoint::v1::Artifact;

/// Artifacts remembered; with more, all are forgotten, and remembered again when they are next fetched.
const MAX_KNOWN: usize = 1 << 16;

/// What was fetched; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    known: Arc<Mutex<HashMap<Digest, Known>>>,
}

#[derive(Debug)]
struct Known {
    record: Artifact,
    files: Vec<PathBuf>,
}

impl Local {
    pub(super) fn fetched(&self, digest: Digest, fetched: &FetchedArtifact) {
        let files = fetched.files.values().cloned().collect();
        let mut known = self.known.lock();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, Known { record: fetched.artifact.clone(), files });
    }

    /// The record of what was fetched, whether its files are still there or not.
    pub(super) fn record(&self, digest: &Digest) -> Option<Artifact> {
        self.known.lock().get(digest).map(|known| known.record.clone())
    }

    /// Whether all files of the artifact are on the disk.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        let files = self.known.lock().get(digest).map(|known| known.files.clone());
        files.is_some_and(|files| files.iter().all(|file| file.is_file()))
    }
}
