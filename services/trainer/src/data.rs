//! Looking at data before a job trains on it, and cleaning it: in this process, a few at a time, of bounded size.

mod audit;
mod clean;
mod judge;

use std::sync::Arc;

use bytes::Bytes;
use rootstock_artifacts::ArtifactName;
use rootstock_client::Clients;
use rootstock_proto::checkpoint::v1::{Artifact, ArtifactKind, BlobEntry};
use rootstock_runtime::{ErrorReason, Failure};
use tokio::sync::Semaphore;
use tokio_util::sync::DropGuard;

use crate::{
    error::Error,
    resolve::Resolver,
    worker::{
        beside::Beside,
        fault::Fault,
        files::{Contents, holds_data},
    },
};

/// Calls that audit or clean at once; more are refused.
const MAX_AT_ONCE: usize = 2;
/// Most bytes of the data sets that a call reads.
const MAX_BYTES: i64 = 256 << 20;
/// Most rows that are audited.
const MAX_AUDITED_ROWS: usize = 1_000_000;

/// Audits and cleans.
#[derive(Clone, Debug)]
pub(crate) struct DataDesk {
    clients: Clients,
    resolver: Resolver,
    slots: Arc<Semaphore>,
}

/// What a call may still read.
#[derive(Debug)]
struct Budget {
    bytes: i64,
    rows: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, rows: MAX_AUDITED_ROWS }
    }
}

impl Budget {
    fn take(&mut self, field: &str, dataset: &Artifact) -> Result<(), Error> {
        let left = self.bytes - dataset.size_bytes;
        if left < 0 {
            let message = format!(
                "has {} bytes, more than are left of the {MAX_BYTES} that are read here; name a part of it",
                dataset.size_bytes
            );
            return Err(Error::invalid(field, message));
        }
        self.bytes = left;
        Ok(())
    }
}

impl DataDesk {
    pub(crate) fn new(clients: Clients, resolver: Resolver) -> Self {
        Self { clients, resolver, slots: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }

    /// A place among the calls that look at data, which is held until all that computes for it has ended. It is told to end when the guard
    /// is dropped, as it is with the call.
    fn beside(&self) -> Result<(Beside, DropGuard), Error> {
        let place = Arc::clone(&self.slots).try_acquire_owned();
        place.map(Beside::of_call).map_err(|_| Error::DataBusy { limit: MAX_AT_ONCE })
    }

    /// The files of a data set with rows or text in them.
    async fn contents(
        &self,
        field: &str,
        name: &ArtifactName,
        budget: &mut Budget,
    ) -> Result<Contents, Error> {
        let dataset = self.resolver.artifact(field, name, &[ArtifactKind::Dataset]).await?;
        budget.take(field, &dataset)?;
        let mut contents = Vec::new();
        for blob in dataset.blobs.iter().filter(|blob| holds_data(&blob.path)) {
            contents.push((blob.path.clone(), self.blob(field, blob).await?));
        }
        Ok(contents)
    }

    /// A file of an artifact, if it has it.
    async fn file(&self, field: &str, artifact: &Artifact, path: &str) -> Result<Option<Bytes>, Error> {
        match artifact.blobs.iter().find(|blob| blob.path == path) {
            None => Ok(None),
            Some(blob) => self.blob(field, blob).await.map(Some),
        }
    }

    async fn blob(&self, field: &str, blob: &BlobEntry) -> Result<Bytes, Error> {
        let digest = blob.digest.parse().map_err(|_| Error::invalid(field, "names no blob"))?;
        let read = self.clients.checkpoint().read_blob(&digest, MAX_BYTES as usize).await;
        read.map_err(|error| Error::remote(error, "checkpoint", field))
    }
}

/// What ends a job's reading of data ends a look at it.
fn of_fault(fault: Fault) -> Error {
    match fault {
        Fault::Job(message) | Fault::NotFinite(message) => Error::invalid("spec", message),
        Fault::Passing(message) => {
            Error::Remote(Box::new(Failure::new(ErrorReason::DependencyUnavailable, message)))
        }
        Fault::Stop(_) => Error::ShuttingDown,
    }
}
