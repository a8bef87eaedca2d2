//! Failpoints: lets a test make one step of the store fail as a full disk, a torn write or a crash would.
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

/// A step of the store at which a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before an upload's file is made.
    CreateSpool,
    /// While a chunk is appended to an upload.
    WriteChunk,
    /// Between writing a chunk and syncing it.
    SyncChunk,
    /// Between syncing a chunk and recording that it is durable.
    RecordOffset,
    /// Between the last chunk and the check of the digest.
    VerifyDigest,
    /// Between the check of the digest and the rename that makes the blob visible.
    PublishBlob,
    /// Between that rename and the removal of what the upload leaves behind.
    CleanSpool,
    /// Before the transaction that makes an artifact visible.
    BeforeCommit,
    /// Within that transaction.
    WithinCommit,
    /// Between that transaction and the answer to the caller.
    AfterCommit,
    /// Between the transaction that deletes an artifact and the removal of its blobs.
    CollectBlobs,
}

impl Point {
    /// Every point, in the order in which an upload, a commit and a deletion meet them.
    pub const ALL: [Self; 11] = [
        Self::CreateSpool,
        Self::WriteChunk,
        Self::SyncChunk,
        Self::RecordOffset,
        Self::VerifyDigest,
        Self::PublishBlob,
        Self::CleanSpool,
        Self::BeforeCommit,
        Self::WithinCommit,
        Self::AfterCommit,
        Self::CollectBlobs,
    ];
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails for want of room.
    DiskFull,
    /// The operation fails with an I/O error.
    IoError,
    /// The process is gone: this operation and all later ones fail, and nothing is cleaned up.
    Crash,
    /// Of a write only half the bytes reach the disk, and then the process is gone.
    TornWrite,
}

#[derive(Debug, Default)]
struct State {
    armed: Option<(Point, u32, Fault)>,
    crashed: bool,
}

/// Faults to inject; clones share what is armed. The default injects nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Mutex<State>>>);

impl Faults {
    /// Faults that a test can arm.
    pub fn armable() -> Self {
        Self(Some(Arc::default()))
    }

    /// Lets `fault` strike once, after `point` was passed `passes` times.
    pub fn arm(&self, point: Point, passes: u32, fault: Fault) {
        if let Some(state) = &self.0 {
            state.lock().armed = Some((point, passes, fault));
        }
    }

    /// Whether a crash has struck.
    pub fn crashed(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.lock().crashed)
    }

    /// Whether a fault is armed that has not struck yet.
    pub fn is_armed(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.lock().armed.is_some())
    }

    /// Passes a point, or fails there.
    ///
    /// # Errors
    /// When a fault strikes, or when a crash has struck before.
    pub fn pass(&self, point: Point) -> io::Result<()> {
        match self.strike(point) {
            None => Ok(()),
            Some(fault) => Err(fault.error()),
        }
    }

    /// The fault that strikes at this point now, for steps that fail in a way of their own.
    pub(crate) fn strike(&self, point: Point) -> Option<Fault> {
        let mut state = self.0.as_ref()?.lock();
        if state.crashed {
            return Some(Fault::Crash);
        }
        let (armed, passes, fault) = state.armed.as_mut().filter(|(armed, ..)| *armed == point).copied()?;
        if passes > 0 {
            state.armed = Some((armed, passes - 1, fault));
            return None;
        }
        state.armed = None;
        state.crashed = matches!(fault, Fault::Crash | Fault::TornWrite);
        Some(fault)
    }
}

impl Fault {
    /// The error that the operation gives.
    pub(crate) fn error(self) -> io::Error {
        match self {
            Self::DiskFull => io::ErrorKind::StorageFull.into(),
            Self::IoError => io::Error::other("injected i/o error"),
            Self::Crash | Self::TornWrite => io::Error::other("injected crash"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_once_at_its_point() {
        let faults = Faults::armable();
        faults.arm(Point::SyncChunk, 1, Fault::DiskFull);
        assert!(faults.pass(Point::WriteChunk).is_ok());
        assert!(faults.pass(Point::SyncChunk).is_ok(), "the first pass is let through");
        assert_eq!(faults.pass(Point::SyncChunk).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(faults.pass(Point::SyncChunk).is_ok());
        assert!(!faults.crashed() && !faults.is_armed());
    }

    #[test]
    fn after_a_crash_nothing_works() {
        let faults = Faults::armable();
        faults.arm(Point::PublishBlob, 0, Fault::Crash);
        assert!(faults.clone().pass(Point::PublishBlob).is_err());
        assert!(faults.crashed());
        assert!(faults.pass(Point::WriteChunk).is_err());
        assert!(Faults::default().pass(Point::WriteChunk).is_ok());
    }
}
