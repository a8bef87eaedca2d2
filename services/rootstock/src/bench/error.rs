//! Why a measurement ended early, or found a fault.

use std::io;
use std::path::{Path, PathBuf};

use rootstock_cli::CliError;
use rootstock_client::ClientError;
use rootstock_kernels::DispatchError;
use rootstock_model::ModelError;
use rootstock_peft::PeftError;

use crate::serve::ServeError;

/// Why a measurement ended early, or found a fault.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The environment asks for a dispatch path that can't be taken.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// A file or directory can't be read.
    #[error("{}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A directory is not what it must be, or an argument doesn't fit the model.
    #[error("{0}")]
    Refused(String),
    /// The model can't be loaded or computed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The adapter can't be made.
    #[error(transparent)]
    Adapter(#[from] PeftError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The server could not start or ended badly.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The model or an adapter could not be imported.
    #[error(transparent)]
    Import(#[from] CliError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] ClientError),
    /// A request to the engine in this process failed.
    #[error(transparent)]
    Engine(#[from] rootstock_inference::Error),
    /// The runtime or the temporary directory can't be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The result can't be written as JSON.
    #[error("the result can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A client of the measurement ended badly.
    #[error("a client of the measurement ended badly")]
    Task(#[from] tokio::task::JoinError),
    /// An answer lacks what it promises.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
    /// What a request generates depended on what else was running.
    #[error("{mismatches} of {repeated} requests got other tokens alone than together with the others")]
    Mismatches {
        /// How many.
        mismatches: usize,
        /// Of how many that were repeated.
        repeated: usize,
    },
}

impl BenchError {
    pub(super) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}
