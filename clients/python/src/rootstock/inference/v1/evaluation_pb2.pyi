import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvaluationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_STATE_UNSPECIFIED: _ClassVar[EvaluationState]
    EVALUATION_STATE_QUEUED: _ClassVar[EvaluationState]
    EVALUATION_STATE_RUNNING: _ClassVar[EvaluationState]
    EVALUATION_STATE_SUCCEEDED: _ClassVar[EvaluationState]
    EVALUATION_STATE_FAILED: _ClassVar[EvaluationState]
    EVALUATION_STATE_CANCELLED: _ClassVar[EvaluationState]

class EvaluationMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_METRIC_UNSPECIFIED: _ClassVar[EvaluationMetric]
    EVALUATION_METRIC_KEYWORD_ACCURACY: _ClassVar[EvaluationMetric]
    EVALUATION_METRIC_EXACT_MATCH: _ClassVar[EvaluationMetric]
    EVALUATION_METRIC_TOKEN_F1: _ClassVar[EvaluationMetric]
    EVALUATION_METRIC_PERPLEXITY: _ClassVar[EvaluationMetric]
EVALUATION_STATE_UNSPECIFIED: EvaluationState
EVALUATION_STATE_QUEUED: EvaluationState
EVALUATION_STATE_RUNNING: EvaluationState
EVALUATION_STATE_SUCCEEDED: EvaluationState
EVALUATION_STATE_FAILED: EvaluationState
EVALUATION_STATE_CANCELLED: EvaluationState
EVALUATION_METRIC_UNSPECIFIED: EvaluationMetric
EVALUATION_METRIC_KEYWORD_ACCURACY: EvaluationMetric
EVALUATION_METRIC_EXACT_MATCH: EvaluationMetric
EVALUATION_METRIC_TOKEN_F1: EvaluationMetric
EVALUATION_METRIC_PERPLEXITY: EvaluationMetric

class Evaluation(_message.Message):
    __slots__ = ("name", "spec", "state", "completed_rows", "total_rows", "results", "error", "create_time", "end_time", "evidence_digest", "comparisons", "gate")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_ROWS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    COMPARISONS_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: EvaluationSpec
    state: EvaluationState
    completed_rows: int
    total_rows: int
    results: _containers.RepeatedCompositeFieldContainer[TargetResult]
    error: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    evidence_digest: str
    comparisons: _containers.RepeatedCompositeFieldContainer[Comparison]
    gate: GateResult
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[EvaluationSpec, _Mapping]] = ..., state: _Optional[_Union[EvaluationState, str]] = ..., completed_rows: _Optional[int] = ..., total_rows: _Optional[int] = ..., results: _Optional[_Iterable[_Union[TargetResult, _Mapping]]] = ..., error: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence_digest: _Optional[str] = ..., comparisons: _Optional[_Iterable[_Union[Comparison, _Mapping]]] = ..., gate: _Optional[_Union[GateResult, _Mapping]] = ...) -> None: ...

class EvaluationSpec(_message.Message):
    __slots__ = ("dataset", "model", "targets", "prompt_template", "max_tokens", "gate", "publish")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    model: str
    targets: _containers.RepeatedScalarFieldContainer[str]
    prompt_template: str
    max_tokens: int
    gate: EvaluationGate
    publish: str
    def __init__(self, dataset: _Optional[str] = ..., model: _Optional[str] = ..., targets: _Optional[_Iterable[str]] = ..., prompt_template: _Optional[str] = ..., max_tokens: _Optional[int] = ..., gate: _Optional[_Union[EvaluationGate, _Mapping]] = ..., publish: _Optional[str] = ...) -> None: ...

class EvaluationGate(_message.Message):
    __slots__ = ("metric", "candidate", "threshold", "baseline", "min_improvement", "max_p_value")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    MIN_IMPROVEMENT_FIELD_NUMBER: _ClassVar[int]
    MAX_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    metric: EvaluationMetric
    candidate: int
    threshold: float
    baseline: int
    min_improvement: float
    max_p_value: float
    def __init__(self, metric: _Optional[_Union[EvaluationMetric, str]] = ..., candidate: _Optional[int] = ..., threshold: _Optional[float] = ..., baseline: _Optional[int] = ..., min_improvement: _Optional[float] = ..., max_p_value: _Optional[float] = ...) -> None: ...

class GateResult(_message.Message):
    __slots__ = ("passed", "reason", "published_generation", "publish_error")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_ERROR_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    reason: str
    published_generation: int
    publish_error: str
    def __init__(self, passed: bool = ..., reason: _Optional[str] = ..., published_generation: _Optional[int] = ..., publish_error: _Optional[str] = ...) -> None: ...

class TargetResult(_message.Message):
    __slots__ = ("target", "adapter_digest", "rows", "keyword_accuracy", "exact_match", "perplexity", "items", "token_f1")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    EXACT_MATCH_FIELD_NUMBER: _ClassVar[int]
    PERPLEXITY_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_F1_FIELD_NUMBER: _ClassVar[int]
    target: str
    adapter_digest: str
    rows: int
    keyword_accuracy: Proportion
    exact_match: Proportion
    perplexity: float
    items: _containers.RepeatedCompositeFieldContainer[ItemResult]
    token_f1: Mean
    def __init__(self, target: _Optional[str] = ..., adapter_digest: _Optional[str] = ..., rows: _Optional[int] = ..., keyword_accuracy: _Optional[_Union[Proportion, _Mapping]] = ..., exact_match: _Optional[_Union[Proportion, _Mapping]] = ..., perplexity: _Optional[float] = ..., items: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ..., token_f1: _Optional[_Union[Mean, _Mapping]] = ...) -> None: ...

class Proportion(_message.Message):
    __slots__ = ("value", "lower", "upper", "hits", "total")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    value: float
    lower: float
    upper: float
    hits: int
    total: int
    def __init__(self, value: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ..., hits: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Mean(_message.Message):
    __slots__ = ("value", "lower", "upper")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    value: float
    lower: float
    upper: float
    def __init__(self, value: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("target", "baseline", "keyword_accuracy", "exact_match", "token_f1", "negative_log_likelihood")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    EXACT_MATCH_FIELD_NUMBER: _ClassVar[int]
    TOKEN_F1_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_LOG_LIKELIHOOD_FIELD_NUMBER: _ClassVar[int]
    target: int
    baseline: int
    keyword_accuracy: PairedProportion
    exact_match: PairedProportion
    token_f1: PairedMean
    negative_log_likelihood: PairedMean
    def __init__(self, target: _Optional[int] = ..., baseline: _Optional[int] = ..., keyword_accuracy: _Optional[_Union[PairedProportion, _Mapping]] = ..., exact_match: _Optional[_Union[PairedProportion, _Mapping]] = ..., token_f1: _Optional[_Union[PairedMean, _Mapping]] = ..., negative_log_likelihood: _Optional[_Union[PairedMean, _Mapping]] = ...) -> None: ...

class PairedProportion(_message.Message):
    __slots__ = ("difference", "gained", "lost", "total", "p_value")
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    difference: float
    gained: int
    lost: int
    total: int
    p_value: float
    def __init__(self, difference: _Optional[float] = ..., gained: _Optional[int] = ..., lost: _Optional[int] = ..., total: _Optional[int] = ..., p_value: _Optional[float] = ...) -> None: ...

class PairedMean(_message.Message):
    __slots__ = ("difference", "lower", "upper", "p_value")
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    difference: float
    lower: float
    upper: float
    p_value: float
    def __init__(self, difference: _Optional[float] = ..., lower: _Optional[float] = ..., upper: _Optional[float] = ..., p_value: _Optional[float] = ...) -> None: ...

class ItemResult(_message.Message):
    __slots__ = ("row", "instruction", "expected", "answer", "keywords_found", "keywords_missing", "exact_match", "negative_log_likelihood", "expected_tokens", "token_f1")
    ROW_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    KEYWORDS_FOUND_FIELD_NUMBER: _ClassVar[int]
    KEYWORDS_MISSING_FIELD_NUMBER: _ClassVar[int]
    EXACT_MATCH_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_LOG_LIKELIHOOD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_F1_FIELD_NUMBER: _ClassVar[int]
    row: int
    instruction: str
    expected: str
    answer: str
    keywords_found: _containers.RepeatedScalarFieldContainer[str]
    keywords_missing: _containers.RepeatedScalarFieldContainer[str]
    exact_match: bool
    negative_log_likelihood: float
    expected_tokens: int
    token_f1: float
    def __init__(self, row: _Optional[int] = ..., instruction: _Optional[str] = ..., expected: _Optional[str] = ..., answer: _Optional[str] = ..., keywords_found: _Optional[_Iterable[str]] = ..., keywords_missing: _Optional[_Iterable[str]] = ..., exact_match: bool = ..., negative_log_likelihood: _Optional[float] = ..., expected_tokens: _Optional[int] = ..., token_f1: _Optional[float] = ...) -> None: ...

class CreateEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_id", "spec", "request_id")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    spec: EvaluationSpec
    request_id: str
    def __init__(self, evaluation_id: _Optional[str] = ..., spec: _Optional[_Union[EvaluationSpec, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class GetEvaluationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class ListEvaluationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEvaluationsResponse(_message.Message):
    __slots__ = ("evaluations", "next_page_token")
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    next_page_token: str
    def __init__(self, evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelEvaluationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class WatchEvaluationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...
