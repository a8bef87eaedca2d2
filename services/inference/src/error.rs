//! What can go wrong in the inference service, and the reason that each failure has in the contract.

use rootstock_model::{ConfigError, ModelError};
use rootstock_peft::PeftError;
use rootstock_runtime::{BySizeError, ErrorReason, Failure, Panicked};

use crate::{constraint::Unmatched, sampling::NoChoice};

/// A failure of the inference service. It is cheap to copy, because one failed load may fail many waiting requests.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A field of a request is missing, malformed or out of its range.
    #[error("{message}")]
    Invalid {
        /// The field's path in the request.
        field: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// A model, an adapter, a data set or an evaluation that isn't there.
    #[error("{0}")]
    NotFound(String),
    /// The id is taken.
    #[error("{0} exists already; choose another id")]
    AlreadyExists(String),
    /// The adapter was made for another base model.
    #[error("{0}")]
    BaseMismatch(String),
    /// The adapter was made with another tokenizer than its base has.
    #[error("{0}")]
    TokenizerMismatch(String),
    /// A tensor fits nowhere, is missing or has the wrong shape.
    #[error("{0}")]
    TensorMismatch(String),
    /// A file is not what it must be.
    #[error("{0}")]
    InvalidFile(String),
    /// A pickle in place of safetensors.
    #[error("{0}")]
    PickleRefused(String),
    /// A base model of a family that isn't supported.
    #[error("{0}")]
    UnknownArchitecture(String),
    /// A row of a data set can't be evaluated.
    #[error("{0}")]
    InvalidRow(String),
    /// Prompt and answer don't fit.
    #[error("the prompt's {prompt} tokens and {more} more don't fit {what} of {limit} tokens; shorten one")]
    ContextTooLong {
        /// Tokens in the prompt.
        prompt: usize,
        /// Tokens asked for after it, or given.
        more: usize,
        /// What they don't fit.
        what: &'static str,
        /// Its size in tokens.
        limit: usize,
    },
    /// A text has more tokens than the encoder's context.
    #[error("{field} has {tokens} tokens, more than the model's context of {limit}; shorten it")]
    TextTooLong {
        /// The text's path in the request.
        field: String,
        /// Its tokens, special ones included.
        tokens: usize,
        /// The context.
        limit: usize,
    },
    /// A queue or a memory budget is full.
    #[error("{0}")]
    Overloaded(String),
    /// It takes more than a limit ever allows.
    #[error("{0}")]
    ExceedsLimit(String),
    /// The server ends.
    #[error("the server is shutting down; retry, another replica answers")]
    ShuttingDown,
    /// The request's time is up.
    #[error("{0}")]
    DeadlineExceeded(&'static str),
    /// The alias was moved by somebody else.
    #[error("{0}")]
    AliasMoved(String),
    /// Another version was published, and running requests were to end.
    #[error("{0}")]
    AdapterReplaced(String),
    /// There is nothing to roll back to.
    #[error("{0}")]
    NoPreviousVersion(String),
    /// The state of the evaluation or the adapter doesn't allow the call.
    #[error("{0}")]
    WrongState(String),
    /// A call to another service failed, or the process has no room for a text.
    #[error(transparent)]
    Remote(Box<Failure>),
    /// A defect or a broken disk.
    #[error("{0}")]
    Internal(String),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigProblem),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Internal(format!("{what}: {error}"))
    }

    /// Whether the same may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self.reason(),
            ErrorReason::DependencyUnavailable
                | ErrorReason::Overloaded
                | ErrorReason::ShuttingDown
                | ErrorReason::DeadlineExceeded
        )
    }

    pub(crate) fn reason(&self) -> ErrorReason {
        match self {
            Self::Invalid { .. } => ErrorReason::InvalidField,
            Self::NotFound(_) => ErrorReason::NotFound,
            Self::AlreadyExists(_) => ErrorReason::AlreadyExists,
            Self::BaseMismatch(_) => ErrorReason::BaseMismatch,
            Self::TokenizerMismatch(_) => ErrorReason::TokenizerMismatch,
            Self::TensorMismatch(_) => ErrorReason::TensorMismatch,
            Self::InvalidFile(_) => ErrorReason::InvalidFile,
            Self::PickleRefused(_) => ErrorReason::PickleRefused,
            Self::UnknownArchitecture(_) => ErrorReason::UnknownArchitecture,
            Self::InvalidRow(_) => ErrorReason::InvalidRow,
            Self::ContextTooLong { .. } | Self::TextTooLong { .. } => ErrorReason::ContextTooLong,
            Self::Overloaded(_) => ErrorReason::Overloaded,
            Self::ExceedsLimit(_) => ErrorReason::ExceedsLimit,
            Self::ShuttingDown => ErrorReason::ShuttingDown,
            Self::DeadlineExceeded(_) => ErrorReason::DeadlineExceeded,
            Self::AliasMoved(_) => ErrorReason::AliasMoved,
            Self::AdapterReplaced(_) => ErrorReason::AdapterReplaced,
            Self::NoPreviousVersion(_) => ErrorReason::NoPreviousVersion,
            Self::WrongState(_) => ErrorReason::WrongState,
            Self::Remote(failure) => failure.reason,
            Self::Internal(_) | Self::Config(_) => ErrorReason::Internal,
        }
    }
}

/// Another service doesn't do its part.
pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Failure::new(ErrorReason::DependencyUnavailable, message).into()
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

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Remote(Box::new(failure))
    }
}

impl From<Panicked> for Error {
    fn from(panicked: Panicked) -> Self {
        Self::Internal(panicked.to_string())
    }
}

impl From<BySizeError> for Error {
    fn from(error: BySizeError) -> Self {
        Failure::from(error).into()
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        match error {
            ModelError::Config(ConfigError::Architecture { .. }) => Self::UnknownArchitecture(message),
            ModelError::Config(_) | ModelError::Format { .. } => Self::InvalidFile(message),
            ModelError::MissingTensors(_)
            | ModelError::UnexpectedTensors(_)
            | ModelError::DuplicateTensor(_)
            | ModelError::Shape { .. }
            | ModelError::Dtype { .. } => Self::TensorMismatch(message),
            _ => Self::Internal(message),
        }
    }
}

impl From<PeftError> for Error {
    fn from(error: PeftError) -> Self {
        let message = error.to_string();
        match error {
            PeftError::Json(_)
            | PeftError::Field { .. }
            | PeftError::Unsupported { .. }
            | PeftError::Format { .. }
            | PeftError::NotFinite { .. } => Self::InvalidFile(message),
            PeftError::Pickle { .. } => Self::PickleRefused(message),
            PeftError::UnknownTensor { .. }
            | PeftError::DuplicateTensor(_)
            | PeftError::MissingHalf { .. }
            | PeftError::MissingTensor(_)
            | PeftError::Rank { .. }
            | PeftError::Shape { .. }
            | PeftError::Dtype { .. } => Self::TensorMismatch(message),
            PeftError::Base(_) => Self::BaseMismatch(message),
            PeftError::Io { .. } | PeftError::Tensor(_) | PeftError::Model(_) => Self::Internal(message),
        }
    }
}

/// The server computes as it should: the weights of the model or the adapter are to blame, or what the request rules out.
impl From<NoChoice> for Error {
    fn from(error: NoChoice) -> Self {
        match error {
            NoChoice::NotFinite => Self::InvalidFile(error.to_string()),
            NoChoice::AllMasked => Self::invalid("sampling", error.to_string()),
            NoChoice::Unmatched(unmatched) => unmatched.into(),
        }
    }
}

impl From<Unmatched> for Error {
    fn from(error: Unmatched) -> Self {
        Self::invalid(error.field, error.message)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::internal("the evaluation store failed", error)
    }
}
