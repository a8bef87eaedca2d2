from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EncoderBinding(_message.Message):
    __slots__ = ("base_digest", "tokenizer_digest", "dispatch", "weight_format", "engine_version")
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DISPATCH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    base_digest: str
    tokenizer_digest: str
    dispatch: str
    weight_format: str
    engine_version: str
    def __init__(self, base_digest: _Optional[str] = ..., tokenizer_digest: _Optional[str] = ..., dispatch: _Optional[str] = ..., weight_format: _Optional[str] = ..., engine_version: _Optional[str] = ...) -> None: ...

class ClassifyRequest(_message.Message):
    __slots__ = ("model", "texts")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("binding", "classifications")
    BINDING_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    binding: EncoderBinding
    classifications: _containers.RepeatedCompositeFieldContainer[Classification]
    def __init__(self, binding: _Optional[_Union[EncoderBinding, _Mapping]] = ..., classifications: _Optional[_Iterable[_Union[Classification, _Mapping]]] = ...) -> None: ...

class Classification(_message.Message):
    __slots__ = ("labels", "tokens")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[LabelProbability]
    tokens: int
    def __init__(self, labels: _Optional[_Iterable[_Union[LabelProbability, _Mapping]]] = ..., tokens: _Optional[int] = ...) -> None: ...

class LabelProbability(_message.Message):
    __slots__ = ("label", "probability")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class FillMaskRequest(_message.Message):
    __slots__ = ("model", "text", "top_k")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    model: str
    text: str
    top_k: int
    def __init__(self, model: _Optional[str] = ..., text: _Optional[str] = ..., top_k: _Optional[int] = ...) -> None: ...

class FillMaskResponse(_message.Message):
    __slots__ = ("binding", "masks", "tokens")
    BINDING_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    binding: EncoderBinding
    masks: _containers.RepeatedCompositeFieldContainer[FilledMask]
    tokens: int
    def __init__(self, binding: _Optional[_Union[EncoderBinding, _Mapping]] = ..., masks: _Optional[_Iterable[_Union[FilledMask, _Mapping]]] = ..., tokens: _Optional[int] = ...) -> None: ...

class FilledMask(_message.Message):
    __slots__ = ("position", "tokens")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    position: int
    tokens: _containers.RepeatedCompositeFieldContainer[MaskToken]
    def __init__(self, position: _Optional[int] = ..., tokens: _Optional[_Iterable[_Union[MaskToken, _Mapping]]] = ...) -> None: ...

class MaskToken(_message.Message):
    __slots__ = ("id", "text", "probability")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    id: int
    text: str
    probability: float
    def __init__(self, id: _Optional[int] = ..., text: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...
