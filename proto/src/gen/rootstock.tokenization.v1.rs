// @generated from the protobuf sources of this crate; see tests/generated.rs.
/// A tokenizer of the store.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Tokenizer {
    /// The alias or digest it was asked by.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Digest of the artifact it lies in.
    #[prost(string, tag = "2")]
    pub artifact_digest: ::prost::alloc::string::String,
    /// Digest of tokenizer, chat template and special tokens together; what data sets and adapters are checked against.
    #[prost(string, tag = "3")]
    pub tokenizer_digest: ::prost::alloc::string::String,
    /// Number of token ids.
    #[prost(int32, tag = "4")]
    pub vocab_size: i32,
    /// Id of the beginning-of-sequence token, where there is one.
    #[prost(uint32, optional, tag = "5")]
    pub bos_token_id: ::core::option::Option<u32>,
    /// Id of the end-of-sequence token, where there is one.
    #[prost(uint32, optional, tag = "6")]
    pub eos_token_id: ::core::option::Option<u32>,
    /// Id of the padding token, where there is one.
    #[prost(uint32, optional, tag = "7")]
    pub pad_token_id: ::core::option::Option<u32>,
    /// Whether it has a chat template.
    #[prost(bool, tag = "8")]
    pub has_chat_template: bool,
}
/// One encoded text.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Encoding {
    /// The token ids.
    #[prost(uint32, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<u32>,
    /// For each id where its text starts, in bytes; only when offsets were asked for.
    #[prost(uint32, repeated, tag = "2")]
    pub start_offsets: ::prost::alloc::vec::Vec<u32>,
    /// For each id where its text ends, in bytes; only when offsets were asked for.
    #[prost(uint32, repeated, tag = "3")]
    pub end_offsets: ::prost::alloc::vec::Vec<u32>,
}
/// Request of Encode.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct EncodeRequest {
    /// Which tokenizer.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// The texts; at most 1024, 4 MiB together.
    #[prost(string, repeated, tag = "2")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Add the special tokens that the tokenizer puts around a text.
    #[prost(bool, tag = "3")]
    pub add_special_tokens: bool,
    /// Return offsets.
    #[prost(bool, tag = "4")]
    pub return_offsets: bool,
}
/// Response of Encode.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EncodeResponse {
    /// One for each text, in order.
    #[prost(message, repeated, tag = "1")]
    pub encodings: ::prost::alloc::vec::Vec<Encoding>,
    /// Digest of the tokenizer used.
    #[prost(string, tag = "2")]
    pub tokenizer_digest: ::prost::alloc::string::String,
}
/// A sequence of token ids.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TokenSequence {
    /// The ids.
    #[prost(uint32, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<u32>,
}
/// Request of Decode.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DecodeRequest {
    /// Which tokenizer.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// The sequences; at most 1024.
    #[prost(message, repeated, tag = "2")]
    pub sequences: ::prost::alloc::vec::Vec<TokenSequence>,
    /// Leave special tokens out of the text.
    #[prost(bool, tag = "3")]
    pub skip_special_tokens: bool,
}
/// Response of Decode.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DecodeResponse {
    /// One for each sequence, in order.
    #[prost(string, repeated, tag = "1")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Digest of the tokenizer used.
    #[prost(string, tag = "2")]
    pub tokenizer_digest: ::prost::alloc::string::String,
}
/// One batch of EncodeStream.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct EncodeStreamRequest {
    /// Which tokenizer; the first message must have it, later ones leave it empty.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// The texts; at most 1024, 4 MiB together.
    #[prost(string, repeated, tag = "2")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Add the special tokens that the tokenizer puts around a text.
    #[prost(bool, tag = "3")]
    pub add_special_tokens: bool,
    /// Return offsets.
    #[prost(bool, tag = "4")]
    pub return_offsets: bool,
}
/// One batch of EncodeStream, in the order of the requests.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EncodeStreamResponse {
    /// One for each text, in order.
    #[prost(message, repeated, tag = "1")]
    pub encodings: ::prost::alloc::vec::Vec<Encoding>,
    /// Digest of the tokenizer used.
    #[prost(string, tag = "2")]
    pub tokenizer_digest: ::prost::alloc::string::String,
}
/// One message of a chat.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or another role that the template knows.
    #[prost(string, tag = "1")]
    pub role: ::prost::alloc::string::String,
    /// What is said.
    #[prost(string, tag = "2")]
    pub content: ::prost::alloc::string::String,
}
/// Request of RenderChat.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RenderChatRequest {
    /// Which tokenizer.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// The messages; at most 1024.
    #[prost(message, repeated, tag = "2")]
    pub messages: ::prost::alloc::vec::Vec<ChatMessage>,
    /// End with what introduces an answer of the assistant.
    #[prost(bool, tag = "3")]
    pub add_generation_prompt: bool,
}
/// Response of RenderChat.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RenderChatResponse {
    /// The text.
    #[prost(string, tag = "1")]
    pub text: ::prost::alloc::string::String,
    /// Its token ids.
    #[prost(uint32, repeated, tag = "2")]
    pub ids: ::prost::alloc::vec::Vec<u32>,
    /// Digest of the tokenizer used.
    #[prost(string, tag = "3")]
    pub tokenizer_digest: ::prost::alloc::string::String,
}
/// Request of CountTokens.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CountTokensRequest {
    /// Which tokenizer.
    #[prost(string, tag = "1")]
    pub tokenizer: ::prost::alloc::string::String,
    /// The texts; at most 1024, 4 MiB together.
    #[prost(string, repeated, tag = "2")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Response of CountTokens.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CountTokensResponse {
    /// One count for each text, in order.
    #[prost(int64, repeated, tag = "1")]
    pub counts: ::prost::alloc::vec::Vec<i64>,
    /// Their sum.
    #[prost(int64, tag = "2")]
    pub total: i64,
}
/// What WORD_PIECE does to a text first, as the settings of `BertNormalizer`, and which words it takes apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WordPieceOptions {
    /// Make all letters small; unset means true.
    #[prost(bool, optional, tag = "1")]
    pub lowercase: ::core::option::Option<bool>,
    /// Take the accents off letters; unset means as `lowercase`.
    #[prost(bool, optional, tag = "2")]
    pub strip_accents: ::core::option::Option<bool>,
    /// Longer words, in characters, are `\[UNK\]`; at most 256, 0 means 100.
    #[prost(int32, tag = "3")]
    pub max_input_chars_per_word: i32,
}
/// Request of TrainTokenizer.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainTokenizerRequest {
    /// The alias to point at the result: `tokenizers/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The text to learn from: alias or digest of a data set.
    #[prost(string, tag = "2")]
    pub dataset: ::prost::alloc::string::String,
    /// Number of token ids, special tokens and the 256 bytes (BPE) or all characters of the text (the other kinds) included; at most 262144.
    #[prost(int32, tag = "3")]
    pub vocab_size: i32,
    /// A pair must occur this often to be merged; 0 means 2. Not for UNIGRAM.
    #[prost(int32, tag = "4")]
    pub min_frequency: i32,
    /// Special tokens beside `<|endoftext|>`, which is always there as beginning, end and padding; at most 256. UNIGRAM has `<unk>` besides;
    /// WORD_PIECE has `\[PAD\]`, `\[UNK\]`, `\[CLS\]`, `\[SEP\]` and `\[MASK\]` in place of `<|endoftext|>`. Three are BERT's: with
    /// `\[CLS\]` and `\[SEP\]` both there, they stand around each text that is encoded with special tokens; `\[MASK\]` is the mask of masked
    /// language modelling.
    #[prost(string, repeated, tag = "5")]
    pub special_tokens: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// A chat template (Jinja) to store with the tokenizer; may be empty.
    #[prost(string, tag = "6")]
    pub chat_template: ::prost::alloc::string::String,
    /// The longest token, in bytes; 0 sets no limit. Text without spaces, such as Chinese, makes whole clauses tokens
    /// where there is none. For BPE alone.
    #[prost(int32, tag = "7")]
    pub max_token_length: i32,
    /// The kind of tokenizer.
    #[prost(enumeration = "TokenizerModel", tag = "8")]
    pub model: i32,
    /// For WORD_PIECE alone.
    #[prost(message, optional, tag = "9")]
    pub word_piece: ::core::option::Option<WordPieceOptions>,
}
/// Response of TrainTokenizer.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TrainTokenizerResponse {
    /// The new tokenizer.
    #[prost(message, optional, tag = "1")]
    pub tokenizer: ::core::option::Option<Tokenizer>,
}
/// Request of GetTokenizer.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetTokenizerRequest {
    /// Which tokenizer.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of GetTokenizer.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetTokenizerResponse {
    /// The tokenizer.
    #[prost(message, optional, tag = "1")]
    pub tokenizer: ::core::option::Option<Tokenizer>,
}
/// Request of ListTokenizers.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListTokenizersRequest {
    /// How many to return.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListTokenizers.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTokenizersResponse {
    /// The tokenizers, by name.
    #[prost(message, repeated, tag = "1")]
    pub tokenizers: ::prost::alloc::vec::Vec<Tokenizer>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Kinds of tokenizer, by their names in Hugging Face `tokenizers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TokenizerModel {
    /// BPE.
    Unspecified = 0,
    /// Byte-level byte-pair encoding (GPT-2): any text can be encoded and comes back the same.
    Bpe = 1,
    /// BERT's: words are split at spaces and punctuation, and a piece that goes on a word is marked with `##`. A word with a character that
    /// was not in the text is `\[UNK\]`.
    WordPiece = 2,
    /// SentencePiece's: NFKC, then the likeliest pieces, with `▁` for the space before a word. A character that was not in the text is `<unk>`.
    /// Training runs on one thread, so that the same text gives the same tokenizer.
    Unigram = 3,
}
impl TokenizerModel {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TOKENIZER_MODEL_UNSPECIFIED",
            Self::Bpe => "TOKENIZER_MODEL_BPE",
            Self::WordPiece => "TOKENIZER_MODEL_WORD_PIECE",
            Self::Unigram => "TOKENIZER_MODEL_UNIGRAM",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TOKENIZER_MODEL_UNSPECIFIED" => Some(Self::Unspecified),
            "TOKENIZER_MODEL_BPE" => Some(Self::Bpe),
            "TOKENIZER_MODEL_WORD_PIECE" => Some(Self::WordPiece),
            "TOKENIZER_MODEL_UNIGRAM" => Some(Self::Unigram),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod tokenization_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Encodes and decodes with tokenizers from the store. `tokenizer` in every request is an alias `tokenizers/{id}`, the
    /// alias of a base model (its own tokenizer then), or the digest of an artifact of either kind.
    #[derive(Debug, Clone)]
    pub struct TokenizationServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl TokenizationServiceClient<tonic::transport::Channel> {
        /// Attempt to create a new client by connecting to a given endpoint.
        pub async fn connect<D>(dst: D) -> Result<Self, tonic::transport::Error>
        where
            D: TryInto<tonic::transport::Endpoint>,
            D::Error: Into<StdError>,
        {
            let conn = tonic::transport::Endpoint::new(dst)?.connect().await?;
            Ok(Self::new(conn))
        }
    }
    impl<T> TokenizationServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> TokenizationServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<
                    <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                >,
            >,
            <T as tonic::codegen::Service<
                http::Request<tonic::body::Body>,
            >>::Error: Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            TokenizationServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Encodes a batch of texts. Errors: INVALID_FIELD, NOT_FOUND, INVALID_FILE, OVERLOADED (more than 64 MiB in texts above 64 KiB
        /// wait to be encoded; RetryInfo says how long these should take).
        pub async fn encode(
            &mut self,
            request: impl tonic::IntoRequest<super::EncodeRequest>,
        ) -> std::result::Result<tonic::Response<super::EncodeResponse>, tonic::Status> {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/Encode",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "Encode",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Decodes a batch of id sequences. Errors: INVALID_FIELD (an id outside the vocabulary), NOT_FOUND.
        pub async fn decode(
            &mut self,
            request: impl tonic::IntoRequest<super::DecodeRequest>,
        ) -> std::result::Result<tonic::Response<super::DecodeResponse>, tonic::Status> {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/Decode",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "Decode",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Encodes any amount of text in order and in bounded memory: one response for each request.
        /// Errors: as Encode, but for OVERLOADED: it waits.
        pub async fn encode_stream(
            &mut self,
            request: impl tonic::IntoStreamingRequest<
                Message = super::EncodeStreamRequest,
            >,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::EncodeStreamResponse>>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/EncodeStream",
            );
            let mut req = request.into_streaming_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "EncodeStream",
                    ),
                );
            self.inner.streaming(req, path, codec).await
        }
        /// Renders chat messages with the tokenizer's chat template, within fuel and output limits.
        /// Errors: INVALID_FIELD (also when the template refuses the messages), NOT_FOUND, OVERLOADED.
        pub async fn render_chat(
            &mut self,
            request: impl tonic::IntoRequest<super::RenderChatRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RenderChatResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/RenderChat",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "RenderChat",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Counts tokens without returning them. Errors: as Encode.
        pub async fn count_tokens(
            &mut self,
            request: impl tonic::IntoRequest<super::CountTokensRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CountTokensResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/CountTokens",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "CountTokens",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Trains a tokenizer on a data set, stores it and points the alias at it.
        /// Errors: INVALID_FIELD, NOT_FOUND, INVALID_ROW, ALIAS_MOVED.
        pub async fn train_tokenizer(
            &mut self,
            request: impl tonic::IntoRequest<super::TrainTokenizerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::TrainTokenizerResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/TrainTokenizer",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "TrainTokenizer",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Describes one tokenizer. Errors: INVALID_FIELD, NOT_FOUND, INVALID_FILE.
        pub async fn get_tokenizer(
            &mut self,
            request: impl tonic::IntoRequest<super::GetTokenizerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetTokenizerResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/GetTokenizer",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "GetTokenizer",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists the tokenizers in the store by name. Errors: INVALID_FIELD.
        pub async fn list_tokenizers(
            &mut self,
            request: impl tonic::IntoRequest<super::ListTokenizersRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListTokenizersResponse>,
            tonic::Status,
        > {
            self.inner
                .ready()
                .await
                .map_err(|e| {
                    tonic::Status::unknown(
                        format!("Service was not ready: {}", e.into()),
                    )
                })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/rootstock.tokenization.v1.TokenizationService/ListTokenizers",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.tokenization.v1.TokenizationService",
                        "ListTokenizers",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod tokenization_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with TokenizationServiceServer.
    #[async_trait]
    pub trait TokenizationService: std::marker::Send + std::marker::Sync + 'static {
        /// Encodes a batch of texts. Errors: INVALID_FIELD, NOT_FOUND, INVALID_FILE, OVERLOADED (more than 64 MiB in texts above 64 KiB
        /// wait to be encoded; RetryInfo says how long these should take).
        async fn encode(
            &self,
            request: tonic::Request<super::EncodeRequest>,
        ) -> std::result::Result<tonic::Response<super::EncodeResponse>, tonic::Status>;
        /// Decodes a batch of id sequences. Errors: INVALID_FIELD (an id outside the vocabulary), NOT_FOUND.
        async fn decode(
            &self,
            request: tonic::Request<super::DecodeRequest>,
        ) -> std::result::Result<tonic::Response<super::DecodeResponse>, tonic::Status>;
        /// Server streaming response type for the EncodeStream method.
        type EncodeStreamStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::EncodeStreamResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Encodes any amount of text in order and in bounded memory: one response for each request.
        /// Errors: as Encode, but for OVERLOADED: it waits.
        async fn encode_stream(
            &self,
            request: tonic::Request<tonic::Streaming<super::EncodeStreamRequest>>,
        ) -> std::result::Result<
            tonic::Response<Self::EncodeStreamStream>,
            tonic::Status,
        >;
        /// Renders chat messages with the tokenizer's chat template, within fuel and output limits.
        /// Errors: INVALID_FIELD (also when the template refuses the messages), NOT_FOUND, OVERLOADED.
        async fn render_chat(
            &self,
            request: tonic::Request<super::RenderChatRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RenderChatResponse>,
            tonic::Status,
        >;
        /// Counts tokens without returning them. Errors: as Encode.
        async fn count_tokens(
            &self,
            request: tonic::Request<super::CountTokensRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CountTokensResponse>,
            tonic::Status,
        >;
        /// Trains a tokenizer on a data set, stores it and points the alias at it.
        /// Errors: INVALID_FIELD, NOT_FOUND, INVALID_ROW, ALIAS_MOVED.
        async fn train_tokenizer(
            &self,
            request: tonic::Request<super::TrainTokenizerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::TrainTokenizerResponse>,
            tonic::Status,
        >;
        /// Describes one tokenizer. Errors: INVALID_FIELD, NOT_FOUND, INVALID_FILE.
        async fn get_tokenizer(
            &self,
            request: tonic::Request<super::GetTokenizerRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetTokenizerResponse>,
            tonic::Status,
        >;
        /// Lists the tokenizers in the store by name. Errors: INVALID_FIELD.
        async fn list_tokenizers(
            &self,
            request: tonic::Request<super::ListTokenizersRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListTokenizersResponse>,
            tonic::Status,
        >;
    }
    /// Encodes and decodes with tokenizers from the store. `tokenizer` in every request is an alias `tokenizers/{id}`, the
    /// alias of a base model (its own tokenizer then), or the digest of an artifact of either kind.
    #[derive(Debug)]
    pub struct TokenizationServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> TokenizationServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for TokenizationServiceServer<T>
    where
        T: TokenizationService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/rootstock.tokenization.v1.TokenizationService/Encode" => {
                    #[allow(non_camel_case_types)]
                    struct EncodeSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::EncodeRequest>
                    for EncodeSvc<T> {
                        type Response = super::EncodeResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::EncodeRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::encode(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = EncodeSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/Decode" => {
                    #[allow(non_camel_case_types)]
                    struct DecodeSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::DecodeRequest>
                    for DecodeSvc<T> {
                        type Response = super::DecodeResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DecodeRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::decode(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = DecodeSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/EncodeStream" => {
                    #[allow(non_camel_case_types)]
                    struct EncodeStreamSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::StreamingService<super::EncodeStreamRequest>
                    for EncodeStreamSvc<T> {
                        type Response = super::EncodeStreamResponse;
                        type ResponseStream = T::EncodeStreamStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<
                                tonic::Streaming<super::EncodeStreamRequest>,
                            >,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::encode_stream(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = EncodeStreamSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/RenderChat" => {
                    #[allow(non_camel_case_types)]
                    struct RenderChatSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::RenderChatRequest>
                    for RenderChatSvc<T> {
                        type Response = super::RenderChatResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::RenderChatRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::render_chat(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = RenderChatSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/CountTokens" => {
                    #[allow(non_camel_case_types)]
                    struct CountTokensSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::CountTokensRequest>
                    for CountTokensSvc<T> {
                        type Response = super::CountTokensResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CountTokensRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::count_tokens(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = CountTokensSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/TrainTokenizer" => {
                    #[allow(non_camel_case_types)]
                    struct TrainTokenizerSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::TrainTokenizerRequest>
                    for TrainTokenizerSvc<T> {
                        type Response = super::TrainTokenizerResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::TrainTokenizerRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::train_tokenizer(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = TrainTokenizerSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/GetTokenizer" => {
                    #[allow(non_camel_case_types)]
                    struct GetTokenizerSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::GetTokenizerRequest>
                    for GetTokenizerSvc<T> {
                        type Response = super::GetTokenizerResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetTokenizerRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::get_tokenizer(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetTokenizerSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.tokenization.v1.TokenizationService/ListTokenizers" => {
                    #[allow(non_camel_case_types)]
                    struct ListTokenizersSvc<T: TokenizationService>(pub Arc<T>);
                    impl<
                        T: TokenizationService,
                    > tonic::server::UnaryService<super::ListTokenizersRequest>
                    for ListTokenizersSvc<T> {
                        type Response = super::ListTokenizersResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListTokenizersRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as TokenizationService>::list_tokenizers(&inner, request)
                                    .await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListTokenizersSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => {
                    Box::pin(async move {
                        let mut response = http::Response::new(
                            tonic::body::Body::default(),
                        );
                        let headers = response.headers_mut();
                        headers
                            .insert(
                                tonic::Status::GRPC_STATUS,
                                (tonic::Code::Unimplemented as i32).into(),
                            );
                        headers
                            .insert(
                                http::header::CONTENT_TYPE,
                                tonic::metadata::GRPC_CONTENT_TYPE,
                            );
                        Ok(response)
                    })
                }
            }
        }
    }
    impl<T> Clone for TokenizationServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "rootstock.tokenization.v1.TokenizationService";
    impl<T> tonic::server::NamedService for TokenizationServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
