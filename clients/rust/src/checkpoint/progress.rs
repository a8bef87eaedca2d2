//! How far a transfer has come, told to whoever wants to know.
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a transfer has come, over all its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes done, those that were there already included.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// Is told how far a transfer has come, now and then, from any thread.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Transfer) + Send + Sync>>);

impl Progress {
    /// Tells nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Tells `listener`, which must not block.
    pub fn new(listener: impl Fn(Transfer) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

/// Counts the bytes of one transfer; clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    progress: Progress,
    done: Arc<AtomicU64>,
    total: u64,
}

impl Meter {
    pub(super) fn new(progress: &Progress, total: u64) -> Self {
        Self { progress: progress.clone(), done: Arc::default(), total }
    }

    /// Takes note of more bytes. What is sent again after a cut is not counted twice, see [`Share`].
    fn add(&self, bytes: u64) {
        let done_bytes = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(listener) = &self.progress.0 {
            listener(Transfer { done_bytes, total_bytes: self.total });
        }
    }

    /// The part of one file.
    pub(super) fn share(&self) -> Share {
        Share { meter: self.clone(), done: 0 }
    }
}

/// One file's part of a meter; it only moves forward.
#[derive(Debug)]
pub(super) struct Share {
    meter: Meter,
    done: u64,
}

impl Share {
    /// The file has come to this byte.
    pub(super) fn at(&mut self, byte: u64) {
        if byte > self.done {
            self.meter.add(byte - self.done);
            self.done = byte;
        }
    }
}
