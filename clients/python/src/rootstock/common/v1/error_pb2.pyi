from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_ALIAS_MOVED: _ClassVar[ErrorReason]
    ERROR_REASON_DIGEST_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_WRONG_OFFSET: _ClassVar[ErrorReason]
    ERROR_REASON_BLOB_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FILE: _ClassVar[ErrorReason]
    ERROR_REASON_PICKLE_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_ARCHITECTURE: _ClassVar[ErrorReason]
    ERROR_REASON_TENSOR_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_BASE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_TOKENIZER_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_ROW: _ClassVar[ErrorReason]
    ERROR_REASON_IN_USE: _ClassVar[ErrorReason]
    ERROR_REASON_WRONG_STATE: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_DEPENDENCY_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_CORRUPT: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_NO_PREVIOUS_VERSION: _ClassVar[ErrorReason]
    ERROR_REASON_CONTEXT_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_NOTHING_TO_TRAIN: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_ALREADY_EXISTS: ErrorReason
ERROR_REASON_ALIAS_MOVED: ErrorReason
ERROR_REASON_DIGEST_MISMATCH: ErrorReason
ERROR_REASON_WRONG_OFFSET: ErrorReason
ERROR_REASON_BLOB_MISSING: ErrorReason
ERROR_REASON_INVALID_FILE: ErrorReason
ERROR_REASON_PICKLE_REFUSED: ErrorReason
ERROR_REASON_UNKNOWN_ARCHITECTURE: ErrorReason
ERROR_REASON_TENSOR_MISMATCH: ErrorReason
ERROR_REASON_BASE_MISMATCH: ErrorReason
ERROR_REASON_TOKENIZER_MISMATCH: ErrorReason
ERROR_REASON_INVALID_ROW: ErrorReason
ERROR_REASON_IN_USE: ErrorReason
ERROR_REASON_WRONG_STATE: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_STORE_FULL: ErrorReason
ERROR_REASON_DEPENDENCY_UNAVAILABLE: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_CORRUPT: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_NO_PREVIOUS_VERSION: ErrorReason
ERROR_REASON_CONTEXT_TOO_LONG: ErrorReason
ERROR_REASON_NOTHING_TO_TRAIN: ErrorReason
