//! Looking at data before a job trains on it, and cleaning it: in this process, a few at a time, of bounded size.

mod audit;
mod clean;

use std::sync::Arc;

use bytes::Bytes;
use rootstock_artifacts::ArtifactName;
use rootstock_client::Clients;
use rootstock_proto::checkpoint::v1::{Artifact, ArtifactKind, BlobEntry};
use rootstock_runtime::{ErrorReason, Failure};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::Error,
    resolve::Resolver,
    worker::{
        fault::Fault,
        files::{Contents, holds_data},
    },
};

/// Data sets that are audited or cleaned at once; more are refused.
const MAX_AT_ONCE: usize = 2;
/// Largest data set that is audited or cleaned.
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

impl DataDesk {
    pub(crate) fn new(clients: Clients, resolver: Resolver) -> Self {
        Self { clients, resolver, slots: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }

    /// A place among the looks at data. Whatever goes on when a client has gone holds it.
    fn slot(&self) -> Result<OwnedSemaphorePermit, Error> {
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        slot.map_err(|_| Error::DataBusy { limit: MAX_AT_ONCE })
    }

    /// The files of a data set with rows or text in them.
    async fn contents(&self, field: &str, name: &ArtifactName) -> Result<Contents, Error> {
        let dataset = self.resolver.artifact(field, name, &[ArtifactKind::Dataset]).await?;
        if dataset.size_bytes > MAX_BYTES {
            let message = format!(
                "has {} bytes, more than the {MAX_BYTES} that are read here; name a part of it",
                dataset.size_bytes
            );
            return Err(Error::invalid(field, message));
        }
        let mut contents = Vec::new();
        for blob in dataset.blobs.iter().filter(|blob| holds_data(&blob.path)) {
            let bytes = self.blob(field, blob).await?;
            contents.push((blob.path.clone(), blocking(move || Ok(Vec::from(bytes))).await?));
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

/// Does blocking work beside the async runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Error::Io { what: "the data can't be looked at", source: std::io::Error::other(error) })
    })
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
