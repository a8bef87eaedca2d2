//! The tokenization service: encoding, decoding, chat templates and tokenizer training.
//!
//! Tokenizers lie in the checkpoint store, alone or with a base model. The service fetches them into the local cache,
//! builds each once, and keeps the most recently used ones in memory by digest.
#![forbid(unsafe_code)]

mod config;
mod convert;
mod error;
mod grpc;
mod learn;
mod metrics;
mod registry;

use std::path::PathBuf;

use rootstock_client::{Cache, Clients};
use rootstock_proto::tokenization::v1::tokenization_service_server::{
    SERVICE_NAME, TokenizationServiceServer,
};
use rootstock_runtime::{Health, MAX_MESSAGE_BYTES, Metrics, Server, Tasks};

pub use config::Config;
pub use error::Error;
use grpc::Grpc;
use metrics::TokenizerMetrics;
use registry::Registry;

/// The local cache below the data directory; the other services of a process share it.
const CACHE: &str = "cache";

/// What the service is given by its process.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The checkpoint service.
    pub clients: Clients,
    /// The process's metrics.
    pub metrics: Metrics,
    /// Where it says that it is serving.
    pub health: Health,
    /// Supervises its compute.
    pub tasks: Tasks,
    /// The process's data directory.
    pub data_dir: PathBuf,
}

/// A running service.
#[derive(Clone, Debug)]
pub struct Handle {
    grpc: Grpc,
    health: Health,
}

/// Opens the cache. Tokenizers are loaded when they are first asked for.
///
/// # Errors
/// When the configuration makes no sense, or the cache can't be opened.
pub async fn build(config: Config, deps: Deps) -> Result<Handle, Error> {
    config.validate()?;
    let (dir, bytes) = (deps.data_dir.join(CACHE), config.cache_bytes);
    let cache = deps.tasks.spawn_blocking("tokenizer-cache", move || Cache::open(dir, bytes)).await?;
    let cache = cache.map_err(|source| Error::Io { what: "the cache can't be opened", source })?;
    let metrics = TokenizerMetrics::register(&deps.metrics);
    let registry = Registry::new(&config, deps.clients, cache, deps.tasks, metrics);
    deps.health.set(SERVICE_NAME, true);
    Ok(Handle { grpc: Grpc::new(registry), health: deps.health })
}

impl Handle {
    /// Mounts the service on a server.
    pub fn mount(&self, server: Server) -> Server {
        let service = TokenizationServiceServer::new(self.grpc.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        server.mount(service)
    }

    /// Says that it serves no longer; call it once the server has drained.
    pub async fn shutdown(self) {
        self.health.set(SERVICE_NAME, false);
    }
}
