//! Why the demo ended early.

use rootstock_client::ClientError;

use super::facts::FactsError;

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The facts were refused.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] ClientError),
    /// The server could not start or ended badly.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// The directory could not be made, or a file of it not read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A job or an evaluation ended otherwise than well.
    #[error("{name} ended as {state}: {error}")]
    Unsuccessful {
        /// The job or evaluation.
        name: String,
        /// How it ended.
        state: String,
        /// Why.
        error: String,
    },
    /// An answer of a service lacks what it promises, or is not what was asked for.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}
