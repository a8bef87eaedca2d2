//! Why a server can't start, or ended badly.
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rootstock_client::ClientError;
use rootstock_runtime::{ConfigError, ServerError, TasksError, TelemetryError};

use super::Role;

/// Why a server can't start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration can't be printed.
    #[error("the configuration can't be printed")]
    Print(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Telemetry can't start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// An address is taken, or not this machine's.
    #[error("can't listen on {address}; choose another with --listen or --metrics-listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Another server has the data directory.
    #[error("another server uses {}; end it, or name another directory with --data", .0.display())]
    Locked(PathBuf),
    /// The system refused something.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// An address of another server is none.
    #[error(transparent)]
    Endpoint(#[from] ClientError),
    /// A service can't be built.
    #[error("the {role} can't start")]
    Service {
        /// The service.
        role: Role,
        /// Its reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The gRPC server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Background work failed, or didn't end in time.
    #[error("shutting down: {0}")]
    Tasks(#[from] TasksError),
    /// It was told to stop before it served.
    #[error("stopped before it was ready")]
    NotReady,
}

impl ServeError {
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
