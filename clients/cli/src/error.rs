//! Why a verb ended early, and what to do next.
use std::io;

use rootstock_client::proto::common::v1::ErrorReason as Reason;
use rootstock_client::{ClientError, ErrorReason};

/// Exit code of everything that fails.
const FAILED: u8 = 1;
/// Exit code of a verb that Ctrl-C ended, as shells report it.
const INTERRUPTED: u8 = 130;

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file or an argument is not what it must be; the message names it and says what to do.
    #[error("{0}")]
    Refused(String),
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// The file.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A call failed.
    #[error("{}", describe(.0))]
    Call(Box<ClientError>),
    /// A job or an evaluation ended otherwise than well.
    #[error("{name} {how}")]
    Ended {
        /// The job or evaluation.
        name: String,
        /// How it ended, and why.
        how: String,
    },
    /// Ctrl-C while watching; what was watched goes on.
    #[error(
        "{name} goes on; watch it with `rootstock jobs watch {id}`, stop it with `rootstock jobs cancel {id}`"
    )]
    Interrupted {
        /// The job.
        name: String,
        /// Its id.
        id: String,
    },
}

impl CliError {
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The code that the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted { .. } => INTERRUPTED,
            _ => FAILED,
        }
    }

    /// Whether nobody reads the output any more, which is no error worth a message.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do next, where the message doesn't say it.
    pub fn hint(&self, endpoint: &str) -> Option<String> {
        let Self::Call(error) = self else { return None };
        match error.reason {
            None if error.is_transient() => Some(format!(
                "no server answers at {endpoint}; start one with `rootstock serve`, or name another with --endpoint"
            )),
            Some(reason) => for_reason(reason, error),
            None => None,
        }
    }
}

fn for_reason(reason: Reason, error: &ClientError) -> Option<String> {
    let hint = match reason {
        Reason::NotFound => {
            "`models list`, `adapters list`, `data list`, `tokenizer list` and `jobs list` show what is there"
        }
        Reason::AliasMoved => "somebody else moved the name in the meantime; look at it and try again",
        Reason::BaseMismatch => "name the base model that the adapter was trained on with --base or --model",
        Reason::TokenizerMismatch => "use the tokenizer that the model or adapter was made with",
        Reason::AlreadyExists => "choose another name",
        Reason::NoPreviousVersion => "`adapters versions NAME` shows what can be published",
        Reason::StoreFull => "free space where the server keeps its data, then try again; nothing was stored",
        Reason::Overloaded | Reason::ShuttingDown | Reason::DependencyUnavailable => {
            let seconds = error.retry_after.map_or(1, |after| after.as_secs().max(1));
            return Some(format!("try again in {seconds} s"));
        }
        Reason::Internal => "this is a defect of the server; its log has the details",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The message, and the reason by which scripts and the documentation know it.
fn describe(error: &ClientError) -> String {
    match error.reason {
        Some(reason) => format!("{error} ({})", name_of(reason)),
        None => error.to_string(),
    }
}

/// A reason as it stands in the contract's ErrorInfo.
pub(crate) fn name_of(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Call(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_server_that_is_not_there_is_named_with_what_to_do() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = ClientError { code: Code::Unavailable, ..ClientError::local("transport error", refused) };
        let error = CliError::from(error);
        let hint = error.hint("http://127.0.0.1:1").unwrap();
        assert!(hint.contains("http://127.0.0.1:1") && hint.contains("rootstock serve"), "{hint}");
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn reasons_read_as_in_the_contract() {
        assert_eq!(name_of(Reason::TensorMismatch), "TENSOR_MISMATCH");
        let interrupted = CliError::Interrupted { name: "trainingJobs/a".into(), id: "a".into() };
        assert!(interrupted.to_string().contains("rootstock jobs watch a"));
        assert_eq!((interrupted.exit_code(), interrupted.hint("")), (130, None));
    }
}
