//! What can go wrong in the training service, and the reason that each failure has in the contract.

use rootstock_client::ClientError;
use rootstock_runtime::{ErrorReason, Failure};

/// A failure of the training service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of a request is missing, malformed or out of its range.
    #[error("{message}")]
    Invalid {
        /// The field's path in the request.
        field: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// A job or an artifact that isn't there.
    #[error("{0}")]
    NotFound(String),
    /// The id is taken.
    #[error("{0} exists already; choose another id")]
    JobExists(String),
    /// The job's state doesn't allow the call.
    #[error("{name} {problem}")]
    WrongState {
        /// The job's name.
        name: String,
        /// Why the call isn't possible.
        problem: String,
    },
    /// The caller isn't, or is no longer, the worker that computes the job.
    #[error("{0} is not leased to this worker; stop")]
    LeaseLost(String),
    /// As many jobs wait as may.
    #[error("{limit} jobs are queued already, as many as may be; retry when some have ended")]
    QueueFull {
        /// The bound.
        limit: u32,
    },
    /// As many jobs of one tenant wait as may.
    #[error("{limit} jobs of this tenant are queued already, as many as may be; retry when some have ended")]
    TenantQueueFull {
        /// The bound.
        limit: u32,
    },
    /// Another job is being verified.
    #[error("another job is being verified; retry when that has ended")]
    Verifying,
    /// A job's steps can't be made again.
    #[error("the job can't be verified: {0}")]
    Unverifiable(String),
    /// As many streams are open as may be.
    #[error("{limit} watch streams are open already, as many as may be; retry later")]
    TooManyWatchers {
        /// The bound.
        limit: usize,
    },
    /// As many data sets are audited or cleaned as may be.
    #[error("{limit} data sets are audited or cleaned already, as many as may be; retry later")]
    DataBusy {
        /// The bound.
        limit: usize,
    },
    /// What is to be evaluated and published needs a service that isn't there.
    #[error(
        "spec.publication needs the inference service, which isn't served where it is looked for; serve the inference role, \
         or set ROOTSTOCK_INFERENCE_ENDPOINT"
    )]
    NoInference,
    /// Data or model were made with another tokenizer.
    #[error("{0}")]
    TokenizerMismatch(String),
    /// The server ends.
    #[error("the server is shutting down; watch again with after_event_id on another or later server")]
    ShuttingDown,
    /// A call to another service failed.
    #[error(transparent)]
    Remote(Box<Failure>),
    /// The job store failed.
    #[error("the job store failed: {0}")]
    Store(#[from] sqlx::Error),
    /// The job store's schema could not be brought up to date.
    #[error("the job store's schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The job store holds what this version didn't write.
    #[error("the job store holds an unreadable record: {0}")]
    Record(String),
    /// The data directory or a thread could not be had.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigProblem),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// The same of a field that lies below another path.
    pub(crate) fn moved(self, from: &str, to: &str) -> Self {
        match self {
            Self::Invalid { field, message } => match field.strip_prefix(from) {
                Some(rest) => Self::Invalid { field: format!("{to}{rest}"), message },
                None => Self::Invalid { field, message },
            },
            other => other,
        }
    }

    pub(crate) fn no_job(id: &crate::names::JobId) -> Self {
        Self::NotFound(format!("{id} does not exist"))
    }

    pub(crate) fn wrong_state(id: &crate::names::JobId, problem: impl Into<String>) -> Self {
        Self::WrongState { name: id.to_string(), problem: problem.into() }
    }

    /// An error of a service called on behalf of a client, told about the field that led to the call.
    pub(crate) fn remote(error: ClientError, dependency: &str, field: &str) -> Self {
        let failure = crate::resolve::failure_of(error, dependency);
        match failure.reason {
            ErrorReason::NotFound => Self::NotFound(format!("{field}: {}", failure.message)),
            ErrorReason::InvalidField => Self::invalid(field, failure.message),
            _ => Self::Remote(Box::new(failure)),
        }
    }

    fn reason(&self) -> ErrorReason {
        match self {
            Self::Invalid { .. } => ErrorReason::InvalidField,
            Self::NotFound(_) => ErrorReason::NotFound,
            Self::JobExists(_) => ErrorReason::AlreadyExists,
            Self::WrongState { .. } | Self::LeaseLost(_) | Self::Unverifiable(_) | Self::NoInference => {
                ErrorReason::WrongState
            }
            Self::QueueFull { .. }
            | Self::TenantQueueFull { .. }
            | Self::TooManyWatchers { .. }
            | Self::DataBusy { .. }
            | Self::Verifying => ErrorReason::Overloaded,
            Self::TokenizerMismatch(_) => ErrorReason::TokenizerMismatch,
            Self::ShuttingDown => ErrorReason::ShuttingDown,
            Self::Remote(failure) => failure.reason,
            Self::Store(_) | Self::Migrate(_) | Self::Record(_) | Self::Io { .. } | Self::Config(_) => {
                ErrorReason::Internal
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = error.reason();
        match error {
            Error::Invalid { field, message } => Self::field(field, message),
            Error::Remote(failure) => *failure,
            other => Self::new(reason, other.to_string()),
        }
    }
}
