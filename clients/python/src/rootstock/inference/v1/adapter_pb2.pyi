import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Adapter(_message.Message):
    __slots__ = ("name", "digest", "generation", "base_digest", "resident", "memory_bytes", "leases", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    generation: int
    base_digest: str
    resident: bool
    memory_bytes: int
    leases: int
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., generation: _Optional[int] = ..., base_digest: _Optional[str] = ..., resident: bool = ..., memory_bytes: _Optional[int] = ..., leases: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PublishAdapterRequest(_message.Message):
    __slots__ = ("name", "digest", "expected_generation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    expected_generation: int
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., expected_generation: _Optional[int] = ...) -> None: ...

class PublishAdapterResponse(_message.Message):
    __slots__ = ("adapter", "swap_ms")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    SWAP_MS_FIELD_NUMBER: _ClassVar[int]
    adapter: Adapter
    swap_ms: float
    def __init__(self, adapter: _Optional[_Union[Adapter, _Mapping]] = ..., swap_ms: _Optional[float] = ...) -> None: ...

class RollbackAdapterRequest(_message.Message):
    __slots__ = ("name", "to_generation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TO_GENERATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    to_generation: int
    def __init__(self, name: _Optional[str] = ..., to_generation: _Optional[int] = ...) -> None: ...

class RollbackAdapterResponse(_message.Message):
    __slots__ = ("adapter", "swap_ms")
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    SWAP_MS_FIELD_NUMBER: _ClassVar[int]
    adapter: Adapter
    swap_ms: float
    def __init__(self, adapter: _Optional[_Union[Adapter, _Mapping]] = ..., swap_ms: _Optional[float] = ...) -> None: ...

class ListAdaptersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAdaptersResponse(_message.Message):
    __slots__ = ("adapters", "next_page_token")
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    adapters: _containers.RepeatedCompositeFieldContainer[Adapter]
    next_page_token: str
    def __init__(self, adapters: _Optional[_Iterable[_Union[Adapter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
