//! The checkpoint service: artifacts, blobs and the alias records that move.
//!
//! Blobs lie in `{data_dir}/checkpoint/blobs`, uploads in flight in `spool`, everything else in `catalog.sqlite`.
#![forbid(unsafe_code)]

mod admission;
mod alias;
mod artifact;
pub mod catalog;
mod config;
mod convert;
mod error;
mod grpc;
mod janitor;
mod metrics;
mod page;
mod store;
mod watch;

use std::path::PathBuf;

use rootstock_artifacts::{BlobStore, BlobStoreOptions, Faults};
use rootstock_proto::checkpoint::v1::checkpoint_service_server::{CheckpointServiceServer, SERVICE_NAME};
use rootstock_runtime::{Health, MAX_MESSAGE_BYTES, Metrics, Server, Tasks};

pub use admission::AdmissionError;
pub use alias::{
    Alias, AliasChange, AliasEvent, Canary, Expect, HISTORY, Revision, Running, Target, Version,
};
pub use artifact::{Artifact, Draft};
use catalog::SqliteCatalog;
pub use config::Config;
pub use error::Error;
use grpc::Grpc;
use metrics::StoreMetrics;
use store::Store;

/// Folder of the service below the data directory.
const FOLDER: &str = "checkpoint";
/// File of the catalog.
const CATALOG: &str = "catalog.sqlite";

/// What the service is given by its process.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The process's metrics.
    pub metrics: Metrics,
    /// Where it says that it is serving.
    pub health: Health,
    /// Supervises its background work and its compute.
    pub tasks: Tasks,
    /// The process's data directory.
    pub data_dir: PathBuf,
}

/// A running service.
#[derive(Clone, Debug)]
pub struct Handle {
    grpc: Grpc<SqliteCatalog>,
    health: Health,
}

/// Opens the store: recovers what a crash left, and starts the background work.
///
/// # Errors
/// When the configuration makes no sense, or the store cannot be opened.
pub async fn build(config: Config, deps: Deps) -> Result<Handle, Error> {
    build_with_faults(config, deps, Faults::default()).await
}

/// The same with faults that a test injects.
///
/// # Errors
/// As [`build`].
pub async fn build_with_faults(config: Config, deps: Deps, faults: Faults) -> Result<Handle, Error> {
    config.validate()?;
    let dir = deps.data_dir.join(FOLDER);
    let options = BlobStoreOptions {
        max_uploads: config.max_uploads,
        max_blob_bytes: config.max_blob_bytes,
        expiry: config.upload_expiry,
        grace: config.commit_grace,
        faults: faults.clone(),
        ..BlobStoreOptions::default()
    };
    let blobs = BlobStore::open(&dir, options).await?;
    let catalog = SqliteCatalog::open(&dir.join(CATALOG), config.catalog_readers, faults).await?;
    let metrics = StoreMetrics::register(&deps.metrics);
    let store = Store::new(catalog, blobs, metrics, deps.tasks.clone()).await?;
    deps.tasks
        .spawn("checkpoint-janitor", janitor::run(store.clone(), config.sweep_interval, deps.tasks.clone()));
    deps.health.set(SERVICE_NAME, true);
    Ok(Handle { grpc: Grpc::new(store), health: deps.health })
}

impl Handle {
    /// Mounts the service on a server.
    pub fn mount(&self, server: Server) -> Server {
        let service = CheckpointServiceServer::new(self.grpc.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        server.mount(service)
    }

    /// Closes the store; call it once the server has drained.
    pub async fn shutdown(self) {
        self.health.set(SERVICE_NAME, false);
        self.grpc.close().await;
    }
}
