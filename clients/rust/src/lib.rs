//! A typed Rust client for the Rootstock services: lazy connections, deadlines, a retry budget for idempotent calls,
//! watch streams that resume, and transfers that go on where they were cut.
//!
//! ```no_run
//! # async fn example() -> Result<(), rootstock_client::ClientError> {
//! use rootstock_client::{Clients, Endpoints};
//! let clients = Clients::new(Endpoints::from_env()?)?;
//! clients.wait_ready(std::time::Duration::from_secs(10)).await?;
//! let alias = clients.checkpoint().get_alias("adapters/greeter").await?;
//! println!("{} is at generation {}", alias.digest, alias.generation);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod adapters;
mod backoff;
mod call;
pub mod checkpoint;
mod clients;
pub mod encoder;
mod endpoints;
mod error;
pub mod evaluation;
pub mod generation;
mod propagate;
mod ready;
mod retry;
mod stream;
pub mod tokenization;
pub mod training;
pub mod worker;

pub use adapters::AdapterClient;
pub use checkpoint::{
    ArtifactDraft, CheckpointClient, Expect, FetchedArtifact, Made, Progress, Source, Transfer,
};
pub use clients::{ClientOptions, Clients};
pub use encoder::EncoderClient;
pub use endpoints::{DEFAULT_ENDPOINT, Endpoints, Service};
pub use error::ClientError;
pub use evaluation::EvaluationClient;
pub use generation::GenerationClient;
pub use propagate::{Propagate, Transport};
pub use stream::EventStream;
pub use tokenization::TokenizationClient;
pub use training::TrainingClient;
pub use worker::WorkerClient;

pub use rootstock_artifacts::{Cache, Digest, Kind};
pub use rootstock_proto as proto;
pub use rootstock_proto::common::v1::ErrorReason;
