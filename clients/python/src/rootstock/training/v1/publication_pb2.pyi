from rootstock.inference.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Publication(_message.Message):
    __slots__ = ("name", "dataset", "prompt_template", "max_tokens", "metric", "threshold", "min_improvement", "max_p_value", "canary")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MIN_IMPROVEMENT_FIELD_NUMBER: _ClassVar[int]
    MAX_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    name: str
    dataset: str
    prompt_template: str
    max_tokens: int
    metric: _evaluation_pb2.EvaluationMetric
    threshold: float
    min_improvement: float
    max_p_value: float
    canary: PublicationCanary
    def __init__(self, name: _Optional[str] = ..., dataset: _Optional[str] = ..., prompt_template: _Optional[str] = ..., max_tokens: _Optional[int] = ..., metric: _Optional[_Union[_evaluation_pb2.EvaluationMetric, str]] = ..., threshold: _Optional[float] = ..., min_improvement: _Optional[float] = ..., max_p_value: _Optional[float] = ..., canary: _Optional[_Union[PublicationCanary, _Mapping]] = ...) -> None: ...

class PublicationCanary(_message.Message):
    __slots__ = ("share", "min_seconds")
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MIN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    share: float
    min_seconds: int
    def __init__(self, share: _Optional[float] = ..., min_seconds: _Optional[int] = ...) -> None: ...

class PublicationResult(_message.Message):
    __slots__ = ("published", "reason", "evaluation", "gate", "canary_generation")
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    CANARY_GENERATION_FIELD_NUMBER: _ClassVar[int]
    published: bool
    reason: str
    evaluation: str
    gate: _evaluation_pb2.GateResult
    canary_generation: int
    def __init__(self, published: bool = ..., reason: _Optional[str] = ..., evaluation: _Optional[str] = ..., gate: _Optional[_Union[_evaluation_pb2.GateResult, _Mapping]] = ..., canary_generation: _Optional[int] = ...) -> None: ...
