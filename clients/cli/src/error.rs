//! Why a verb ended early, and what to do next.
use std::io;

use rootstock_client::proto::common::v1::ErrorReason as Reason;
use rootstock_client::{ClientError, ErrorReason};
use tonic::Code;

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
    /// A call failed, and the verb knows what to do about it.
    #[error("{}", describe(.error))]
    Hinted {
        /// The failure.
        error: Box<ClientError>,
        /// What to do.
        hint: String,
    },
    /// A job or an evaluation ended otherwise than well.
    #[error("{name} {how}")]
    Ended {
        /// The job or evaluation.
        name: String,
        /// How it ended, and why.
        how: String,
    },
    /// Ctrl-C while watching; what was watched goes on.
    #[error("{name} goes on; look at it with `{look}`, stop it with `{stop}`")]
    Interrupted {
        /// The job or evaluation.
        name: String,
        /// The command that shows it.
        look: String,
        /// The command that stops it.
        stop: String,
    },
}

impl CliError {
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }

    pub(crate) fn hinted(error: ClientError, hint: impl Into<String>) -> Self {
        Self::Hinted { error: Box::new(error), hint: hint.into() }
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

    /// What happened, in a line that begins with what matters most.
    pub fn message(&self, endpoint: &str) -> String {
        match self {
            Self::Call(error) if is_unanswered(error) => format!("no server answers at {endpoint} ({self})"),
            _ => self.to_string(),
        }
    }

    /// What to do next, where the message doesn't say it.
    pub fn hint(&self) -> Option<String> {
        let error = match self {
            Self::Call(error) => error,
            Self::Hinted { hint, .. } => return Some(hint.clone()),
            _ => return None,
        };
        match error.reason {
            Some(reason) => for_reason(reason, error),
            None if is_unanswered(error) => {
                Some("start one with `rootstock serve`, or name another with --endpoint".to_owned())
            }
            None if error.is_transient() => {
                Some("the connection broke; `rootstock doctor` shows which service answers".to_owned())
            }
            None => None,
        }
    }
}

/// Whether nobody was there to take the call.
fn is_unanswered(error: &ClientError) -> bool {
    error.reason.is_none() && error.code == Code::Unavailable
}

fn for_reason(reason: Reason, error: &ClientError) -> Option<String> {
    let hint = match reason {
        Reason::NotFound => return Some(not_found(&error.message)),
        Reason::AliasMoved => "somebody else moved the name in the meantime; look at it and try again",
        Reason::BaseMismatch => {
            "an adapter works on the base model that it was trained on; `rootstock adapters versions NAME` shows it as BASE"
        }
        Reason::TokenizerMismatch => "use the tokenizer that the model or adapter was made with",
        Reason::NoPreviousVersion => "`rootstock adapters versions NAME` shows what can be published",
        Reason::InUse => {
            "retire the name with `rootstock aliases retire`, or delete what is based on it first"
        }
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

/// Which command lists what was not found, as far as the message names its collection.
fn not_found(message: &str) -> String {
    const LISTS: [(&str, &str); 6] = [
        ("baseModels/", "models"),
        ("adapters/", "adapters"),
        ("datasets/", "data"),
        ("tokenizers/", "tokenizer"),
        ("trainingJobs/", "jobs"),
        ("evaluations/", "evaluations"),
    ];
    let named = LISTS.iter().filter_map(|(collection, verb)| Some((message.find(collection)?, verb)));
    match named.min() {
        Some((_, verb)) => format!("`rootstock {verb} list` shows those there are"),
        None => {
            "`rootstock models list`, `data list` and `adapters versions NAME` show what is there".to_owned()
        }
    }
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
    use super::*;

    #[test]
    fn a_server_that_is_not_there_is_named_with_what_to_do() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = ClientError { code: Code::Unavailable, ..ClientError::local("transport error", refused) };
        let error = CliError::from(error);
        let message = error.message("http://127.0.0.1:1");
        assert!(message.starts_with("no server answers at http://127.0.0.1:1 ("), "{message}");
        assert!(error.hint().unwrap().contains("rootstock serve"));
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn what_is_not_there_is_listed_by_the_command_of_its_kind() {
        let hint = not_found("datasets/rows is not there; baseModels/tiny is");
        assert_eq!(hint, "`rootstock data list` shows those there are");
        assert!(not_found("evaluations/a is not there").contains("evaluations list"));
    }

    #[test]
    fn reasons_read_as_in_the_contract() {
        assert_eq!(name_of(Reason::TensorMismatch), "TENSOR_MISMATCH");
        let (look, stop) = ("rootstock jobs watch a".to_owned(), "rootstock jobs cancel a".to_owned());
        let interrupted = CliError::Interrupted { name: "trainingJobs/a".into(), look, stop };
        assert!(interrupted.to_string().contains("rootstock jobs watch a"));
        assert_eq!((interrupted.exit_code(), interrupted.hint()), (130, None));
    }
}
