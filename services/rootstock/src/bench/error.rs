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
    /// The model could not be imported.
    #[error(transparent)]
    Import(#[from] CliError),
    /// An adapter could not be imported or published.
    #[error("{}", of_dir(.dir, .error))]
    AdapterDir {
        /// Its directory; the server knows it by another name.
        dir: PathBuf,
        /// What is wrong with it.
        error: CliError,
    },
    /// A call failed; the status that it came from repeats what the message says.
    #[error("{0}")]
    Call(Box<ClientError>),
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

/// An error with the directory before it, unless it names that itself.
fn of_dir(dir: &Path, error: &CliError) -> String {
    let (dir, message) = (dir.display().to_string(), error.to_string());
    if message.contains(&dir) { message } else { format!("{dir}: {message}") }
}

impl From<ClientError> for BenchError {
    fn from(error: ClientError) -> Self {
        Self::Call(Box::new(error))
    }
}

impl BenchError {
    pub(super) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}
