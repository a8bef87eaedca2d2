//! One file of an artifact, read by parsers on a thread for compute.
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rootstock_artifacts::HeaderError;
use rootstock_artifacts::blob_store::BlobReader;
use rootstock_artifacts::check::{MAGIC_BYTES, is_pickle};

use super::AdmissionError;

/// Stops what reads the files once the call that wanted it is gone.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A file: its first bytes can be looked at, and it is then read from the start all the same.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    first: Cursor<Vec<u8>>,
    rest: BlobReader,
    cancelled: Arc<AtomicBool>,
}

impl Source {
    pub(super) fn new(name: String, rest: BlobReader, cancelled: Arc<AtomicBool>) -> Self {
        Self { name, first: Cursor::new(Vec::new()), rest, cancelled }
    }

    /// Size of the file in bytes.
    pub(super) fn size(&self) -> u64 {
        self.rest.size()
    }

    /// Whether it is a pickle, by its name or its first bytes; call it before anything is read.
    pub(super) fn is_pickle(&mut self) -> Result<bool, AdmissionError> {
        let mut first = Vec::with_capacity(MAGIC_BYTES);
        let read = (&mut self.rest).take(MAGIC_BYTES as u64).read_to_end(&mut first);
        read.map_err(|error| AdmissionError::read(&self.name, error))?;
        self.first = Cursor::new(first);
        Ok(is_pickle(&self.name, self.first.get_ref()))
    }

    /// Reads the whole file, if it is not larger than it may be.
    pub(super) fn read_all(mut self, max_bytes: u64) -> Result<Vec<u8>, AdmissionError> {
        if self.size() > max_bytes {
            let problem = format!("has {} bytes, more than the {max_bytes} allowed", self.size());
            return Err(AdmissionError::file(&self.name, problem));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|error| AdmissionError::read(&self.name, error))?;
        Ok(bytes)
    }

    /// What a refused safetensors header is.
    pub(super) fn header_error(&self, error: HeaderError) -> AdmissionError {
        match error {
            HeaderError::Io(error) => AdmissionError::read(&self.name, error),
            other => AdmissionError::file(&self.name, format!("is no valid safetensors file: {other}")),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(io::Error::other("the call was cancelled"));
        }
        match self.first.read(buffer)? {
            0 => self.rest.read(buffer),
            read => Ok(read),
        }
    }
}
