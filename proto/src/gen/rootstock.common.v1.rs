// @generated from the protobuf sources of this crate; see tests/generated.rs.
/// What requests do that are under way on an earlier version when an alias moves. Who holds a version that the alias still
/// stands for after the move, or has asked for a version by its digest, goes on in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum RunningRequests {
    /// The same as FINISH.
    Unspecified = 0,
    /// They finish on the version that they began with.
    Finish = 1,
    /// From the next token on they go on with the new version, as soon as it is loaded. Keys and values computed so far stay as
    /// they are; the stream says where it changed. To or from a version with virtual tokens (prompt or prefix tuning), or with
    /// another base model, nothing switches: running requests finish on the version that they began with.
    Switch = 2,
    /// They end with ADAPTER_REPLACED.
    Abort = 3,
}
impl RunningRequests {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "RUNNING_REQUESTS_UNSPECIFIED",
            Self::Finish => "RUNNING_REQUESTS_FINISH",
            Self::Switch => "RUNNING_REQUESTS_SWITCH",
            Self::Abort => "RUNNING_REQUESTS_ABORT",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "RUNNING_REQUESTS_UNSPECIFIED" => Some(Self::Unspecified),
            "RUNNING_REQUESTS_FINISH" => Some(Self::Finish),
            "RUNNING_REQUESTS_SWITCH" => Some(Self::Switch),
            "RUNNING_REQUESTS_ABORT" => Some(Self::Abort),
            _ => None,
        }
    }
}
/// Why a call failed; the gRPC code that comes with each reason stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ErrorReason {
    /// Not used.
    Unspecified = 0,
    /// INVALID_ARGUMENT: a field is missing, malformed or out of its range; BadRequest names it. Or the message is too large
    /// or can't be decoded; then nothing is named.
    InvalidField = 1,
    /// NOT_FOUND: no alias, artifact, blob, job or evaluation has this name.
    NotFound = 2,
    /// ALREADY_EXISTS: the id is taken by a different resource.
    AlreadyExists = 3,
    /// ABORTED: the alias moved since it was read (the etag or generation differs); read it again and retry.
    AliasMoved = 4,
    /// INVALID_ARGUMENT: the bytes received don't hash to the digest that was announced; the upload starts over.
    DigestMismatch = 5,
    /// OUT_OF_RANGE: the chunk doesn't start where the upload stands; QueryWriteStatus tells where that is.
    WrongOffset = 6,
    /// FAILED_PRECONDITION: a blob that the manifest names is not in the store; upload it first.
    BlobMissing = 7,
    /// INVALID_ARGUMENT: a file of the artifact is not what its kind requires; the message names the file.
    InvalidFile = 8,
    /// INVALID_ARGUMENT: a pickle file, which may run code when read; only safetensors are accepted.
    PickleRefused = 9,
    /// INVALID_ARGUMENT: config.json names an architecture that is not supported.
    UnknownArchitecture = 10,
    /// INVALID_ARGUMENT: a tensor fits nowhere, is missing or has the wrong shape; the message names it.
    TensorMismatch = 11,
    /// FAILED_PRECONDITION: the adapter was made for another base model.
    BaseMismatch = 12,
    /// FAILED_PRECONDITION: the tokenizer is not the one that the model, adapter or data set was made with.
    TokenizerMismatch = 13,
    /// INVALID_ARGUMENT: a row of a data set lacks a key or is malformed; the message names row and key.
    InvalidRow = 14,
    /// FAILED_PRECONDITION: the artifact is still named by an alias, or is the base of another one.
    InUse = 15,
    /// FAILED_PRECONDITION: the resource's state doesn't allow the call (cancelling a job that has ended, say).
    WrongState = 16,
    /// RESOURCE_EXHAUSTED: a queue, a cache or a quota is full; retry after RetryInfo.
    Overloaded = 17,
    /// RESOURCE_EXHAUSTED: the store has no room left for the bytes; nothing was stored.
    StoreFull = 18,
    /// UNAVAILABLE: another service that this call needs doesn't answer; retry after RetryInfo.
    DependencyUnavailable = 19,
    /// UNAVAILABLE: the server is shutting down; retry, another replica answers.
    ShuttingDown = 20,
    /// DEADLINE_EXCEEDED: the call's deadline, or the server's cap on it, has passed.
    DeadlineExceeded = 21,
    /// CANCELLED: the caller gave up, and the work behind the call was stopped.
    Cancelled = 22,
    /// DATA_LOSS: stored bytes no longer match their digest.
    Corrupt = 23,
    /// INTERNAL: a defect of the server; its log has the details under the request's trace id.
    Internal = 24,
    /// FAILED_PRECONDITION: there is no earlier version to roll back to.
    NoPreviousVersion = 25,
    /// INVALID_ARGUMENT: prompt plus max_tokens don't fit the model's context; the message gives both lengths.
    ContextTooLong = 26,
    /// FAILED_PRECONDITION: the training job trains on nothing: no row is left, or no token carries loss.
    NothingToTrain = 27,
    /// ABORTED: another version was published in place of the adapter's, and running requests were to end; ask again.
    AdapterReplaced = 28,
    /// FAILED_PRECONDITION: this takes more than a limit of the server ever allows, however long one waits; the message names
    /// the setting.
    ExceedsLimit = 29,
}
impl ErrorReason {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ERROR_REASON_UNSPECIFIED",
            Self::InvalidField => "ERROR_REASON_INVALID_FIELD",
            Self::NotFound => "ERROR_REASON_NOT_FOUND",
            Self::AlreadyExists => "ERROR_REASON_ALREADY_EXISTS",
            Self::AliasMoved => "ERROR_REASON_ALIAS_MOVED",
            Self::DigestMismatch => "ERROR_REASON_DIGEST_MISMATCH",
            Self::WrongOffset => "ERROR_REASON_WRONG_OFFSET",
            Self::BlobMissing => "ERROR_REASON_BLOB_MISSING",
            Self::InvalidFile => "ERROR_REASON_INVALID_FILE",
            Self::PickleRefused => "ERROR_REASON_PICKLE_REFUSED",
            Self::UnknownArchitecture => "ERROR_REASON_UNKNOWN_ARCHITECTURE",
            Self::TensorMismatch => "ERROR_REASON_TENSOR_MISMATCH",
            Self::BaseMismatch => "ERROR_REASON_BASE_MISMATCH",
            Self::TokenizerMismatch => "ERROR_REASON_TOKENIZER_MISMATCH",
            Self::InvalidRow => "ERROR_REASON_INVALID_ROW",
            Self::InUse => "ERROR_REASON_IN_USE",
            Self::WrongState => "ERROR_REASON_WRONG_STATE",
            Self::Overloaded => "ERROR_REASON_OVERLOADED",
            Self::StoreFull => "ERROR_REASON_STORE_FULL",
            Self::DependencyUnavailable => "ERROR_REASON_DEPENDENCY_UNAVAILABLE",
            Self::ShuttingDown => "ERROR_REASON_SHUTTING_DOWN",
            Self::DeadlineExceeded => "ERROR_REASON_DEADLINE_EXCEEDED",
            Self::Cancelled => "ERROR_REASON_CANCELLED",
            Self::Corrupt => "ERROR_REASON_CORRUPT",
            Self::Internal => "ERROR_REASON_INTERNAL",
            Self::NoPreviousVersion => "ERROR_REASON_NO_PREVIOUS_VERSION",
            Self::ContextTooLong => "ERROR_REASON_CONTEXT_TOO_LONG",
            Self::NothingToTrain => "ERROR_REASON_NOTHING_TO_TRAIN",
            Self::AdapterReplaced => "ERROR_REASON_ADAPTER_REPLACED",
            Self::ExceedsLimit => "ERROR_REASON_EXCEEDS_LIMIT",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ERROR_REASON_UNSPECIFIED" => Some(Self::Unspecified),
            "ERROR_REASON_INVALID_FIELD" => Some(Self::InvalidField),
            "ERROR_REASON_NOT_FOUND" => Some(Self::NotFound),
            "ERROR_REASON_ALREADY_EXISTS" => Some(Self::AlreadyExists),
            "ERROR_REASON_ALIAS_MOVED" => Some(Self::AliasMoved),
            "ERROR_REASON_DIGEST_MISMATCH" => Some(Self::DigestMismatch),
            "ERROR_REASON_WRONG_OFFSET" => Some(Self::WrongOffset),
            "ERROR_REASON_BLOB_MISSING" => Some(Self::BlobMissing),
            "ERROR_REASON_INVALID_FILE" => Some(Self::InvalidFile),
            "ERROR_REASON_PICKLE_REFUSED" => Some(Self::PickleRefused),
            "ERROR_REASON_UNKNOWN_ARCHITECTURE" => Some(Self::UnknownArchitecture),
            "ERROR_REASON_TENSOR_MISMATCH" => Some(Self::TensorMismatch),
            "ERROR_REASON_BASE_MISMATCH" => Some(Self::BaseMismatch),
            "ERROR_REASON_TOKENIZER_MISMATCH" => Some(Self::TokenizerMismatch),
            "ERROR_REASON_INVALID_ROW" => Some(Self::InvalidRow),
            "ERROR_REASON_IN_USE" => Some(Self::InUse),
            "ERROR_REASON_WRONG_STATE" => Some(Self::WrongState),
            "ERROR_REASON_OVERLOADED" => Some(Self::Overloaded),
            "ERROR_REASON_STORE_FULL" => Some(Self::StoreFull),
            "ERROR_REASON_DEPENDENCY_UNAVAILABLE" => Some(Self::DependencyUnavailable),
            "ERROR_REASON_SHUTTING_DOWN" => Some(Self::ShuttingDown),
            "ERROR_REASON_DEADLINE_EXCEEDED" => Some(Self::DeadlineExceeded),
            "ERROR_REASON_CANCELLED" => Some(Self::Cancelled),
            "ERROR_REASON_CORRUPT" => Some(Self::Corrupt),
            "ERROR_REASON_INTERNAL" => Some(Self::Internal),
            "ERROR_REASON_NO_PREVIOUS_VERSION" => Some(Self::NoPreviousVersion),
            "ERROR_REASON_CONTEXT_TOO_LONG" => Some(Self::ContextTooLong),
            "ERROR_REASON_NOTHING_TO_TRAIN" => Some(Self::NothingToTrain),
            "ERROR_REASON_ADAPTER_REPLACED" => Some(Self::AdapterReplaced),
            "ERROR_REASON_EXCEEDS_LIMIT" => Some(Self::ExceedsLimit),
            _ => None,
        }
    }
}
