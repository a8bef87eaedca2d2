from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class RunningRequests(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNNING_REQUESTS_UNSPECIFIED: _ClassVar[RunningRequests]
    RUNNING_REQUESTS_FINISH: _ClassVar[RunningRequests]
    RUNNING_REQUESTS_SWITCH: _ClassVar[RunningRequests]
    RUNNING_REQUESTS_ABORT: _ClassVar[RunningRequests]
RUNNING_REQUESTS_UNSPECIFIED: RunningRequests
RUNNING_REQUESTS_FINISH: RunningRequests
RUNNING_REQUESTS_SWITCH: RunningRequests
RUNNING_REQUESTS_ABORT: RunningRequests
