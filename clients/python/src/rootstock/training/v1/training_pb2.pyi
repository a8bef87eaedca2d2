import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rootstock.training.v1 import data_pb2 as _data_pb2
from rootstock.training.v1 import publication_pb2 as _publication_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainingJobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_JOB_STATE_UNSPECIFIED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_QUEUED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_RUNNING: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_SUCCEEDED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_FAILED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_CANCELLED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_PAUSED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_PAUSING: _ClassVar[TrainingJobState]

class Truncation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRUNCATION_UNSPECIFIED: _ClassVar[Truncation]
    TRUNCATION_DROP: _ClassVar[Truncation]
    TRUNCATION_TRUNCATE_LEFT: _ClassVar[Truncation]
    TRUNCATION_TRUNCATE_RIGHT: _ClassVar[Truncation]
    TRUNCATION_ERROR: _ClassVar[Truncation]

class PromptTuningInit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_TUNING_INIT_UNSPECIFIED: _ClassVar[PromptTuningInit]
    PROMPT_TUNING_INIT_RANDOM: _ClassVar[PromptTuningInit]
    PROMPT_TUNING_INIT_TEXT: _ClassVar[PromptTuningInit]

class LrSchedulerType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LR_SCHEDULER_TYPE_UNSPECIFIED: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_LINEAR: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_COSINE: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_CONSTANT: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_COSINE_WITH_RESTARTS: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_POLYNOMIAL: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_INVERSE_SQRT: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_COSINE_WITH_MIN_LR: _ClassVar[LrSchedulerType]
    LR_SCHEDULER_TYPE_WARMUP_STABLE_DECAY: _ClassVar[LrSchedulerType]

class Optimizer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPTIMIZER_UNSPECIFIED: _ClassVar[Optimizer]
    OPTIMIZER_ADAMW: _ClassVar[Optimizer]
    OPTIMIZER_ADAFACTOR: _ClassVar[Optimizer]
    OPTIMIZER_SGD: _ClassVar[Optimizer]
    OPTIMIZER_LION: _ClassVar[Optimizer]

class WeightDtype(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WEIGHT_DTYPE_UNSPECIFIED: _ClassVar[WeightDtype]
    WEIGHT_DTYPE_F32: _ClassVar[WeightDtype]
    WEIGHT_DTYPE_BF16: _ClassVar[WeightDtype]
    WEIGHT_DTYPE_F16: _ClassVar[WeightDtype]

class TrainingPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_PHASE_UNSPECIFIED: _ClassVar[TrainingPhase]
    TRAINING_PHASE_DOWNLOADING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_TOKENIZING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_LOADING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_TRAINING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_VALIDATING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_SAVING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_UPLOADING: _ClassVar[TrainingPhase]
    TRAINING_PHASE_PUBLISHING: _ClassVar[TrainingPhase]

class TrainingCheckSubject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_CHECK_SUBJECT_UNSPECIFIED: _ClassVar[TrainingCheckSubject]
    TRAINING_CHECK_SUBJECT_PROGRESS: _ClassVar[TrainingCheckSubject]
    TRAINING_CHECK_SUBJECT_STATE: _ClassVar[TrainingCheckSubject]
    TRAINING_CHECK_SUBJECT_RESULT: _ClassVar[TrainingCheckSubject]
TRAINING_JOB_STATE_UNSPECIFIED: TrainingJobState
TRAINING_JOB_STATE_QUEUED: TrainingJobState
TRAINING_JOB_STATE_RUNNING: TrainingJobState
TRAINING_JOB_STATE_SUCCEEDED: TrainingJobState
TRAINING_JOB_STATE_FAILED: TrainingJobState
TRAINING_JOB_STATE_CANCELLED: TrainingJobState
TRAINING_JOB_STATE_PAUSED: TrainingJobState
TRAINING_JOB_STATE_PAUSING: TrainingJobState
TRUNCATION_UNSPECIFIED: Truncation
TRUNCATION_DROP: Truncation
TRUNCATION_TRUNCATE_LEFT: Truncation
TRUNCATION_TRUNCATE_RIGHT: Truncation
TRUNCATION_ERROR: Truncation
PROMPT_TUNING_INIT_UNSPECIFIED: PromptTuningInit
PROMPT_TUNING_INIT_RANDOM: PromptTuningInit
PROMPT_TUNING_INIT_TEXT: PromptTuningInit
LR_SCHEDULER_TYPE_UNSPECIFIED: LrSchedulerType
LR_SCHEDULER_TYPE_LINEAR: LrSchedulerType
LR_SCHEDULER_TYPE_COSINE: LrSchedulerType
LR_SCHEDULER_TYPE_CONSTANT: LrSchedulerType
LR_SCHEDULER_TYPE_COSINE_WITH_RESTARTS: LrSchedulerType
LR_SCHEDULER_TYPE_POLYNOMIAL: LrSchedulerType
LR_SCHEDULER_TYPE_CONSTANT_WITH_WARMUP: LrSchedulerType
LR_SCHEDULER_TYPE_INVERSE_SQRT: LrSchedulerType
LR_SCHEDULER_TYPE_COSINE_WITH_MIN_LR: LrSchedulerType
LR_SCHEDULER_TYPE_WARMUP_STABLE_DECAY: LrSchedulerType
OPTIMIZER_UNSPECIFIED: Optimizer
OPTIMIZER_ADAMW: Optimizer
OPTIMIZER_ADAFACTOR: Optimizer
OPTIMIZER_SGD: Optimizer
OPTIMIZER_LION: Optimizer
WEIGHT_DTYPE_UNSPECIFIED: WeightDtype
WEIGHT_DTYPE_F32: WeightDtype
WEIGHT_DTYPE_BF16: WeightDtype
WEIGHT_DTYPE_F16: WeightDtype
TRAINING_PHASE_UNSPECIFIED: TrainingPhase
TRAINING_PHASE_DOWNLOADING: TrainingPhase
TRAINING_PHASE_TOKENIZING: TrainingPhase
TRAINING_PHASE_LOADING: TrainingPhase
TRAINING_PHASE_TRAINING: TrainingPhase
TRAINING_PHASE_VALIDATING: TrainingPhase
TRAINING_PHASE_SAVING: TrainingPhase
TRAINING_PHASE_UPLOADING: TrainingPhase
TRAINING_PHASE_PUBLISHING: TrainingPhase
TRAINING_CHECK_SUBJECT_UNSPECIFIED: TrainingCheckSubject
TRAINING_CHECK_SUBJECT_PROGRESS: TrainingCheckSubject
TRAINING_CHECK_SUBJECT_STATE: TrainingCheckSubject
TRAINING_CHECK_SUBJECT_RESULT: TrainingCheckSubject

class TrainingJob(_message.Message):
    __slots__ = ("name", "spec", "state", "progress", "result_digest", "error", "create_time", "start_time", "end_time", "attempts", "queue_position", "publication_result", "data_ready")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    PUBLICATION_RESULT_FIELD_NUMBER: _ClassVar[int]
    DATA_READY_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: TrainingSpec
    state: TrainingJobState
    progress: TrainingProgress
    result_digest: str
    error: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempts: int
    queue_position: int
    publication_result: _publication_pb2.PublicationResult
    data_ready: TrainingDataReady
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[TrainingSpec, _Mapping]] = ..., state: _Optional[_Union[TrainingJobState, str]] = ..., progress: _Optional[_Union[TrainingProgress, _Mapping]] = ..., result_digest: _Optional[str] = ..., error: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., queue_position: _Optional[int] = ..., publication_result: _Optional[_Union[_publication_pb2.PublicationResult, _Mapping]] = ..., data_ready: _Optional[_Union[TrainingDataReady, _Mapping]] = ...) -> None: ...

class TrainingSpec(_message.Message):
    __slots__ = ("output", "dataset", "mix", "validation_dataset", "validation_split", "base_model", "new_model", "base_adapter", "new_encoder", "causal", "supervised", "infilling", "masked", "classification", "full", "lora", "bottleneck", "prefix", "prompt", "fisher", "arguments", "ewc", "replay", "retention", "priority", "added_tokens", "keep_optimizer_state", "publication", "stages")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MIX_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_DATASET_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_SPLIT_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_FIELD_NUMBER: _ClassVar[int]
    NEW_MODEL_FIELD_NUMBER: _ClassVar[int]
    BASE_ADAPTER_FIELD_NUMBER: _ClassVar[int]
    NEW_ENCODER_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    SUPERVISED_FIELD_NUMBER: _ClassVar[int]
    INFILLING_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    LORA_FIELD_NUMBER: _ClassVar[int]
    BOTTLENECK_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    FISHER_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    EWC_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ADDED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEEP_OPTIMIZER_STATE_FIELD_NUMBER: _ClassVar[int]
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    output: str
    dataset: str
    mix: DatasetMix
    validation_dataset: str
    validation_split: float
    base_model: str
    new_model: NewModel
    base_adapter: str
    new_encoder: NewEncoder
    causal: CausalObjective
    supervised: SupervisedObjective
    infilling: InfillingObjective
    masked: MaskedObjective
    classification: ClassificationObjective
    full: FullMethod
    lora: LoraMethod
    bottleneck: BottleneckMethod
    prefix: PrefixTuningMethod
    prompt: PromptTuningMethod
    fisher: FisherMethod
    arguments: TrainingArguments
    ewc: ElasticWeightConsolidation
    replay: Replay
    retention: Retention
    priority: int
    added_tokens: _containers.RepeatedScalarFieldContainer[str]
    keep_optimizer_state: bool
    publication: _publication_pb2.Publication
    stages: _containers.RepeatedCompositeFieldContainer[TrainingStage]
    def __init__(self, output: _Optional[str] = ..., dataset: _Optional[str] = ..., mix: _Optional[_Union[DatasetMix, _Mapping]] = ..., validation_dataset: _Optional[str] = ..., validation_split: _Optional[float] = ..., base_model: _Optional[str] = ..., new_model: _Optional[_Union[NewModel, _Mapping]] = ..., base_adapter: _Optional[str] = ..., new_encoder: _Optional[_Union[NewEncoder, _Mapping]] = ..., causal: _Optional[_Union[CausalObjective, _Mapping]] = ..., supervised: _Optional[_Union[SupervisedObjective, _Mapping]] = ..., infilling: _Optional[_Union[InfillingObjective, _Mapping]] = ..., masked: _Optional[_Union[MaskedObjective, _Mapping]] = ..., classification: _Optional[_Union[ClassificationObjective, _Mapping]] = ..., full: _Optional[_Union[FullMethod, _Mapping]] = ..., lora: _Optional[_Union[LoraMethod, _Mapping]] = ..., bottleneck: _Optional[_Union[BottleneckMethod, _Mapping]] = ..., prefix: _Optional[_Union[PrefixTuningMethod, _Mapping]] = ..., prompt: _Optional[_Union[PromptTuningMethod, _Mapping]] = ..., fisher: _Optional[_Union[FisherMethod, _Mapping]] = ..., arguments: _Optional[_Union[TrainingArguments, _Mapping]] = ..., ewc: _Optional[_Union[ElasticWeightConsolidation, _Mapping]] = ..., replay: _Optional[_Union[Replay, _Mapping]] = ..., retention: _Optional[_Union[Retention, _Mapping]] = ..., priority: _Optional[int] = ..., added_tokens: _Optional[_Iterable[str]] = ..., keep_optimizer_state: bool = ..., publication: _Optional[_Union[_publication_pb2.Publication, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[TrainingStage, _Mapping]]] = ...) -> None: ...

class TrainingStage(_message.Message):
    __slots__ = ("dataset", "mix", "trainable_modules", "frozen_modules", "max_steps", "num_train_epochs", "learning_rate", "warmup_steps", "warmup_ratio")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MIX_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_MODULES_FIELD_NUMBER: _ClassVar[int]
    FROZEN_MODULES_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    NUM_TRAIN_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_RATIO_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    mix: DatasetMix
    trainable_modules: _containers.RepeatedScalarFieldContainer[str]
    frozen_modules: _containers.RepeatedScalarFieldContainer[str]
    max_steps: int
    num_train_epochs: float
    learning_rate: float
    warmup_steps: int
    warmup_ratio: float
    def __init__(self, dataset: _Optional[str] = ..., mix: _Optional[_Union[DatasetMix, _Mapping]] = ..., trainable_modules: _Optional[_Iterable[str]] = ..., frozen_modules: _Optional[_Iterable[str]] = ..., max_steps: _Optional[int] = ..., num_train_epochs: _Optional[float] = ..., learning_rate: _Optional[float] = ..., warmup_steps: _Optional[int] = ..., warmup_ratio: _Optional[float] = ...) -> None: ...

class DatasetMix(_message.Message):
    __slots__ = ("datasets", "temperature")
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[MixedDataset]
    temperature: float
    def __init__(self, datasets: _Optional[_Iterable[_Union[MixedDataset, _Mapping]]] = ..., temperature: _Optional[float] = ...) -> None: ...

class MixedDataset(_message.Message):
    __slots__ = ("dataset", "weight", "prompt_template")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    weight: float
    prompt_template: str
    def __init__(self, dataset: _Optional[str] = ..., weight: _Optional[float] = ..., prompt_template: _Optional[str] = ...) -> None: ...

class NewModel(_message.Message):
    __slots__ = ("tokenizer", "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings", "sliding_window", "rope_theta", "tie_word_embeddings", "initializer_range")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    INTERMEDIATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HIDDEN_LAYERS_FIELD_NUMBER: _ClassVar[int]
    NUM_ATTENTION_HEADS_FIELD_NUMBER: _ClassVar[int]
    NUM_KEY_VALUE_HEADS_FIELD_NUMBER: _ClassVar[int]
    HEAD_DIM_FIELD_NUMBER: _ClassVar[int]
    MAX_POSITION_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    SLIDING_WINDOW_FIELD_NUMBER: _ClassVar[int]
    ROPE_THETA_FIELD_NUMBER: _ClassVar[int]
    TIE_WORD_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    INITIALIZER_RANGE_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    sliding_window: int
    rope_theta: float
    tie_word_embeddings: bool
    initializer_range: float
    def __init__(self, tokenizer: _Optional[str] = ..., model_type: _Optional[str] = ..., hidden_size: _Optional[int] = ..., intermediate_size: _Optional[int] = ..., num_hidden_layers: _Optional[int] = ..., num_attention_heads: _Optional[int] = ..., num_key_value_heads: _Optional[int] = ..., head_dim: _Optional[int] = ..., max_position_embeddings: _Optional[int] = ..., sliding_window: _Optional[int] = ..., rope_theta: _Optional[float] = ..., tie_word_embeddings: bool = ..., initializer_range: _Optional[float] = ...) -> None: ...

class NewEncoder(_message.Message):
    __slots__ = ("tokenizer", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "type_vocab_size", "hidden_dropout_prob", "initializer_range", "layer_norm_eps")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    INTERMEDIATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HIDDEN_LAYERS_FIELD_NUMBER: _ClassVar[int]
    NUM_ATTENTION_HEADS_FIELD_NUMBER: _ClassVar[int]
    MAX_POSITION_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    TYPE_VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_DROPOUT_PROB_FIELD_NUMBER: _ClassVar[int]
    INITIALIZER_RANGE_FIELD_NUMBER: _ClassVar[int]
    LAYER_NORM_EPS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_dropout_prob: float
    initializer_range: float
    layer_norm_eps: float
    def __init__(self, tokenizer: _Optional[str] = ..., hidden_size: _Optional[int] = ..., intermediate_size: _Optional[int] = ..., num_hidden_layers: _Optional[int] = ..., num_attention_heads: _Optional[int] = ..., max_position_embeddings: _Optional[int] = ..., type_vocab_size: _Optional[int] = ..., hidden_dropout_prob: _Optional[float] = ..., initializer_range: _Optional[float] = ..., layer_norm_eps: _Optional[float] = ...) -> None: ...

class CausalObjective(_message.Message):
    __slots__ = ("block_size",)
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    block_size: int
    def __init__(self, block_size: _Optional[int] = ...) -> None: ...

class MaskedObjective(_message.Message):
    __slots__ = ("mlm_probability", "whole_word_mask", "block_size")
    MLM_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    WHOLE_WORD_MASK_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    mlm_probability: float
    whole_word_mask: bool
    block_size: int
    def __init__(self, mlm_probability: _Optional[float] = ..., whole_word_mask: bool = ..., block_size: _Optional[int] = ...) -> None: ...

class ClassificationObjective(_message.Message):
    __slots__ = ("max_length", "freeze_encoder")
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    FREEZE_ENCODER_FIELD_NUMBER: _ClassVar[int]
    max_length: int
    freeze_encoder: bool
    def __init__(self, max_length: _Optional[int] = ..., freeze_encoder: bool = ...) -> None: ...

class InfillingObjective(_message.Message):
    __slots__ = ("max_length", "denoisers")
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    DENOISERS_FIELD_NUMBER: _ClassVar[int]
    max_length: int
    denoisers: _containers.RepeatedCompositeFieldContainer[Denoiser]
    def __init__(self, max_length: _Optional[int] = ..., denoisers: _Optional[_Iterable[_Union[Denoiser, _Mapping]]] = ...) -> None: ...

class Denoiser(_message.Message):
    __slots__ = ("spans", "continuation", "weight", "prefix_token")
    SPANS_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_TOKEN_FIELD_NUMBER: _ClassVar[int]
    spans: SpanCorruption
    continuation: ContinuationCorruption
    weight: float
    prefix_token: str
    def __init__(self, spans: _Optional[_Union[SpanCorruption, _Mapping]] = ..., continuation: _Optional[_Union[ContinuationCorruption, _Mapping]] = ..., weight: _Optional[float] = ..., prefix_token: _Optional[str] = ...) -> None: ...

class SpanCorruption(_message.Message):
    __slots__ = ("corruption_rate", "mean_span_length")
    CORRUPTION_RATE_FIELD_NUMBER: _ClassVar[int]
    MEAN_SPAN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    corruption_rate: float
    mean_span_length: float
    def __init__(self, corruption_rate: _Optional[float] = ..., mean_span_length: _Optional[float] = ...) -> None: ...

class ContinuationCorruption(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SupervisedObjective(_message.Message):
    __slots__ = ("prompt_template", "max_length", "instruction_token_dropout", "truncation", "span_shuffle", "paraphrase_columns")
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_TOKEN_DROPOUT_FIELD_NUMBER: _ClassVar[int]
    TRUNCATION_FIELD_NUMBER: _ClassVar[int]
    SPAN_SHUFFLE_FIELD_NUMBER: _ClassVar[int]
    PARAPHRASE_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    prompt_template: str
    max_length: int
    instruction_token_dropout: float
    truncation: Truncation
    span_shuffle: float
    paraphrase_columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, prompt_template: _Optional[str] = ..., max_length: _Optional[int] = ..., instruction_token_dropout: _Optional[float] = ..., truncation: _Optional[_Union[Truncation, str]] = ..., span_shuffle: _Optional[float] = ..., paraphrase_columns: _Optional[_Iterable[str]] = ...) -> None: ...

class FullMethod(_message.Message):
    __slots__ = ("trainable_modules", "frozen_modules", "unfreeze_every_steps")
    TRAINABLE_MODULES_FIELD_NUMBER: _ClassVar[int]
    FROZEN_MODULES_FIELD_NUMBER: _ClassVar[int]
    UNFREEZE_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    trainable_modules: _containers.RepeatedScalarFieldContainer[str]
    frozen_modules: _containers.RepeatedScalarFieldContainer[str]
    unfreeze_every_steps: int
    def __init__(self, trainable_modules: _Optional[_Iterable[str]] = ..., frozen_modules: _Optional[_Iterable[str]] = ..., unfreeze_every_steps: _Optional[int] = ...) -> None: ...

class FisherMethod(_message.Message):
    __slots__ = ("max_rows",)
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    max_rows: int
    def __init__(self, max_rows: _Optional[int] = ...) -> None: ...

class ElasticWeightConsolidation(_message.Message):
    __slots__ = ("fisher",)
    FISHER_FIELD_NUMBER: _ClassVar[int]
    LAMBDA_FIELD_NUMBER: _ClassVar[int]
    fisher: str
    def __init__(self, fisher: _Optional[str] = ..., **kwargs) -> None: ...

class Replay(_message.Message):
    __slots__ = ("dataset", "ratio")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    ratio: float
    def __init__(self, dataset: _Optional[str] = ..., ratio: _Optional[float] = ...) -> None: ...

class Retention(_message.Message):
    __slots__ = ("dataset", "min_ratio")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    min_ratio: float
    def __init__(self, dataset: _Optional[str] = ..., min_ratio: _Optional[float] = ...) -> None: ...

class LoraMethod(_message.Message):
    __slots__ = ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "exclude_modules", "layers_to_transform", "modules_to_save", "init_lora_weights", "bias")
    class RankPatternEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class AlphaPatternEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    R_FIELD_NUMBER: _ClassVar[int]
    LORA_ALPHA_FIELD_NUMBER: _ClassVar[int]
    LORA_DROPOUT_FIELD_NUMBER: _ClassVar[int]
    TARGET_MODULES_FIELD_NUMBER: _ClassVar[int]
    USE_RSLORA_FIELD_NUMBER: _ClassVar[int]
    USE_DORA_FIELD_NUMBER: _ClassVar[int]
    RANK_PATTERN_FIELD_NUMBER: _ClassVar[int]
    ALPHA_PATTERN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_MODULES_FIELD_NUMBER: _ClassVar[int]
    LAYERS_TO_TRANSFORM_FIELD_NUMBER: _ClassVar[int]
    MODULES_TO_SAVE_FIELD_NUMBER: _ClassVar[int]
    INIT_LORA_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    BIAS_FIELD_NUMBER: _ClassVar[int]
    r: int
    lora_alpha: float
    lora_dropout: float
    target_modules: _containers.RepeatedScalarFieldContainer[str]
    use_rslora: bool
    use_dora: bool
    rank_pattern: _containers.ScalarMap[str, int]
    alpha_pattern: _containers.ScalarMap[str, float]
    exclude_modules: _containers.RepeatedScalarFieldContainer[str]
    layers_to_transform: _containers.RepeatedScalarFieldContainer[int]
    modules_to_save: _containers.RepeatedScalarFieldContainer[str]
    init_lora_weights: str
    bias: str
    def __init__(self, r: _Optional[int] = ..., lora_alpha: _Optional[float] = ..., lora_dropout: _Optional[float] = ..., target_modules: _Optional[_Iterable[str]] = ..., use_rslora: bool = ..., use_dora: bool = ..., rank_pattern: _Optional[_Mapping[str, int]] = ..., alpha_pattern: _Optional[_Mapping[str, float]] = ..., exclude_modules: _Optional[_Iterable[str]] = ..., layers_to_transform: _Optional[_Iterable[int]] = ..., modules_to_save: _Optional[_Iterable[str]] = ..., init_lora_weights: _Optional[str] = ..., bias: _Optional[str] = ...) -> None: ...

class BottleneckMethod(_message.Message):
    __slots__ = ("mh_adapter", "output_adapter", "reduction_factor", "non_linearity", "scaling", "original_ln_before", "is_parallel")
    MH_ADAPTER_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_ADAPTER_FIELD_NUMBER: _ClassVar[int]
    REDUCTION_FACTOR_FIELD_NUMBER: _ClassVar[int]
    NON_LINEARITY_FIELD_NUMBER: _ClassVar[int]
    SCALING_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_LN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    IS_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    mh_adapter: bool
    output_adapter: bool
    reduction_factor: float
    non_linearity: str
    scaling: float
    original_ln_before: bool
    is_parallel: bool
    def __init__(self, mh_adapter: bool = ..., output_adapter: bool = ..., reduction_factor: _Optional[float] = ..., non_linearity: _Optional[str] = ..., scaling: _Optional[float] = ..., original_ln_before: bool = ..., is_parallel: bool = ...) -> None: ...

class PromptTuningMethod(_message.Message):
    __slots__ = ("num_virtual_tokens", "prompt_tuning_init", "prompt_tuning_init_text")
    NUM_VIRTUAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TUNING_INIT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TUNING_INIT_TEXT_FIELD_NUMBER: _ClassVar[int]
    num_virtual_tokens: int
    prompt_tuning_init: PromptTuningInit
    prompt_tuning_init_text: str
    def __init__(self, num_virtual_tokens: _Optional[int] = ..., prompt_tuning_init: _Optional[_Union[PromptTuningInit, str]] = ..., prompt_tuning_init_text: _Optional[str] = ...) -> None: ...

class PrefixTuningMethod(_message.Message):
    __slots__ = ("num_virtual_tokens", "prefix_projection", "encoder_hidden_size")
    NUM_VIRTUAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREFIX_PROJECTION_FIELD_NUMBER: _ClassVar[int]
    ENCODER_HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    num_virtual_tokens: int
    prefix_projection: bool
    encoder_hidden_size: int
    def __init__(self, num_virtual_tokens: _Optional[int] = ..., prefix_projection: bool = ..., encoder_hidden_size: _Optional[int] = ...) -> None: ...

class LrSchedulerKwargs(_message.Message):
    __slots__ = ("num_cycles", "min_lr", "min_lr_rate", "power", "lr_end", "timescale", "num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio")
    NUM_CYCLES_FIELD_NUMBER: _ClassVar[int]
    MIN_LR_FIELD_NUMBER: _ClassVar[int]
    MIN_LR_RATE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    LR_END_FIELD_NUMBER: _ClassVar[int]
    TIMESCALE_FIELD_NUMBER: _ClassVar[int]
    NUM_DECAY_STEPS_FIELD_NUMBER: _ClassVar[int]
    NUM_STABLE_STEPS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_TYPE_FIELD_NUMBER: _ClassVar[int]
    DECAY_TYPE_FIELD_NUMBER: _ClassVar[int]
    MIN_LR_RATIO_FIELD_NUMBER: _ClassVar[int]
    num_cycles: float
    min_lr: float
    min_lr_rate: float
    power: float
    lr_end: float
    timescale: int
    num_decay_steps: int
    num_stable_steps: int
    warmup_type: str
    decay_type: str
    min_lr_ratio: float
    def __init__(self, num_cycles: _Optional[float] = ..., min_lr: _Optional[float] = ..., min_lr_rate: _Optional[float] = ..., power: _Optional[float] = ..., lr_end: _Optional[float] = ..., timescale: _Optional[int] = ..., num_decay_steps: _Optional[int] = ..., num_stable_steps: _Optional[int] = ..., warmup_type: _Optional[str] = ..., decay_type: _Optional[str] = ..., min_lr_ratio: _Optional[float] = ...) -> None: ...

class OptimArgs(_message.Message):
    __slots__ = ("momentum", "nesterov")
    MOMENTUM_FIELD_NUMBER: _ClassVar[int]
    NESTEROV_FIELD_NUMBER: _ClassVar[int]
    momentum: float
    nesterov: bool
    def __init__(self, momentum: _Optional[float] = ..., nesterov: bool = ...) -> None: ...

class TrainingArguments(_message.Message):
    __slots__ = ("learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "warmup_steps", "warmup_ratio", "lr_scheduler_type", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "seed", "logging_steps", "eval_steps", "save_steps", "save_total_limit", "early_stopping_patience", "early_stopping_threshold", "weight_dtype", "gradient_checkpointing", "activation_memory_bytes", "optim", "optim_args", "layerwise_lr_decay", "loraplus_lr_ratio", "lr_scheduler_kwargs", "label_smoothing_factor", "neftune_noise_alpha", "retry_in_f32")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    NUM_TRAIN_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    PER_DEVICE_TRAIN_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_ACCUMULATION_STEPS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_RATIO_FIELD_NUMBER: _ClassVar[int]
    LR_SCHEDULER_TYPE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    ADAM_BETA1_FIELD_NUMBER: _ClassVar[int]
    ADAM_BETA2_FIELD_NUMBER: _ClassVar[int]
    ADAM_EPSILON_FIELD_NUMBER: _ClassVar[int]
    MAX_GRAD_NORM_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LOGGING_STEPS_FIELD_NUMBER: _ClassVar[int]
    EVAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SAVE_STEPS_FIELD_NUMBER: _ClassVar[int]
    SAVE_TOTAL_LIMIT_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_PATIENCE_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DTYPE_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_CHECKPOINTING_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    OPTIM_FIELD_NUMBER: _ClassVar[int]
    OPTIM_ARGS_FIELD_NUMBER: _ClassVar[int]
    LAYERWISE_LR_DECAY_FIELD_NUMBER: _ClassVar[int]
    LORAPLUS_LR_RATIO_FIELD_NUMBER: _ClassVar[int]
    LR_SCHEDULER_KWARGS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SMOOTHING_FACTOR_FIELD_NUMBER: _ClassVar[int]
    NEFTUNE_NOISE_ALPHA_FIELD_NUMBER: _ClassVar[int]
    RETRY_IN_F32_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    num_train_epochs: float
    max_steps: int
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    warmup_steps: int
    warmup_ratio: float
    lr_scheduler_type: LrSchedulerType
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    adam_epsilon: float
    max_grad_norm: float
    seed: int
    logging_steps: int
    eval_steps: int
    save_steps: int
    save_total_limit: int
    early_stopping_patience: int
    early_stopping_threshold: float
    weight_dtype: WeightDtype
    gradient_checkpointing: bool
    activation_memory_bytes: int
    optim: Optimizer
    optim_args: OptimArgs
    layerwise_lr_decay: float
    loraplus_lr_ratio: float
    lr_scheduler_kwargs: LrSchedulerKwargs
    label_smoothing_factor: float
    neftune_noise_alpha: float
    retry_in_f32: bool
    def __init__(self, learning_rate: _Optional[float] = ..., num_train_epochs: _Optional[float] = ..., max_steps: _Optional[int] = ..., per_device_train_batch_size: _Optional[int] = ..., gradient_accumulation_steps: _Optional[int] = ..., warmup_steps: _Optional[int] = ..., warmup_ratio: _Optional[float] = ..., lr_scheduler_type: _Optional[_Union[LrSchedulerType, str]] = ..., weight_decay: _Optional[float] = ..., adam_beta1: _Optional[float] = ..., adam_beta2: _Optional[float] = ..., adam_epsilon: _Optional[float] = ..., max_grad_norm: _Optional[float] = ..., seed: _Optional[int] = ..., logging_steps: _Optional[int] = ..., eval_steps: _Optional[int] = ..., save_steps: _Optional[int] = ..., save_total_limit: _Optional[int] = ..., early_stopping_patience: _Optional[int] = ..., early_stopping_threshold: _Optional[float] = ..., weight_dtype: _Optional[_Union[WeightDtype, str]] = ..., gradient_checkpointing: bool = ..., activation_memory_bytes: _Optional[int] = ..., optim: _Optional[_Union[Optimizer, str]] = ..., optim_args: _Optional[_Union[OptimArgs, _Mapping]] = ..., layerwise_lr_decay: _Optional[float] = ..., loraplus_lr_ratio: _Optional[float] = ..., lr_scheduler_kwargs: _Optional[_Union[LrSchedulerKwargs, _Mapping]] = ..., label_smoothing_factor: _Optional[float] = ..., neftune_noise_alpha: _Optional[float] = ..., retry_in_f32: bool = ...) -> None: ...

class TrainingProgress(_message.Message):
    __slots__ = ("step", "total_steps", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second", "eta_seconds", "skipped_steps", "loss_scale", "resident_bytes", "stage")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    EVAL_LOSS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    GRAD_NORM_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ETA_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_SCALE_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    step: int
    total_steps: int
    epoch: float
    loss: float
    eval_loss: float
    learning_rate: float
    grad_norm: float
    tokens_per_second: float
    eta_seconds: float
    skipped_steps: int
    loss_scale: float
    resident_bytes: int
    stage: int
    def __init__(self, step: _Optional[int] = ..., total_steps: _Optional[int] = ..., epoch: _Optional[float] = ..., loss: _Optional[float] = ..., eval_loss: _Optional[float] = ..., learning_rate: _Optional[float] = ..., grad_norm: _Optional[float] = ..., tokens_per_second: _Optional[float] = ..., eta_seconds: _Optional[float] = ..., skipped_steps: _Optional[int] = ..., loss_scale: _Optional[float] = ..., resident_bytes: _Optional[int] = ..., stage: _Optional[int] = ...) -> None: ...

class TrainingEvent(_message.Message):
    __slots__ = ("event_id", "time", "state_change", "progress", "state_saved", "resumed", "data_ready", "evaluated", "phase_change", "result_stored", "publication", "stage_change")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_SAVED_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    DATA_READY_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    PHASE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    RESULT_STORED_FIELD_NUMBER: _ClassVar[int]
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    STAGE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    time: _timestamp_pb2.Timestamp
    state_change: TrainingStateChange
    progress: TrainingProgress
    state_saved: TrainingStateSaved
    resumed: TrainingResumed
    data_ready: TrainingDataReady
    evaluated: TrainingEvaluated
    phase_change: TrainingPhaseChange
    result_stored: TrainingResultStored
    publication: _publication_pb2.PublicationResult
    stage_change: TrainingStageChange
    def __init__(self, event_id: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state_change: _Optional[_Union[TrainingStateChange, _Mapping]] = ..., progress: _Optional[_Union[TrainingProgress, _Mapping]] = ..., state_saved: _Optional[_Union[TrainingStateSaved, _Mapping]] = ..., resumed: _Optional[_Union[TrainingResumed, _Mapping]] = ..., data_ready: _Optional[_Union[TrainingDataReady, _Mapping]] = ..., evaluated: _Optional[_Union[TrainingEvaluated, _Mapping]] = ..., phase_change: _Optional[_Union[TrainingPhaseChange, _Mapping]] = ..., result_stored: _Optional[_Union[TrainingResultStored, _Mapping]] = ..., publication: _Optional[_Union[_publication_pb2.PublicationResult, _Mapping]] = ..., stage_change: _Optional[_Union[TrainingStageChange, _Mapping]] = ...) -> None: ...

class TrainingPhaseChange(_message.Message):
    __slots__ = ("phase",)
    PHASE_FIELD_NUMBER: _ClassVar[int]
    phase: TrainingPhase
    def __init__(self, phase: _Optional[_Union[TrainingPhase, str]] = ...) -> None: ...

class TrainingStageChange(_message.Message):
    __slots__ = ("stage", "stages", "step", "stage_steps", "train_rows", "trainable_parameters")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STAGE_STEPS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    stage: int
    stages: int
    step: int
    stage_steps: int
    train_rows: int
    trainable_parameters: int
    def __init__(self, stage: _Optional[int] = ..., stages: _Optional[int] = ..., step: _Optional[int] = ..., stage_steps: _Optional[int] = ..., train_rows: _Optional[int] = ..., trainable_parameters: _Optional[int] = ...) -> None: ...

class TrainingStateChange(_message.Message):
    __slots__ = ("state", "message")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    state: TrainingJobState
    message: str
    def __init__(self, state: _Optional[_Union[TrainingJobState, str]] = ..., message: _Optional[str] = ...) -> None: ...

class TrainingStateSaved(_message.Message):
    __slots__ = ("step", "digest", "chain_digest")
    STEP_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHAIN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    step: int
    digest: str
    chain_digest: str
    def __init__(self, step: _Optional[int] = ..., digest: _Optional[str] = ..., chain_digest: _Optional[str] = ...) -> None: ...

class TrainingResultStored(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class TrainingResumed(_message.Message):
    __slots__ = ("step", "digest")
    STEP_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    step: int
    digest: str
    def __init__(self, step: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class TrainingDataReady(_message.Message):
    __slots__ = ("train_rows", "validation_rows", "train_tokens", "loss_tokens", "dropped_rows", "trainable_parameters", "total_parameters", "mixed", "dropped_validation_rows", "truncated_validation_rows", "dropped_earlier_rows", "truncated_earlier_rows", "truncated_rows")
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LOSS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MIXED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_VALIDATION_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_VALIDATION_ROWS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_EARLIER_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_EARLIER_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_ROWS_FIELD_NUMBER: _ClassVar[int]
    train_rows: int
    validation_rows: int
    train_tokens: int
    loss_tokens: int
    dropped_rows: int
    trainable_parameters: int
    total_parameters: int
    mixed: _containers.RepeatedCompositeFieldContainer[MixedRows]
    dropped_validation_rows: int
    truncated_validation_rows: int
    dropped_earlier_rows: int
    truncated_earlier_rows: int
    truncated_rows: int
    def __init__(self, train_rows: _Optional[int] = ..., validation_rows: _Optional[int] = ..., train_tokens: _Optional[int] = ..., loss_tokens: _Optional[int] = ..., dropped_rows: _Optional[int] = ..., trainable_parameters: _Optional[int] = ..., total_parameters: _Optional[int] = ..., mixed: _Optional[_Iterable[_Union[MixedRows, _Mapping]]] = ..., dropped_validation_rows: _Optional[int] = ..., truncated_validation_rows: _Optional[int] = ..., dropped_earlier_rows: _Optional[int] = ..., truncated_earlier_rows: _Optional[int] = ..., truncated_rows: _Optional[int] = ...) -> None: ...

class MixedRows(_message.Message):
    __slots__ = ("dataset", "train_rows", "validation_rows", "rows_per_pass", "dropped_rows", "truncated_rows")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_ROWS_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_PASS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_ROWS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    train_rows: int
    validation_rows: int
    rows_per_pass: int
    dropped_rows: int
    truncated_rows: int
    def __init__(self, dataset: _Optional[str] = ..., train_rows: _Optional[int] = ..., validation_rows: _Optional[int] = ..., rows_per_pass: _Optional[int] = ..., dropped_rows: _Optional[int] = ..., truncated_rows: _Optional[int] = ...) -> None: ...

class TrainingEvaluated(_message.Message):
    __slots__ = ("step", "eval_loss", "best")
    STEP_FIELD_NUMBER: _ClassVar[int]
    EVAL_LOSS_FIELD_NUMBER: _ClassVar[int]
    BEST_FIELD_NUMBER: _ClassVar[int]
    step: int
    eval_loss: float
    best: bool
    def __init__(self, step: _Optional[int] = ..., eval_loss: _Optional[float] = ..., best: bool = ...) -> None: ...

class CreateTrainingJobRequest(_message.Message):
    __slots__ = ("training_job_id", "spec", "request_id", "validate_only")
    TRAINING_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    training_job_id: str
    spec: TrainingSpec
    request_id: str
    validate_only: bool
    def __init__(self, training_job_id: _Optional[str] = ..., spec: _Optional[_Union[TrainingSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateTrainingJobResponse(_message.Message):
    __slots__ = ("training_job",)
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    training_job: TrainingJob
    def __init__(self, training_job: _Optional[_Union[TrainingJob, _Mapping]] = ...) -> None: ...

class GetTrainingJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTrainingJobResponse(_message.Message):
    __slots__ = ("training_job",)
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    training_job: TrainingJob
    def __init__(self, training_job: _Optional[_Union[TrainingJob, _Mapping]] = ...) -> None: ...

class ListTrainingJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTrainingJobsResponse(_message.Message):
    __slots__ = ("training_jobs", "next_page_token")
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    training_jobs: _containers.RepeatedCompositeFieldContainer[TrainingJob]
    next_page_token: str
    def __init__(self, training_jobs: _Optional[_Iterable[_Union[TrainingJob, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelTrainingJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelTrainingJobResponse(_message.Message):
    __slots__ = ("training_job",)
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    training_job: TrainingJob
    def __init__(self, training_job: _Optional[_Union[TrainingJob, _Mapping]] = ...) -> None: ...

class PauseTrainingJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PauseTrainingJobResponse(_message.Message):
    __slots__ = ("training_job",)
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    training_job: TrainingJob
    def __init__(self, training_job: _Optional[_Union[TrainingJob, _Mapping]] = ...) -> None: ...

class ResumeTrainingJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ResumeTrainingJobResponse(_message.Message):
    __slots__ = ("training_job",)
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    training_job: TrainingJob
    def __init__(self, training_job: _Optional[_Union[TrainingJob, _Mapping]] = ...) -> None: ...

class VerifyTrainingJobRequest(_message.Message):
    __slots__ = ("name", "from_beginning", "max_steps")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FROM_BEGINNING_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    name: str
    from_beginning: bool
    max_steps: int
    def __init__(self, name: _Optional[str] = ..., from_beginning: bool = ..., max_steps: _Optional[int] = ...) -> None: ...

class VerifyTrainingJobResponse(_message.Message):
    __slots__ = ("checks",)
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    checks: _containers.RepeatedCompositeFieldContainer[TrainingCheck]
    def __init__(self, checks: _Optional[_Iterable[_Union[TrainingCheck, _Mapping]]] = ...) -> None: ...

class TrainingCheck(_message.Message):
    __slots__ = ("step", "subject", "digest", "difference")
    STEP_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    step: int
    subject: TrainingCheckSubject
    digest: str
    difference: str
    def __init__(self, step: _Optional[int] = ..., subject: _Optional[_Union[TrainingCheckSubject, str]] = ..., digest: _Optional[str] = ..., difference: _Optional[str] = ...) -> None: ...

class DeleteTrainingJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteTrainingJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchTrainingJobRequest(_message.Message):
    __slots__ = ("name", "after_event_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AFTER_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    after_event_id: int
    def __init__(self, name: _Optional[str] = ..., after_event_id: _Optional[int] = ...) -> None: ...

class WatchTrainingJobResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: TrainingEvent
    def __init__(self, event: _Optional[_Union[TrainingEvent, _Mapping]] = ...) -> None: ...

class AuditDatasetRequest(_message.Message):
    __slots__ = ("spec", "max_examples")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    MAX_EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    spec: TrainingSpec
    max_examples: int
    def __init__(self, spec: _Optional[_Union[TrainingSpec, _Mapping]] = ..., max_examples: _Optional[int] = ...) -> None: ...
