//! What every Rootstock service shares: configuration, telemetry, status codes, layers, server and shutdown.
//!
//! A service is a library whose `build` takes its own config and the handles below; the binary composes them:
//! `config::load` -> `Telemetry::init` -> `Shutdown::on_signals` -> `Tasks`, `Metrics`, `Health` -> build ->
//! `Server::mount` -> `Server::run`.
#![forbid(unsafe_code)]

pub mod config;
pub mod health;
pub mod layers;
pub mod methods;
pub mod metrics;
pub mod server;
pub mod shutdown;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod trace;

pub use config::{ConfigError, Secret, Sources};
pub use health::Health;
pub use layers::auth::{Admission, Everyone};
pub use layers::deadline::Deadline;
pub use metrics::Metrics;
pub use server::{MAX_MESSAGE_BYTES, Server, ServerConfig, ServerError};
pub use shutdown::Shutdown;
pub use status::{Failure, from_remote, status};
pub use tasks::{BySizeError, Panicked, Tasks, TasksError};
pub use telemetry::{Telemetry, TelemetryConfig, TelemetryError};

/// The reasons of the contract, re-exported because every [`Failure`] names one.
pub use rootstock_proto::common::v1::ErrorReason;
