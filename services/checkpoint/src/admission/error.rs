//! Why the files of an artifact are refused.
use rootstock_artifacts::{Digest, Kind, StoreError};
use rootstock_runtime::{ErrorReason, Failure};

/// Why the files of an artifact are refused. Messages name the file, and the tensor, field or row in it.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// A file that the kind needs is not there.
    #[error("an artifact of kind {kind} needs {file}")]
    MissingFile {
        /// The kind.
        kind: Kind,
        /// What is missing.
        file: String,
    },
    /// A file is not what it must be.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A pickle.
    #[error("{file}: is a pickle, which may run code when it is read; save the weights as safetensors")]
    Pickle {
        /// The file.
        file: String,
    },
    /// The configuration names an architecture that there is no decoder for.
    #[error("{0}")]
    Architecture(String),
    /// A tensor is missing, unknown or has the wrong shape.
    #[error("{file}: {problem}")]
    Tensor {
        /// The file.
        file: String,
        /// Which tensor, and what is wrong with it.
        problem: String,
    },
    /// The adapter was made for another base model.
    #[error("the adapter was made for another base model than {base}: {problem}")]
    Base {
        /// The base model that it is to belong to.
        base: Digest,
        /// How that shows.
        problem: String,
    },
    /// The tokenizer is not the one that goes with the rest.
    #[error("{0}")]
    Tokenizer(String),
    /// A row of a data set is malformed.
    #[error("{file}: row {row}: {problem}")]
    Row {
        /// The file.
        file: String,
        /// Number of the row, from 1.
        row: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A field of the request is not as it must be.
    #[error("{problem}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file could not be read.
    #[error("{file}: cannot be read")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file's stored bytes are damaged.
    #[error(
        "{file}: the stored bytes no longer match their digest; delete what has the file, and upload it again"
    )]
    Corrupt {
        /// The file.
        file: String,
    },
}

impl AdmissionError {
    pub(super) fn file(file: &str, problem: impl ToString) -> Self {
        Self::File { file: file.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn tensor(file: &str, problem: impl ToString) -> Self {
        Self::Tensor { file: file.to_owned(), problem: problem.to_string() }
    }

    /// An error of reading a file.
    pub(super) fn read(file: &str, source: std::io::Error) -> Self {
        let store = source.get_ref().and_then(|inner| inner.downcast_ref::<StoreError>());
        let file = file.to_owned();
        match store {
            Some(StoreError::Corrupt(_)) => Self::Corrupt { file },
            _ => Self::Read { file, source },
        }
    }
}

impl From<AdmissionError> for Failure {
    fn from(error: AdmissionError) -> Self {
        let message = error.to_string();
        let reason = match error {
            AdmissionError::Field { field, problem } => return Self::field(field, problem),
            AdmissionError::Read { file, source } => return Self::internal(format!("{file}: {source}")),
            AdmissionError::MissingFile { .. } | AdmissionError::File { .. } => ErrorReason::InvalidFile,
            AdmissionError::Pickle { .. } => ErrorReason::PickleRefused,
            AdmissionError::Architecture(_) => ErrorReason::UnknownArchitecture,
            AdmissionError::Tensor { .. } => ErrorReason::TensorMismatch,
            AdmissionError::Base { .. } => ErrorReason::BaseMismatch,
            AdmissionError::Tokenizer(_) => ErrorReason::TokenizerMismatch,
            AdmissionError::Row { .. } => ErrorReason::InvalidRow,
            AdmissionError::Corrupt { .. } => ErrorReason::Corrupt,
        };
        let failure = Self::new(reason, message);
        // INVALID_ARGUMENT always says which field is to blame: here the files.
        match failure.code() {
            tonic::Code::InvalidArgument => failure.with_field("artifact.blobs"),
            _ => failure,
        }
    }
}
