//! The uploads in flight: one slot each, bounded in number, each written by one caller at a time.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::StoreError;
use super::spool::SpoolFile;
use crate::Digest;

/// Where an upload stands.
#[derive(Debug, Default)]
pub(super) enum Upload {
    /// Nothing is on disk yet.
    #[default]
    New,
    /// Files of an earlier run are on disk.
    Interrupted,
    /// Its files are open.
    Open(SpoolFile),
    /// It has ended, as a blob or thrown away, and its slot is given back.
    Ended,
}

#[derive(Debug)]
struct Slot {
    upload: Arc<AsyncMutex<Upload>>,
    used: SystemTime,
}

/// The slots of all uploads in flight.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Mutex<HashMap<Digest, Slot>>,
    max: usize,
}

impl Slots {
    pub(super) fn new(max: usize) -> Self {
        Self { slots: Mutex::default(), max }
    }

    /// Takes in an upload that an earlier run left, whatever the bound.
    pub(super) fn restore(&self, digest: Digest, used: SystemTime) {
        let upload = Arc::new(AsyncMutex::new(Upload::Interrupted));
        self.slots.lock().insert(digest, Slot { upload, used });
    }

    /// Locks the upload of a blob, if there is one.
    pub(super) async fn find(&self, digest: &Digest) -> Option<OwnedMutexGuard<Upload>> {
        let upload = self.slots.lock().get(digest).map(|slot| slot.upload.clone())?;
        Some(upload.lock_owned().await)
    }

    /// Locks the upload of a blob, and makes its slot if there is none.
    pub(super) async fn enter(&self, digest: Digest) -> Result<OwnedMutexGuard<Upload>, StoreError> {
        let upload = {
            let mut slots = self.slots.lock();
            let in_flight = slots.len();
            match slots.get_mut(&digest) {
                Some(slot) => {
                    slot.used = SystemTime::now();
                    slot.upload.clone()
                }
                None if in_flight >= self.max => return Err(StoreError::TooManyUploads(in_flight)),
                None => {
                    let upload = Arc::<AsyncMutex<Upload>>::default();
                    slots.insert(digest, Slot { upload: upload.clone(), used: SystemTime::now() });
                    upload
                }
            }
        };
        Ok(upload.lock_owned().await)
    }

    /// Gives the slot back; the caller has its lock.
    pub(super) fn leave(&self, digest: &Digest) {
        self.slots.lock().remove(digest);
    }

    /// The uploads that nobody has touched since `before`.
    pub(super) fn unused_since(&self, before: SystemTime) -> Vec<Digest> {
        let slots = self.slots.lock();
        slots.iter().filter(|(_, slot)| slot.used < before).map(|(digest, _)| *digest).collect()
    }

    /// The upload that nobody has touched for longest, and not since `before`.
    pub(super) fn longest_unused(&self, before: SystemTime) -> Option<Digest> {
        let slots = self.slots.lock();
        let idle = slots.iter().filter(|(_, slot)| slot.used < before);
        idle.min_by_key(|(_, slot)| slot.used).map(|(digest, _)| *digest)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.lock().len()
    }
}
