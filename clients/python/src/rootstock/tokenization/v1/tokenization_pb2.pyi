from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TokenizerModel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKENIZER_MODEL_UNSPECIFIED: _ClassVar[TokenizerModel]
    TOKENIZER_MODEL_BPE: _ClassVar[TokenizerModel]
    TOKENIZER_MODEL_WORD_PIECE: _ClassVar[TokenizerModel]
    TOKENIZER_MODEL_UNIGRAM: _ClassVar[TokenizerModel]
TOKENIZER_MODEL_UNSPECIFIED: TokenizerModel
TOKENIZER_MODEL_BPE: TokenizerModel
TOKENIZER_MODEL_WORD_PIECE: TokenizerModel
TOKENIZER_MODEL_UNIGRAM: TokenizerModel

class Tokenizer(_message.Message):
    __slots__ = ("name", "artifact_digest", "tokenizer_digest", "vocab_size", "bos_token_id", "eos_token_id", "pad_token_id", "has_chat_template")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    BOS_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    EOS_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    PAD_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HAS_CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    artifact_digest: str
    tokenizer_digest: str
    vocab_size: int
    bos_token_id: int
    eos_token_id: int
    pad_token_id: int
    has_chat_template: bool
    def __init__(self, name: _Optional[str] = ..., artifact_digest: _Optional[str] = ..., tokenizer_digest: _Optional[str] = ..., vocab_size: _Optional[int] = ..., bos_token_id: _Optional[int] = ..., eos_token_id: _Optional[int] = ..., pad_token_id: _Optional[int] = ..., has_chat_template: bool = ...) -> None: ...

class Encoding(_message.Message):
    __slots__ = ("ids", "start_offsets", "end_offsets")
    IDS_FIELD_NUMBER: _ClassVar[int]
    START_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    END_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    start_offsets: _containers.RepeatedScalarFieldContainer[int]
    end_offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ..., start_offsets: _Optional[_Iterable[int]] = ..., end_offsets: _Optional[_Iterable[int]] = ...) -> None: ...

class EncodeRequest(_message.Message):
    __slots__ = ("tokenizer", "texts", "add_special_tokens", "return_offsets")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    ADD_SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RETURN_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    add_special_tokens: bool
    return_offsets: bool
    def __init__(self, tokenizer: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., add_special_tokens: bool = ..., return_offsets: bool = ...) -> None: ...

class EncodeResponse(_message.Message):
    __slots__ = ("encodings", "tokenizer_digest")
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    encodings: _containers.RepeatedCompositeFieldContainer[Encoding]
    tokenizer_digest: str
    def __init__(self, encodings: _Optional[_Iterable[_Union[Encoding, _Mapping]]] = ..., tokenizer_digest: _Optional[str] = ...) -> None: ...

class TokenSequence(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class DecodeRequest(_message.Message):
    __slots__ = ("tokenizer", "sequences", "skip_special_tokens")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    SKIP_SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    sequences: _containers.RepeatedCompositeFieldContainer[TokenSequence]
    skip_special_tokens: bool
    def __init__(self, tokenizer: _Optional[str] = ..., sequences: _Optional[_Iterable[_Union[TokenSequence, _Mapping]]] = ..., skip_special_tokens: bool = ...) -> None: ...

class DecodeResponse(_message.Message):
    __slots__ = ("texts", "tokenizer_digest")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    tokenizer_digest: str
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., tokenizer_digest: _Optional[str] = ...) -> None: ...

class EncodeStreamRequest(_message.Message):
    __slots__ = ("tokenizer", "texts", "add_special_tokens", "return_offsets")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    ADD_SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RETURN_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    add_special_tokens: bool
    return_offsets: bool
    def __init__(self, tokenizer: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., add_special_tokens: bool = ..., return_offsets: bool = ...) -> None: ...

class EncodeStreamResponse(_message.Message):
    __slots__ = ("encodings", "tokenizer_digest")
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    encodings: _containers.RepeatedCompositeFieldContainer[Encoding]
    tokenizer_digest: str
    def __init__(self, encodings: _Optional[_Iterable[_Union[Encoding, _Mapping]]] = ..., tokenizer_digest: _Optional[str] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class RenderChatRequest(_message.Message):
    __slots__ = ("tokenizer", "messages", "add_generation_prompt")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    ADD_GENERATION_PROMPT_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    add_generation_prompt: bool
    def __init__(self, tokenizer: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., add_generation_prompt: bool = ...) -> None: ...

class RenderChatResponse(_message.Message):
    __slots__ = ("text", "ids", "tokenizer_digest")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    text: str
    ids: _containers.RepeatedScalarFieldContainer[int]
    tokenizer_digest: str
    def __init__(self, text: _Optional[str] = ..., ids: _Optional[_Iterable[int]] = ..., tokenizer_digest: _Optional[str] = ...) -> None: ...

class CountTokensRequest(_message.Message):
    __slots__ = ("tokenizer", "texts")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tokenizer: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class CountTokensResponse(_message.Message):
    __slots__ = ("counts", "total")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    total: int
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., total: _Optional[int] = ...) -> None: ...

class WordPieceOptions(_message.Message):
    __slots__ = ("lowercase", "strip_accents", "max_input_chars_per_word")
    LOWERCASE_FIELD_NUMBER: _ClassVar[int]
    STRIP_ACCENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_INPUT_CHARS_PER_WORD_FIELD_NUMBER: _ClassVar[int]
    lowercase: bool
    strip_accents: bool
    max_input_chars_per_word: int
    def __init__(self, lowercase: bool = ..., strip_accents: bool = ..., max_input_chars_per_word: _Optional[int] = ...) -> None: ...

class TrainTokenizerRequest(_message.Message):
    __slots__ = ("name", "dataset", "vocab_size", "min_frequency", "special_tokens", "chat_template", "max_token_length", "model", "word_piece")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    MIN_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKEN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WORD_PIECE_FIELD_NUMBER: _ClassVar[int]
    name: str
    dataset: str
    vocab_size: int
    min_frequency: int
    special_tokens: _containers.RepeatedScalarFieldContainer[str]
    chat_template: str
    max_token_length: int
    model: TokenizerModel
    word_piece: WordPieceOptions
    def __init__(self, name: _Optional[str] = ..., dataset: _Optional[str] = ..., vocab_size: _Optional[int] = ..., min_frequency: _Optional[int] = ..., special_tokens: _Optional[_Iterable[str]] = ..., chat_template: _Optional[str] = ..., max_token_length: _Optional[int] = ..., model: _Optional[_Union[TokenizerModel, str]] = ..., word_piece: _Optional[_Union[WordPieceOptions, _Mapping]] = ...) -> None: ...

class TrainTokenizerResponse(_message.Message):
    __slots__ = ("tokenizer",)
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    tokenizer: Tokenizer
    def __init__(self, tokenizer: _Optional[_Union[Tokenizer, _Mapping]] = ...) -> None: ...

class GetTokenizerRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTokenizerResponse(_message.Message):
    __slots__ = ("tokenizer",)
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    tokenizer: Tokenizer
    def __init__(self, tokenizer: _Optional[_Union[Tokenizer, _Mapping]] = ...) -> None: ...

class ListTokenizersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTokenizersResponse(_message.Message):
    __slots__ = ("tokenizers", "next_page_token")
    TOKENIZERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tokenizers: _containers.RepeatedCompositeFieldContainer[Tokenizer]
    next_page_token: str
    def __init__(self, tokenizers: _Optional[_Iterable[_Union[Tokenizer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
