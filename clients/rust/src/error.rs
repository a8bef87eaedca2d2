//! What a call can end with: the server's reason, field and delay, or what went wrong on this side.
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use rootstock_proto::common::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// `domain` of the error details that are this project's.
const DOMAIN: &str = "rootstock";

/// Why a call failed.
#[derive(Debug)]
pub struct ClientError {
    /// The server's reason; `None` where the error came from the connection or from this side.
    pub reason: Option<ErrorReason>,
    /// The gRPC code.
    pub code: Code,
    /// What happened and what to do.
    pub message: String,
    /// The field of the request that was refused.
    pub field: Option<String>,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What it came from.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ClientError {
    /// A failure on this side: a file that cannot be read, a cache that is full.
    pub fn local(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::plain(Code::FailedPrecondition, message) }
    }

    pub(crate) fn plain(code: Code, message: impl Into<String>) -> Self {
        Self { reason: None, code, message: message.into(), field: None, retry_after: None, source: None }
    }

    /// An answer that lacks what the contract promises.
    pub(crate) fn incomplete(what: &str) -> Self {
        Self::plain(Code::DataLoss, format!("the server's answer has no {what}; is it of this version?"))
    }

    /// Whether the server gave this reason.
    pub fn is(&self, reason: ErrorReason) -> bool {
        self.reason == Some(reason)
    }

    /// Whether the same call may succeed a little later: the connection broke, or the server is overloaded or going
    /// away.
    pub fn is_transient(&self) -> bool {
        match self.reason {
            Some(reason) => {
                matches!(
                    reason,
                    ErrorReason::Overloaded | ErrorReason::ShuttingDown | ErrorReason::DependencyUnavailable
                )
            }
            // Without a reason it is no answer of a service: the transport reports a cut with these codes.
            None => matches!(self.code, Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled),
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .filter(|info| info.domain == DOMAIN)
            .and_then(|info| ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason)));
        let field = details
            .bad_request()
            .and_then(|bad| bad.field_violations.first())
            .map(|violation| violation.field.clone());
        let retry_after = details.retry_info().and_then(|info| info.retry_delay);
        Self {
            reason,
            code: status.code(),
            message: status.message().to_owned(),
            field,
            retry_after,
            source: Some(Box::new(status)),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(formatter, "{field}: ")?;
        }
        formatter.write_str(&self.message)?;
        // A status repeats the message; an error of this side tells more, down to what the system said.
        let told = self.source.as_deref().filter(|source| !source.is::<Status>());
        let mut next: Option<&(dyn StdError + 'static)> = told.map(|source| source as _);
        let mut before = String::new();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some errors end with their cause already.
            if !before.ends_with(&text) {
                write!(formatter, ": {text}")?;
            }
            (before, next) = (text, cause.source());
        }
        Ok(())
    }
}

impl StdError for ClientError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "these tests play the server")]
mod tests {
    use std::collections::HashMap;

    use rootstock_artifacts::CacheError;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_status_tells_reason_field_and_delay() {
        let mut details =
            ErrorDetails::with_error_info("OVERLOADED", DOMAIN, HashMap::<String, String>::new());
        details.add_bad_request_violation("spec.output", "is taken");
        details.set_retry_info(Some(Duration::from_secs(2)));
        let error = ClientError::from(Status::with_error_details(Code::ResourceExhausted, "busy", details));
        assert!(error.is(ErrorReason::Overloaded) && error.is_transient());
        assert_eq!(error.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(error.to_string(), "spec.output: busy");
    }

    #[test]
    fn an_error_of_this_side_is_told_down_to_its_cause() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = ClientError::local("cannot store the file", CacheError::Io(full));
        let told = "cannot store the file: the local cache cannot be used: no storage space";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn what_another_domain_calls_its_reason_is_not_ours() {
        let details =
            ErrorDetails::with_error_info("NOT_FOUND", "elsewhere", HashMap::<String, String>::new());
        let error = ClientError::from(Status::with_error_details(Code::NotFound, "gone", details));
        assert_eq!(error.reason, None);
        assert!(!error.is_transient());
    }

    #[test]
    fn a_cut_connection_is_transient_and_a_local_failure_is_not() {
        assert!(ClientError::from(Status::unavailable("connection refused")).is_transient());
        let local =
            ClientError::local("cannot read a.json", std::io::Error::from(std::io::ErrorKind::NotFound));
        assert!(!local.is_transient());
        assert_eq!(local.to_string(), "cannot read a.json: entity not found");
    }
}
