from rootstock.training.v1 import training_pb2 as _training_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeaseJobRequest(_message.Message):
    __slots__ = ("name", "lease_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    lease_token: str
    def __init__(self, name: _Optional[str] = ..., lease_token: _Optional[str] = ...) -> None: ...

class LeaseJobResponse(_message.Message):
    __slots__ = ("training_job", "dataset_digest", "validation_dataset_digest", "base_digest", "tokenizer_artifact_digest", "tokenizer_digest", "resume_digest", "resume_step", "mix_digests", "adapter_digest", "fisher_digest", "replay_digest", "retention_digest", "optimizer_digest")
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    DATASET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_DATASET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_ARTIFACT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESUME_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESUME_STEP_FIELD_NUMBER: _ClassVar[int]
    MIX_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FISHER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPLAY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    training_job: _training_pb2.TrainingJob
    dataset_digest: str
    validation_dataset_digest: str
    base_digest: str
    tokenizer_artifact_digest: str
    tokenizer_digest: str
    resume_digest: str
    resume_step: int
    mix_digests: _containers.RepeatedScalarFieldContainer[str]
    adapter_digest: str
    fisher_digest: str
    replay_digest: str
    retention_digest: str
    optimizer_digest: str
    def __init__(self, training_job: _Optional[_Union[_training_pb2.TrainingJob, _Mapping]] = ..., dataset_digest: _Optional[str] = ..., validation_dataset_digest: _Optional[str] = ..., base_digest: _Optional[str] = ..., tokenizer_artifact_digest: _Optional[str] = ..., tokenizer_digest: _Optional[str] = ..., resume_digest: _Optional[str] = ..., resume_step: _Optional[int] = ..., mix_digests: _Optional[_Iterable[str]] = ..., adapter_digest: _Optional[str] = ..., fisher_digest: _Optional[str] = ..., replay_digest: _Optional[str] = ..., retention_digest: _Optional[str] = ..., optimizer_digest: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("name", "lease_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    lease_token: str
    def __init__(self, name: _Optional[str] = ..., lease_token: _Optional[str] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("cancel", "pause")
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    cancel: bool
    pause: bool
    def __init__(self, cancel: bool = ..., pause: bool = ...) -> None: ...

class ReportEventsRequest(_message.Message):
    __slots__ = ("name", "lease_token", "first_sequence", "events", "outcome")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    name: str
    lease_token: str
    first_sequence: int
    events: _containers.RepeatedCompositeFieldContainer[_training_pb2.TrainingEvent]
    outcome: JobOutcome
    def __init__(self, name: _Optional[str] = ..., lease_token: _Optional[str] = ..., first_sequence: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_training_pb2.TrainingEvent, _Mapping]]] = ..., outcome: _Optional[_Union[JobOutcome, _Mapping]] = ...) -> None: ...

class JobOutcome(_message.Message):
    __slots__ = ("result_digest", "error")
    RESULT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    result_digest: str
    error: str
    def __init__(self, result_digest: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class ReportEventsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerificationOrder(_message.Message):
    __slots__ = ("lease", "states", "progress", "result_digest", "max_steps")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseJobResponse
    states: _containers.RepeatedCompositeFieldContainer[_training_pb2.TrainingStateSaved]
    progress: _containers.RepeatedCompositeFieldContainer[_training_pb2.TrainingProgress]
    result_digest: str
    max_steps: int
    def __init__(self, lease: _Optional[_Union[LeaseJobResponse, _Mapping]] = ..., states: _Optional[_Iterable[_Union[_training_pb2.TrainingStateSaved, _Mapping]]] = ..., progress: _Optional[_Iterable[_Union[_training_pb2.TrainingProgress, _Mapping]]] = ..., result_digest: _Optional[str] = ..., max_steps: _Optional[int] = ...) -> None: ...

class VerificationAnswer(_message.Message):
    __slots__ = ("checks", "error")
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[_training_pb2.TrainingCheck]
    error: str
    def __init__(self, checks: _Optional[_Iterable[_Union[_training_pb2.TrainingCheck, _Mapping]]] = ..., error: _Optional[str] = ...) -> None: ...
