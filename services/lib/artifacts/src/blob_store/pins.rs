//! What keeps a blob from being collected: holds of calls under way, and the wait for a commit that was announced.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Digest;

/// The pins of all blobs.
///
/// A blob is `free -> held | awaited -> free -> dying -> gone`. A dying blob is not held before it is gone, so that
/// nobody builds on a blob that is about to vanish; a held one does not die.
#[derive(Clone, Debug)]
pub(super) struct Pins(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pins: Mutex<HashMap<Digest, Pin>>,
    died: Notify,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Pin {
    holds: u32,
    awaited: u32,
    until: Option<Instant>,
    dying: bool,
}

impl Pin {
    fn is_free(&self) -> bool {
        let awaited = self.awaited > 0 && self.until.is_some_and(|until| Instant::now() < until);
        self.holds == 0 && !awaited
    }
}

/// Keeps a blob as long as it lives.
#[derive(Debug)]
pub struct Hold {
    pins: Pins,
    digest: Digest,
}

impl Hold {
    /// Keeps the blob beyond this hold until a commit of it ends, or the grace is over.
    pub(super) fn expect_commit(&self) {
        let mut pins = self.pins.0.pins.lock();
        let pin = pins.entry(self.digest).or_default();
        pin.awaited = pin.awaited.saturating_add(1);
        pin.until = Some(Instant::now() + self.pins.0.grace);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut pins = self.pins.0.pins.lock();
        if let Some(pin) = pins.get_mut(&self.digest) {
            pin.holds -= 1;
            if pin.is_free() && !pin.dying {
                pins.remove(&self.digest);
            }
        }
    }
}

/// The right to remove a blob; whoever wants to hold it waits until this is dropped.
#[derive(Debug)]
pub(super) struct Dying {
    pins: Pins,
    digest: Digest,
}

impl Drop for Dying {
    fn drop(&mut self) {
        self.pins.0.pins.lock().remove(&self.digest);
        self.pins.0.died.notify_waiters();
    }
}

impl Pins {
    pub(super) fn new(grace: Duration) -> Self {
        Self(Arc::new(Shared { pins: Mutex::default(), died: Notify::new(), grace }))
    }

    pub(super) async fn hold(&self, digest: Digest) -> Hold {
        loop {
            // Registered before the look, so that an end between look and wait is not missed.
            let died = self.0.died.notified();
            {
                let mut pins = self.0.pins.lock();
                let pin = pins.entry(digest).or_default();
                if !pin.dying {
                    pin.holds += 1;
                    return Hold { pins: self.clone(), digest };
                }
            }
            died.await;
        }
    }

    pub(super) fn committed(&self, digests: impl IntoIterator<Item = Digest>) {
        let mut pins = self.0.pins.lock();
        for digest in digests {
            if let Some(pin) = pins.get_mut(&digest) {
                pin.awaited = pin.awaited.saturating_sub(1);
            }
        }
    }

    /// Forgets what keeps nothing any more.
    pub(super) fn purge(&self) {
        self.0.pins.lock().retain(|_, pin| pin.dying || !pin.is_free());
    }

    /// Marks the blob as dying, unless something keeps it.
    pub(super) fn try_kill(&self, digest: Digest) -> Option<Dying> {
        let mut pins = self.0.pins.lock();
        let pin = pins.entry(digest).or_default();
        if pin.dying || !pin.is_free() {
            return None;
        }
        pin.dying = true;
        Some(Dying { pins: self.clone(), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_blob_does_not_die_and_a_dying_one_is_not_held() {
        let pins = Pins::new(Duration::from_secs(60));
        let digest = Digest::of(b"blob");
        let hold = pins.hold(digest).await;
        assert!(pins.try_kill(digest).is_none());
        drop(hold);
        let dying = pins.try_kill(digest).unwrap();
        let waiting = tokio::spawn({
            let pins = pins.clone();
            async move { pins.hold(digest).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(dying);
        drop(waiting.await.unwrap());
        assert!(pins.0.pins.lock().is_empty());
    }

    #[tokio::test]
    async fn a_blob_waits_for_each_commit_that_was_announced() {
        let pins = Pins::new(Duration::from_secs(60));
        let digest = Digest::of(b"blob");
        for _ in 0..2 {
            pins.hold(digest).await.expect_commit();
        }
        pins.committed([digest]);
        assert!(pins.try_kill(digest).is_none(), "one more is to come");
        pins.committed([digest]);
        assert!(pins.try_kill(digest).is_some());
    }

    #[tokio::test]
    async fn the_wait_for_a_commit_ends_with_the_grace() {
        let pins = Pins::new(Duration::ZERO);
        let digest = Digest::of(b"blob");
        pins.hold(digest).await.expect_commit();
        assert!(pins.try_kill(digest).is_some());
    }
}
