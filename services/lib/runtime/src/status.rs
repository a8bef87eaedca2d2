//! The only place where gRPC codes are chosen: one table from the contract's reasons to codes and error details.

mod text;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Response};
use rootstock_proto::common::v1::ErrorReason;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use text::{MAX_FIELD_BYTES, MAX_MESSAGE_BYTES};

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "rootstock";

/// When to come back if a failure says nothing else.
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The header in which a status's details travel.
const DETAILS_HEADER: &str = "grpc-status-details-bin";

/// What a client reads in place of the message of an `INTERNAL` failure, which goes to the log alone.
const INTERNAL_MESSAGE: &str = "internal error; the server's log has the details under this call's trace id";

/// The prefix that the contract's enum values share and that `ErrorInfo.reason` leaves out.
const REASON_PREFIX: &str = "ERROR_REASON_";

/// Why a call fails, in the contract's words; each service turns its error enum into this, and this becomes a
/// `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason; it decides the gRPC code.
    pub reason: ErrorReason,
    /// What happened and what to do about it, for the caller: no paths, addresses or prompts.
    pub message: String,
    /// The path of the request's field that is to blame (`batch[3].text`).
    pub field: Option<String>,
    /// When it makes sense to call again; [`DEFAULT_RETRY_AFTER`] for codes that invite it.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with a reason and a message.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: None, retry_after: None }
    }

    /// A field that is missing, malformed or out of its range.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidField, message).with_field(field)
    }

    /// A defect of the server; the message goes to the log, not to the caller.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(ErrorReason::Internal, message.to_string())
    }

    /// Names the field that is to blame.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to call again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The gRPC code that the contract gives to this failure's reason.
    pub fn code(&self) -> Code {
        code(self.reason)
    }

    /// The response of a call that fails before it has sent a message.
    pub(crate) fn into_response(self) -> Response<Body> {
        Status::from(self).into_http()
    }

    /// The trailers of a stream that fails after it has begun.
    pub(crate) fn into_trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        // The only error is a message or detail that is no header value, and tonic encodes both.
        if Status::from(self).add_header(&mut trailers).is_err() {
            trailers.insert(Status::GRPC_STATUS, (Code::Internal as i32).into());
        }
        trailers
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

/// The code of each reason; the comments of `error.proto` say the same, and a test compares them.
pub const fn code(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::Unspecified => Code::Unknown,
        ErrorReason::InvalidField
        | ErrorReason::DigestMismatch
        | ErrorReason::InvalidFile
        | ErrorReason::PickleRefused
        | ErrorReason::UnknownArchitecture
        | ErrorReason::TensorMismatch
        | ErrorReason::InvalidRow
        | ErrorReason::ContextTooLong => Code::InvalidArgument,
        ErrorReason::NotFound => Code::NotFound,
        ErrorReason::AlreadyExists => Code::AlreadyExists,
        ErrorReason::AliasMoved | ErrorReason::AdapterReplaced => Code::Aborted,
        ErrorReason::WrongOffset => Code::OutOfRange,
        ErrorReason::BlobMissing
        | ErrorReason::BaseMismatch
        | ErrorReason::TokenizerMismatch
        | ErrorReason::InUse
        | ErrorReason::WrongState
        | ErrorReason::NoPreviousVersion
        | ErrorReason::NothingToTrain
        | ErrorReason::ExceedsLimit => Code::FailedPrecondition,
        ErrorReason::Overloaded | ErrorReason::StoreFull => Code::ResourceExhausted,
        ErrorReason::DependencyUnavailable | ErrorReason::ShuttingDown => Code::Unavailable,
        ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::Cancelled => Code::Cancelled,
        ErrorReason::Corrupt => Code::DataLoss,
        ErrorReason::Internal => Code::Internal,
    }
}

/// A code as the gRPC specification spells it (`NOT_FOUND`), for metrics, spans and logs.
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A reason as `ErrorInfo.reason` spells it (`NOT_FOUND`).
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(REASON_PREFIX).unwrap_or(name)
}

impl From<Failure> for Status {
    fn from(mut failure: Failure) -> Self {
        let whole = std::mem::take(&mut failure.message);
        failure.message = text::presentable(&whole, MAX_MESSAGE_BYTES);
        failure.field = failure.field.map(|field| text::presentable(&field, MAX_FIELD_BYTES));
        let code = failure.code();
        let details = details(&failure, code);
        let message = if code == Code::Internal {
            tracing::error!(error = %failure, "internal failure");
            INTERNAL_MESSAGE.to_owned()
        } else {
            failure.message
        };
        Self::with_error_details(code, message, details)
    }
}

fn details(failure: &Failure, code: Code) -> ErrorDetails {
    let mut details =
        ErrorDetails::with_error_info(reason_name(failure.reason), DOMAIN, HashMap::<String, String>::new());
    if let Some(field) = &failure.field {
        details.add_bad_request_violation(field, &failure.message);
    }
    let inviting = matches!(code, Code::Unavailable | Code::ResourceExhausted);
    if let Some(delay) = failure.retry_after.or(inviting.then_some(DEFAULT_RETRY_AFTER)) {
        details.set_retry_info(Some(delay));
    }
    details
}

/// The status of a service's error; handlers write `.map_err(status)`.
pub fn status(error: impl Into<Failure>) -> Status {
    error.into().into()
}

/// The failure of a call made to `dependency` on a client's behalf: reason and message pass through, but a
/// dependency that is unavailable or shutting down is the caller's DEPENDENCY_UNAVAILABLE.
pub fn from_remote(status: &Status, dependency: &str) -> Failure {
    let details = status.get_error_details();
    let named = details
        .error_info()
        .filter(|info| info.domain == DOMAIN)
        .and_then(|info| ErrorReason::from_str_name(&format!("{REASON_PREFIX}{}", info.reason)));
    let reason = match (status.code(), named) {
        (Code::Unavailable, _) => ErrorReason::DependencyUnavailable,
        (_, Some(reason)) => reason,
        (Code::DeadlineExceeded, None) => ErrorReason::DeadlineExceeded,
        (Code::Cancelled, None) => ErrorReason::Cancelled,
        (Code::ResourceExhausted, None) => ErrorReason::Overloaded,
        (_, None) => ErrorReason::Internal,
    };
    let message = match reason {
        ErrorReason::DependencyUnavailable => format!("the {dependency} service doesn't answer; retry"),
        ErrorReason::Internal => format!("the {dependency} service failed: {}", status.message()),
        _ => status.message().to_owned(),
    };
    Failure {
        reason,
        message,
        field: details.bad_request().and_then(|bad| Some(bad.field_violations.first()?.field.clone())),
        retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
    }
}

/// The code in a response's headers or trailers.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// The failure that stands for a status without the contract's details, as tonic itself makes them (a message that
/// can't be decoded or is too large, a method that isn't there); `None` for what is no error, has its details
/// already, or has no reason in the contract.
pub(crate) fn from_bare(headers: &HeaderMap) -> Option<Failure> {
    if headers.contains_key(DETAILS_HEADER) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    let reason = match status.code() {
        // How tonic reports a message over the limit, and one that it can't decode: both are the caller's.
        Code::OutOfRange | Code::InvalidArgument | Code::Internal => ErrorReason::InvalidField,
        Code::NotFound => ErrorReason::NotFound,
        Code::ResourceExhausted => ErrorReason::Overloaded,
        Code::Unavailable => ErrorReason::DependencyUnavailable,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::Cancelled => ErrorReason::Cancelled,
        Code::Unknown => ErrorReason::Internal,
        _ => return None,
    };
    Some(Failure::new(reason, status.message()))
}
