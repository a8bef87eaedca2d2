from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataProblem(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_PROBLEM_UNSPECIFIED: _ClassVar[DataProblem]
    DATA_PROBLEM_MALFORMED: _ClassVar[DataProblem]
    DATA_PROBLEM_INVALID_UTF8: _ClassVar[DataProblem]
    DATA_PROBLEM_MISSING_FIELD: _ClassVar[DataProblem]
    DATA_PROBLEM_WRONG_TYPE: _ClassVar[DataProblem]
    DATA_PROBLEM_EMPTY_ANSWER: _ClassVar[DataProblem]
    DATA_PROBLEM_EMPTY_PROMPT: _ClassVar[DataProblem]
    DATA_PROBLEM_TRUNCATED: _ClassVar[DataProblem]
    DATA_PROBLEM_DROPPED: _ClassVar[DataProblem]
    DATA_PROBLEM_FULLY_MASKED: _ClassVar[DataProblem]
    DATA_PROBLEM_NO_EOS: _ClassVar[DataProblem]
    DATA_PROBLEM_DUPLICATE: _ClassVar[DataProblem]
    DATA_PROBLEM_NEAR_DUPLICATE: _ClassVar[DataProblem]
    DATA_PROBLEM_CONTRADICTION: _ClassVar[DataProblem]
    DATA_PROBLEM_OVERLAP: _ClassVar[DataProblem]
    DATA_PROBLEM_SHORT: _ClassVar[DataProblem]
    DATA_PROBLEM_LONG: _ClassVar[DataProblem]
    DATA_PROBLEM_UNKNOWN_LABEL: _ClassVar[DataProblem]
DATA_PROBLEM_UNSPECIFIED: DataProblem
DATA_PROBLEM_MALFORMED: DataProblem
DATA_PROBLEM_INVALID_UTF8: DataProblem
DATA_PROBLEM_MISSING_FIELD: DataProblem
DATA_PROBLEM_WRONG_TYPE: DataProblem
DATA_PROBLEM_EMPTY_ANSWER: DataProblem
DATA_PROBLEM_EMPTY_PROMPT: DataProblem
DATA_PROBLEM_TRUNCATED: DataProblem
DATA_PROBLEM_DROPPED: DataProblem
DATA_PROBLEM_FULLY_MASKED: DataProblem
DATA_PROBLEM_NO_EOS: DataProblem
DATA_PROBLEM_DUPLICATE: DataProblem
DATA_PROBLEM_NEAR_DUPLICATE: DataProblem
DATA_PROBLEM_CONTRADICTION: DataProblem
DATA_PROBLEM_OVERLAP: DataProblem
DATA_PROBLEM_SHORT: DataProblem
DATA_PROBLEM_LONG: DataProblem
DATA_PROBLEM_UNKNOWN_LABEL: DataProblem

class AuditDatasetResponse(_message.Message):
    __slots__ = ("dataset", "validation_dataset", "refusals", "mixed", "replay", "retention", "unseen_tokens", "missing_labels")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_DATASET_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    MIXED_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MISSING_LABELS_FIELD_NUMBER: _ClassVar[int]
    dataset: DatasetAudit
    validation_dataset: DatasetAudit
    refusals: _containers.RepeatedScalarFieldContainer[str]
    mixed: _containers.RepeatedCompositeFieldContainer[DatasetAudit]
    replay: DatasetAudit
    retention: DatasetAudit
    unseen_tokens: _containers.RepeatedScalarFieldContainer[str]
    missing_labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, dataset: _Optional[_Union[DatasetAudit, _Mapping]] = ..., validation_dataset: _Optional[_Union[DatasetAudit, _Mapping]] = ..., refusals: _Optional[_Iterable[str]] = ..., mixed: _Optional[_Iterable[_Union[DatasetAudit, _Mapping]]] = ..., replay: _Optional[_Union[DatasetAudit, _Mapping]] = ..., retention: _Optional[_Union[DatasetAudit, _Mapping]] = ..., unseen_tokens: _Optional[_Iterable[str]] = ..., missing_labels: _Optional[_Iterable[str]] = ...) -> None: ...

class DatasetAudit(_message.Message):
    __slots__ = ("rows", "kept_rows", "tokens", "loss_tokens", "findings", "prompt_lengths", "answer_lengths", "samples", "dataset", "prompt_template", "labels")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEPT_ROWS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    LOSS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    kept_rows: int
    tokens: int
    loss_tokens: int
    findings: _containers.RepeatedCompositeFieldContainer[DataFinding]
    prompt_lengths: _containers.RepeatedCompositeFieldContainer[LengthBucket]
    answer_lengths: _containers.RepeatedCompositeFieldContainer[LengthBucket]
    samples: _containers.RepeatedCompositeFieldContainer[DataExample]
    dataset: str
    prompt_template: str
    labels: _containers.RepeatedCompositeFieldContainer[LabelRows]
    def __init__(self, rows: _Optional[int] = ..., kept_rows: _Optional[int] = ..., tokens: _Optional[int] = ..., loss_tokens: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[DataFinding, _Mapping]]] = ..., prompt_lengths: _Optional[_Iterable[_Union[LengthBucket, _Mapping]]] = ..., answer_lengths: _Optional[_Iterable[_Union[LengthBucket, _Mapping]]] = ..., samples: _Optional[_Iterable[_Union[DataExample, _Mapping]]] = ..., dataset: _Optional[str] = ..., prompt_template: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[LabelRows, _Mapping]]] = ...) -> None: ...

class LabelRows(_message.Message):
    __slots__ = ("label", "rows")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    label: str
    rows: int
    def __init__(self, label: _Optional[str] = ..., rows: _Optional[int] = ...) -> None: ...

class DataFinding(_message.Message):
    __slots__ = ("problem", "rows", "examples")
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    problem: DataProblem
    rows: int
    examples: _containers.RepeatedCompositeFieldContainer[DataExample]
    def __init__(self, problem: _Optional[_Union[DataProblem, str]] = ..., rows: _Optional[int] = ..., examples: _Optional[_Iterable[_Union[DataExample, _Mapping]]] = ...) -> None: ...

class DataExample(_message.Message):
    __slots__ = ("file", "row", "prompt", "trained", "detail", "other_file", "other_row", "other_dataset")
    FILE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TRAINED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    OTHER_FILE_FIELD_NUMBER: _ClassVar[int]
    OTHER_ROW_FIELD_NUMBER: _ClassVar[int]
    OTHER_DATASET_FIELD_NUMBER: _ClassVar[int]
    file: str
    row: int
    prompt: str
    trained: str
    detail: str
    other_file: str
    other_row: int
    other_dataset: str
    def __init__(self, file: _Optional[str] = ..., row: _Optional[int] = ..., prompt: _Optional[str] = ..., trained: _Optional[str] = ..., detail: _Optional[str] = ..., other_file: _Optional[str] = ..., other_row: _Optional[int] = ..., other_dataset: _Optional[str] = ...) -> None: ...

class LengthBucket(_message.Message):
    __slots__ = ("below", "rows")
    BELOW_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    below: int
    rows: int
    def __init__(self, below: _Optional[int] = ..., rows: _Optional[int] = ...) -> None: ...

class Cleaning(_message.Message):
    __slots__ = ("exact_duplicates", "near_duplicates", "min_characters", "max_characters", "max_foreign_share", "min_han_share", "min_latin_share", "max_repetition")
    EXACT_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    NEAR_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    MIN_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_FOREIGN_SHARE_FIELD_NUMBER: _ClassVar[int]
    MIN_HAN_SHARE_FIELD_NUMBER: _ClassVar[int]
    MIN_LATIN_SHARE_FIELD_NUMBER: _ClassVar[int]
    MAX_REPETITION_FIELD_NUMBER: _ClassVar[int]
    exact_duplicates: bool
    near_duplicates: float
    min_characters: int
    max_characters: int
    max_foreign_share: float
    min_han_share: float
    min_latin_share: float
    max_repetition: float
    def __init__(self, exact_duplicates: bool = ..., near_duplicates: _Optional[float] = ..., min_characters: _Optional[int] = ..., max_characters: _Optional[int] = ..., max_foreign_share: _Optional[float] = ..., min_han_share: _Optional[float] = ..., min_latin_share: _Optional[float] = ..., max_repetition: _Optional[float] = ...) -> None: ...

class CleanDatasetRequest(_message.Message):
    __slots__ = ("dataset", "output", "cleaning")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CLEANING_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    output: str
    cleaning: Cleaning
    def __init__(self, dataset: _Optional[str] = ..., output: _Optional[str] = ..., cleaning: _Optional[_Union[Cleaning, _Mapping]] = ...) -> None: ...

class CleanDatasetResponse(_message.Message):
    __slots__ = ("digest", "rows", "kept_rows", "unreadable", "length", "characters", "language", "repetition", "exact_duplicates", "near_duplicates")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEPT_ROWS_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REPETITION_FIELD_NUMBER: _ClassVar[int]
    EXACT_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    NEAR_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    rows: int
    kept_rows: int
    unreadable: int
    length: int
    characters: int
    language: int
    repetition: int
    exact_duplicates: int
    near_duplicates: int
    def __init__(self, digest: _Optional[str] = ..., rows: _Optional[int] = ..., kept_rows: _Optional[int] = ..., unreadable: _Optional[int] = ..., length: _Optional[int] = ..., characters: _Optional[int] = ..., language: _Optional[int] = ..., repetition: _Optional[int] = ..., exact_duplicates: _Optional[int] = ..., near_duplicates: _Optional[int] = ...) -> None: ...
