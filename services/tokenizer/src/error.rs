//! What can go wrong in the tokenization service, and the reason that each failure has in the contract.

use rootstock_client::{ClientError, ErrorReason};
use rootstock_runtime::{BySizeError, Failure, Panicked};
use rootstock_text::{ChatTemplateError, DocumentError, TokenizerError, TrainError};

/// A failure of the tokenization service.
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
    /// A file of a stored tokenizer can't be used.
    #[error("{name}: {problem}")]
    File {
        /// The tokenizer asked for.
        name: String,
        /// The file and what is wrong with it.
        problem: String,
    },
    /// A text or a document of a data set can't be used.
    #[error("{file}: {source}")]
    Document {
        /// The file.
        file: String,
        /// The document and what is wrong with it.
        source: DocumentError,
    },
    /// A call to the checkpoint service failed, or the process has no room for a text.
    #[error(transparent)]
    Remote(Box<Failure>),
    /// Chat templates that can't be stopped still run.
    #[error("{0}")]
    Overloaded(String),
    /// A computation panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The local cache fails.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The configuration can't be used.
    #[error("tokenizer.{key} must be above 0")]
    Config {
        /// The setting.
        key: &'static str,
    },
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// A text that can't be encoded.
    pub(crate) fn text(field: &str, error: &TokenizerError) -> Self {
        Self::invalid(field, error.to_string())
    }

    /// Messages that can't be rendered.
    pub(crate) fn chat(error: &ChatTemplateError) -> Self {
        match error {
            ChatTemplateError::Overloaded => Self::Overloaded(error.to_string()),
            _ => Self::invalid("messages", error.to_string()),
        }
    }

    /// A tokenizer that can't be trained.
    pub(crate) fn training(error: &TrainError) -> Self {
        Self::invalid(training_field(error), error.to_string())
    }

    /// An error of the checkpoint service, told about the field that led to the call.
    pub(crate) fn remote(error: ClientError, field: &str) -> Self {
        let unavailable = || {
            Failure::new(ErrorReason::DependencyUnavailable, "the checkpoint service doesn't answer; retry")
        };
        let failure = match error.reason {
            None | Some(ErrorReason::ShuttingDown) if error.is_transient() => unavailable(),
            Some(ErrorReason::InvalidField) => Failure::field(field, error.message),
            Some(reason) => Failure::new(reason, error.message),
            None => Failure::internal(error),
        };
        Self::Remote(Box::new(failure))
    }
}

/// The field of TrainTokenizerRequest that an error is about.
fn training_field(error: &TrainError) -> &'static str {
    match error {
        TrainError::VocabSize { .. } => "vocab_size",
        TrainError::ChatTemplate(_) => "chat_template",
        TrainError::WordChars { .. } => "word_piece.max_input_chars_per_word",
        _ => "special_tokens",
    }
}

impl From<BySizeError> for Error {
    fn from(error: BySizeError) -> Self {
        Self::Remote(Box::new(error.into()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, message } => Self::field(field, message),
            Error::File { .. } => Self::new(ErrorReason::InvalidFile, error.to_string()),
            Error::Document { .. } => Self::new(ErrorReason::InvalidRow, error.to_string()),
            Error::Remote(failure) => *failure,
            Error::Overloaded(message) => Self::new(ErrorReason::Overloaded, message),
            Error::Panicked(_) | Error::Io { .. } | Error::Config { .. } => Self::internal(error),
        }
    }
}
