import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rootstock.common.v1 import alias_pb2 as _alias_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdapterTier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADAPTER_TIER_UNSPECIFIED: _ClassVar[AdapterTier]
    ADAPTER_TIER_STORED: _ClassVar[AdapterTier]
    ADAPTER_TIER_ON_DISK: _ClassVar[AdapterTier]
    ADAPTER_TIER_IN_MEMORY: _ClassVar[AdapterTier]
ADAPTER_TIER_UNSPECIFIED: AdapterTier
ADAPTER_TIER_STORED: AdapterTier
ADAPTER_TIER_ON_DISK: AdapterTier
ADAPTER_TIER_IN_MEMORY: AdapterTier

class Adapter(_message.Message):
    __slots__ = ("name", "digest", "generation", "base_digest", "resident", "memory_bytes", "leases", "update_time", "tier", "pinned", "canary_digest", "canary_share")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    CANARY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CANARY_SHARE_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    generation: int
    base_digest: str
    resident: bool
    memory_bytes: int
    leases: int
    update_time: _timestamp_pb2.Timestamp
    tier: AdapterTier
    pinned: bool
    canary_digest: str
    canary_share: float
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., generation: _Optional[int] = ..., base_digest: _Optional[str] = ..., resident: bool = ..., memory_bytes: _Optional[int] = ..., leases: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tier: _Optional[_Union[AdapterTier, str]] = ..., pinned: bool = ..., canary_digest: _Optional[str] = ..., canary_share: _Optional[float] = ...) -> None: ...

class PublishAdapterRequest(_message.Message):
    __slots__ = ("name", "digest", "expected_generation", "canary_share", "running_requests")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CANARY_SHARE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    expected_generation: int
    canary_share: float
    running_requests: _alias_pb2.RunningRequests
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., expected_generation: _Optional[int] = ..., canary_share: _Optional[float] = ..., running_requests: _Optional[_Union[_alias_pb2.RunningRequests, str]] = ...) -> None: ...

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

class RetireAdapterRequest(_message.Message):
    __slots__ = ("name", "expected_generation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    expected_generation: int
    def __init__(self, name: _Optional[str] = ..., expected_generation: _Optional[int] = ...) -> None: ...

class RetireAdapterResponse(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: int
    def __init__(self, generation: _Optional[int] = ...) -> None: ...

class PinAdapterRequest(_message.Message):
    __slots__ = ("name", "pinned")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    name: str
    pinned: bool
    def __init__(self, name: _Optional[str] = ..., pinned: bool = ...) -> None: ...

class PinAdapterResponse(_message.Message):
    __slots__ = ("adapter",)
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    adapter: Adapter
    def __init__(self, adapter: _Optional[_Union[Adapter, _Mapping]] = ...) -> None: ...

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

class WatchAdaptersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchAdaptersResponse(_message.Message):
    __slots__ = ("adapters", "retired_names", "synced", "memory_bytes", "memory_limit_bytes", "loads", "evictions")
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    RETIRED_NAMES_FIELD_NUMBER: _ClassVar[int]
    SYNCED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    EVICTIONS_FIELD_NUMBER: _ClassVar[int]
    adapters: _containers.RepeatedCompositeFieldContainer[Adapter]
    retired_names: _containers.RepeatedScalarFieldContainer[str]
    synced: bool
    memory_bytes: int
    memory_limit_bytes: int
    loads: int
    evictions: int
    def __init__(self, adapters: _Optional[_Iterable[_Union[Adapter, _Mapping]]] = ..., retired_names: _Optional[_Iterable[str]] = ..., synced: bool = ..., memory_bytes: _Optional[int] = ..., memory_limit_bytes: _Optional[int] = ..., loads: _Optional[int] = ..., evictions: _Optional[int] = ...) -> None: ...
