//! The ways in which a worker's work can end early: the job is wrong, its numbers are, something failed that may pass, or it was told to.

use rootstock_client::{ClientError, ErrorReason};

use super::stop::Ended;

/// Why work ended early.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The job can't succeed, however often it is tried: it is reported as failed.
    Job(String),
    /// A loss or a gradient is not finite: the same, unless the job may go on in another number format.
    NotFinite(String),
    /// It may succeed another time: the worker ends with an error and is started again.
    Passing(String),
    /// The worker was told to stop.
    Stop(Ended),
}

/// Why a worker couldn't compute its job, this time.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerError(String);

impl WorkerError {
    pub(super) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl From<Fault> for WorkerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Job(message) | Fault::NotFinite(message) | Fault::Passing(message) => Self(message),
            Fault::Stop(ended) => Self(format!("the worker was told to stop: {ended:?}")),
        }
    }
}

impl Fault {
    /// A failure of the machine under the worker.
    pub(super) fn passing(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Passing(format!("{what}: {error}"))
    }

    /// A failed call to a service, made to `what`.
    pub(super) fn remote(what: &str, error: &ClientError) -> Self {
        let mut message = format!("{what}: {error}");
        if error.is(ErrorReason::NotFound) {
            // It was there when the job was created, and jobs don't keep what they name.
            message.push_str(
                "; it was deleted after the job was created: store it again and create the job anew",
            );
        }
        match error.reason {
            Some(
                ErrorReason::NotFound
                | ErrorReason::InvalidField
                | ErrorReason::InvalidFile
                | ErrorReason::InvalidRow
                | ErrorReason::PickleRefused
                | ErrorReason::UnknownArchitecture
                | ErrorReason::TensorMismatch
                | ErrorReason::BaseMismatch
                | ErrorReason::TokenizerMismatch
                | ErrorReason::Corrupt,
            ) => Self::Job(message),
            _ => Self::Passing(message),
        }
    }
}

/// Errors that lie in the job itself: its data, its model, its numbers.
pub(super) fn of_job(what: impl Into<String>) -> impl Fn(&dyn std::fmt::Display) -> Fault {
    let what = what.into();
    move |error| Fault::Job(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use rootstock_runtime::{Failure, status};

    use super::*;

    #[test]
    fn an_artifact_that_was_deleted_meanwhile_fails_the_job_and_says_so() {
        let gone = Failure::new(ErrorReason::NotFound, "sha256:00 does not exist");
        match Fault::remote("spec.dataset", &ClientError::from(status(gone))) {
            Fault::Job(message) => {
                assert!(message.contains("deleted after the job was created"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
