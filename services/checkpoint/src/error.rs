//! What can go wrong in the service, and the contract's reason for it.
use rootstock_artifacts::{AliasName, Digest, Kind, StoreError};
use rootstock_runtime::tasks::Panicked;
use rootstock_runtime::{ErrorReason, Failure};

use crate::admission::AdmissionError;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration makes no sense.
    #[error("checkpoint.{key} {problem}")]
    Config {
        /// The key in the section `checkpoint`.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A field of a request is not as it must be.
    #[error("{problem}")]
    Field {
        /// Its path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing of this name.
    #[error("there is no {0}")]
    NotFound(String),
    /// A blob that an artifact is to be made of is not there.
    #[error("{path}: blob {digest} is not in the store; upload it first")]
    BlobMissing {
        /// The file.
        path: String,
        /// Its blob.
        digest: Digest,
    },
    /// The files are not what the kind requires.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// Something still needs the artifact.
    #[error("artifact {digest} is still {user}")]
    InUse {
        /// The artifact.
        digest: Digest,
        /// What needs it: "named by adapters/greeter".
        user: String,
    },
    /// The alias is not where the caller thought.
    #[error("{name} {problem}; read it again and retry")]
    AliasMoved {
        /// The alias.
        name: AliasName,
        /// How it differs.
        problem: &'static str,
    },
    /// The alias's collection is for another kind.
    #[error("{name} names artifacts of kind {expected}, but {digest} is of kind {actual}")]
    WrongKind {
        /// The alias.
        name: AliasName,
        /// The artifact.
        digest: Digest,
        /// The field of the request that names it.
        field: &'static str,
        /// What the collection is for.
        expected: Kind,
        /// What the artifact is.
        actual: Kind,
    },
    /// The blob store refuses or fails.
    #[error(transparent)]
    Blobs(#[from] StoreError),
    /// The catalog fails.
    #[error("the catalog failed")]
    Catalog(#[source] sqlx::Error),
    /// The catalog's tables cannot be brought up to date.
    #[error("the catalog cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row of the catalog is not as this service writes it.
    #[error("the catalog's {0} is damaged")]
    Damaged(&'static str),
    /// Compute panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// What SQLite says when there is no room left.
const SQLITE_FULL: &str = "13";

impl Error {
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.code().as_deref() == Some(SQLITE_FULL) => {
                Self::Blobs(StoreError::Full)
            }
            _ => Self::Catalog(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Field { field, problem } => Self::field(field, problem),
            Error::WrongKind { field, .. } => Self::field(field, message),
            Error::NotFound(_) => Self::new(ErrorReason::NotFound, message),
            Error::BlobMissing { .. } => Self::new(ErrorReason::BlobMissing, message),
            Error::InUse { .. } => Self::new(ErrorReason::InUse, message),
            Error::AliasMoved { .. } => Self::new(ErrorReason::AliasMoved, message),
            Error::Admission(error) => error.into(),
            Error::Blobs(error) => blob_failure(&error, message),
            Error::Config { .. }
            | Error::Catalog(_)
            | Error::Migrate(_)
            | Error::Damaged(_)
            | Error::Panicked(_) => Self::internal(with_causes(&error)),
        }
    }
}

fn blob_failure(error: &StoreError, message: String) -> Failure {
    match error {
        StoreError::ChunkTooLarge(_) => Failure::field("data", message),
        StoreError::BlobTooLarge { .. } | StoreError::WrongTotal { .. } | StoreError::BeyondEnd { .. } => {
            Failure::field("total_bytes", message)
        }
        StoreError::OutOfRange { .. } => Failure::field("offset", message),
        StoreError::WrongOffset { .. } => Failure::new(ErrorReason::WrongOffset, message),
        StoreError::DigestMismatch { .. } => {
            Failure::new(ErrorReason::DigestMismatch, message).with_field("digest")
        }
        StoreError::TooManyUploads(_) => Failure::new(ErrorReason::Overloaded, message),
        StoreError::Full => Failure::new(ErrorReason::StoreFull, message),
        StoreError::NotFound(_) => Failure::new(ErrorReason::NotFound, message),
        StoreError::Corrupt(_) => Failure::new(ErrorReason::Corrupt, message),
        StoreError::Io(_) | StoreError::Object(_) => Failure::internal(with_causes(error)),
    }
}

/// The error and what it came from, for the log.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
