// @generated from the protobuf sources of this crate; see tests/generated.rs.
/// One file of an artifact.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BlobEntry {
    /// The file's name, relative, of the form `\[A-Za-z0-9._-\]+`.
    #[prost(string, tag = "1")]
    pub path: ::prost::alloc::string::String,
    /// The digest of its bytes.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// Its size in bytes.
    #[prost(int64, tag = "3")]
    pub size_bytes: i64,
}
/// An immutable set of files, named by the digest of its manifest.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Artifact {
    /// Digest of the manifest: kind, files, base, tokenizer and annotations. Set by the server.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// What it is.
    #[prost(enumeration = "ArtifactKind", tag = "2")]
    pub kind: i32,
    /// The alias that this is a version of, such as `adapters/greeter`; it need not point here.
    #[prost(string, tag = "3")]
    pub parent: ::prost::alloc::string::String,
    /// The files, ordered by path.
    #[prost(message, repeated, tag = "4")]
    pub blobs: ::prost::alloc::vec::Vec<BlobEntry>,
    /// For an adapter, a training state, an evaluation or Fisher information: the digest of the base model artifact it belongs to.
    #[prost(string, tag = "5")]
    pub base_digest: ::prost::alloc::string::String,
    /// The digest of tokenizer, chat template and special tokens together, as TokenizationService reports it.
    #[prost(string, tag = "6")]
    pub tokenizer_digest: ::prost::alloc::string::String,
    /// Free text for people and tools: at most 64 entries, keys up to 128 bytes, values up to 4096.
    #[prost(map = "string, string", tag = "7")]
    pub annotations: ::std::collections::HashMap<
        ::prost::alloc::string::String,
        ::prost::alloc::string::String,
    >,
    /// Size of all files together. Set by the server.
    #[prost(int64, tag = "8")]
    pub size_bytes: i64,
    /// When it was first committed. Set by the server.
    #[prost(message, optional, tag = "9")]
    pub create_time: ::core::option::Option<::prost_types::Timestamp>,
}
/// The record behind a name that moves.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Alias {
    /// `adapters/{id}`, `baseModels/{id}`, `tokenizers/{id}`, `datasets/{id}` or `fishers/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The artifact it points at.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// Counts the moves: 1 at the first SetAlias, one more at each.
    #[prost(int64, tag = "3")]
    pub generation: i64,
    /// Opaque; changes with every move.
    #[prost(string, tag = "4")]
    pub etag: ::prost::alloc::string::String,
    /// When it last moved.
    #[prost(message, optional, tag = "5")]
    pub update_time: ::core::option::Option<::prost_types::Timestamp>,
    /// The last 16 moves to another version, newest first: the first one set the present version. Moves that only pin, try a
    /// canary or retire are not among them.
    #[prost(message, repeated, tag = "6")]
    pub history: ::prost::alloc::vec::Vec<AliasRevision>,
    /// Digest of the base model, for an adapter.
    #[prost(string, tag = "7")]
    pub base_digest: ::prost::alloc::string::String,
    /// A second version that a share of the requests get.
    #[prost(message, optional, tag = "8")]
    pub canary: ::core::option::Option<Canary>,
    /// Whether servers keep the version in memory.
    #[prost(bool, tag = "9")]
    pub pinned: bool,
    /// What requests do that were under way when the alias came to this generation.
    #[prost(enumeration = "super::super::common::v1::RunningRequests", tag = "10")]
    pub running_requests: i32,
    /// Whether it is out of service; `digest` is then what it pointed at last.
    #[prost(bool, tag = "11")]
    pub retired: bool,
}
/// A version that is tried beside the one that an alias points at.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Canary {
    /// The artifact: of the collection's kind, and for an adapter with the same base model.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// The share of the requests that get it, in (0, 1).
    #[prost(double, tag = "2")]
    pub share: f64,
}
/// One move of an alias.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct AliasRevision {
    /// The generation that the move made.
    #[prost(int64, tag = "1")]
    pub generation: i64,
    /// What the alias pointed at from then on.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// When.
    #[prost(message, optional, tag = "3")]
    pub set_time: ::core::option::Option<::prost_types::Timestamp>,
}
/// Request of FindMissingBlobs.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FindMissingBlobsRequest {
    /// The blobs in question; at most 1000.
    #[prost(string, repeated, tag = "1")]
    pub digests: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Response of FindMissingBlobs.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FindMissingBlobsResponse {
    /// Those that the store doesn't have, in the order asked.
    #[prost(string, repeated, tag = "1")]
    pub missing_digests: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Request of WriteBlob: one chunk.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WriteBlobRequest {
    /// Digest of the whole blob.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// Size of the whole blob.
    #[prost(int64, tag = "2")]
    pub total_bytes: i64,
    /// Where this chunk starts.
    #[prost(int64, tag = "3")]
    pub offset: i64,
    /// The bytes; at most 1 MiB.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: ::prost::bytes::Bytes,
}
/// Response of WriteBlob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WriteBlobResponse {
    /// How many bytes are durable.
    #[prost(int64, tag = "1")]
    pub committed_bytes: i64,
    /// Whether the blob is whole and verified.
    #[prost(bool, tag = "2")]
    pub complete: bool,
}
/// One chunk of UploadBlob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UploadBlobRequest {
    /// Digest of the whole blob; the first message must have it.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// Size of the whole blob; the first message must have it.
    #[prost(int64, tag = "2")]
    pub total_bytes: i64,
    /// Where this chunk starts.
    #[prost(int64, tag = "3")]
    pub offset: i64,
    /// The bytes; at most 1 MiB.
    #[prost(bytes = "bytes", tag = "4")]
    pub data: ::prost::bytes::Bytes,
}
/// Response of UploadBlob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UploadBlobResponse {
    /// How many bytes are durable.
    #[prost(int64, tag = "1")]
    pub committed_bytes: i64,
    /// Whether the blob is whole and verified.
    #[prost(bool, tag = "2")]
    pub complete: bool,
}
/// Request of QueryWriteStatus.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct QueryWriteStatusRequest {
    /// Digest of the blob.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
}
/// Response of QueryWriteStatus.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct QueryWriteStatusResponse {
    /// How many bytes are durable; 0 where nothing was sent.
    #[prost(int64, tag = "1")]
    pub committed_bytes: i64,
    /// Whether the blob is whole and verified.
    #[prost(bool, tag = "2")]
    pub complete: bool,
}
/// Request of ReadBlob.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ReadBlobRequest {
    /// Digest of the blob.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// First byte to send.
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// How many bytes to send; 0 sends the rest.
    #[prost(int64, tag = "3")]
    pub limit: i64,
}
/// One chunk of ReadBlob, at most 1 MiB.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ReadBlobResponse {
    /// Where this chunk starts in the blob.
    #[prost(int64, tag = "1")]
    pub offset: i64,
    /// The bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: ::prost::bytes::Bytes,
}
/// Request of CommitArtifact.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitArtifactRequest {
    /// The artifact; digest, size and time are the server's to set.
    #[prost(message, optional, tag = "1")]
    pub artifact: ::core::option::Option<Artifact>,
    /// Checks everything and stores nothing.
    #[prost(bool, tag = "2")]
    pub validate_only: bool,
}
/// Response of CommitArtifact.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitArtifactResponse {
    /// The artifact as stored.
    #[prost(message, optional, tag = "1")]
    pub artifact: ::core::option::Option<Artifact>,
}
/// Request of GetArtifact.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetArtifactRequest {
    /// A digest, an alias such as `adapters/greeter`, or a version such as `adapters/greeter/versions/sha256:…`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of GetArtifact.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetArtifactResponse {
    /// The artifact.
    #[prost(message, optional, tag = "1")]
    pub artifact: ::core::option::Option<Artifact>,
}
/// Request of ListArtifacts.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListArtifactsRequest {
    /// Only versions of this alias; empty for all.
    #[prost(string, tag = "1")]
    pub parent: ::prost::alloc::string::String,
    /// Only this kind; unspecified for all.
    #[prost(enumeration = "ArtifactKind", tag = "2")]
    pub kind: i32,
    /// How many to return.
    #[prost(int32, tag = "3")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "4")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListArtifacts.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListArtifactsResponse {
    /// The artifacts, newest first.
    #[prost(message, repeated, tag = "1")]
    pub artifacts: ::prost::alloc::vec::Vec<Artifact>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Request of DeleteArtifact.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteArtifactRequest {
    /// Digest of the artifact.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
}
/// Response of DeleteArtifact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteArtifactResponse {
    /// Bytes freed, by blobs that nothing else needs.
    #[prost(int64, tag = "1")]
    pub freed_bytes: i64,
}
/// Request of VerifyArtifact.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct VerifyArtifactRequest {
    /// Digest of the artifact.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
}
/// Response of VerifyArtifact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct VerifyArtifactResponse {
    /// Bytes read and found right.
    #[prost(int64, tag = "1")]
    pub verified_bytes: i64,
}
/// Request of SetAlias.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetAliasRequest {
    /// The alias.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The artifact it shall point at; its kind must be that of the collection.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// Move only if the alias has this etag; empty: only if the alias doesn't exist or is retired, unless `force`.
    #[prost(string, tag = "3")]
    pub etag: ::prost::alloc::string::String,
    /// Move whatever the alias is now; `etag` must then be empty.
    #[prost(bool, tag = "4")]
    pub force: bool,
    /// A second version for a share of the requests; unset ends the one there is.
    #[prost(message, optional, tag = "5")]
    pub canary: ::core::option::Option<Canary>,
    /// Whether servers keep the version in memory; unset leaves it as it is.
    #[prost(bool, optional, tag = "6")]
    pub pinned: ::core::option::Option<bool>,
    /// What requests do that are under way.
    #[prost(enumeration = "super::super::common::v1::RunningRequests", tag = "7")]
    pub running_requests: i32,
}
/// Response of SetAlias.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetAliasResponse {
    /// The alias as it now is.
    #[prost(message, optional, tag = "1")]
    pub alias: ::core::option::Option<Alias>,
}
/// Request of RetireAlias.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RetireAliasRequest {
    /// The alias.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Retire only if the alias has this etag; empty: whatever it is now.
    #[prost(string, tag = "2")]
    pub etag: ::prost::alloc::string::String,
}
/// Response of RetireAlias.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RetireAliasResponse {
    /// The alias as it now is.
    #[prost(message, optional, tag = "1")]
    pub alias: ::core::option::Option<Alias>,
}
/// Request of GetAlias.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetAliasRequest {
    /// The alias.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of GetAlias.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAliasResponse {
    /// The record.
    #[prost(message, optional, tag = "1")]
    pub alias: ::core::option::Option<Alias>,
}
/// Request of ListAliases.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListAliasesRequest {
    /// Only names below this collection, such as `adapters/`; empty for all.
    #[prost(string, tag = "1")]
    pub prefix: ::prost::alloc::string::String,
    /// How many to return.
    #[prost(int32, tag = "2")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "3")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListAliases.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListAliasesResponse {
    /// The records, by name.
    #[prost(message, repeated, tag = "1")]
    pub aliases: ::prost::alloc::vec::Vec<Alias>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Request of WatchAliases.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WatchAliasesRequest {
    /// Only names below this collection, such as `adapters/`; empty for all.
    #[prost(string, tag = "1")]
    pub prefix: ::prost::alloc::string::String,
    /// Go on after this event; 0 begins with the present records.
    #[prost(int64, tag = "2")]
    pub after_event_id: i64,
}
/// One record or move of WatchAliases.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchAliasesResponse {
    /// Rises with every move in the store; resume with the last one seen.
    #[prost(int64, tag = "1")]
    pub event_id: i64,
    /// The alias after the move, or as it was retired. Not set in the message that ends the present records.
    #[prost(message, optional, tag = "2")]
    pub alias: ::core::option::Option<Alias>,
    /// Set on the one message that ends the present records: from here on the caller is up to date.
    #[prost(bool, tag = "3")]
    pub synced: bool,
}
/// What an artifact is; it decides which files must be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ArtifactKind {
    /// Not used.
    Unspecified = 0,
    /// A Hugging Face model directory: config.json, safetensors (sharded or not), tokenizer files. Collection `baseModels`.
    BaseModel = 1,
    /// An adapter's directory: adapter_config.json with adapter_model.safetensors (PEFT), or with adapter.safetensors (bottlenecks, as the
    /// adapters library writes them). Collection `adapters`.
    Adapter = 2,
    /// What a training job needs to go on: trainer_state.json and safetensors. Collection `trainingStates`.
    TrainingState = 3,
    /// tokenizer.json and tokenizer_config.json. Collection `tokenizers`.
    Tokenizer = 4,
    /// Rows or text: \*.jsonl, \*.ndjson, \*.json, \*.csv, \*.parquet or \*.txt, in small letters or capitals. Collection `datasets`.
    Dataset = 5,
    /// The per-item evidence of an evaluation: evaluation.json. Collection `evaluations`.
    Evaluation = 6,
    /// The diagonal of a base model's Fisher information on a data set: fisher.safetensors, with numbers for its weights. Collection
    /// `fishers`.
    Fisher = 7,
}
impl ArtifactKind {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ARTIFACT_KIND_UNSPECIFIED",
            Self::BaseModel => "ARTIFACT_KIND_BASE_MODEL",
            Self::Adapter => "ARTIFACT_KIND_ADAPTER",
            Self::TrainingState => "ARTIFACT_KIND_TRAINING_STATE",
            Self::Tokenizer => "ARTIFACT_KIND_TOKENIZER",
            Self::Dataset => "ARTIFACT_KIND_DATASET",
            Self::Evaluation => "ARTIFACT_KIND_EVALUATION",
            Self::Fisher => "ARTIFACT_KIND_FISHER",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ARTIFACT_KIND_UNSPECIFIED" => Some(Self::Unspecified),
            "ARTIFACT_KIND_BASE_MODEL" => Some(Self::BaseModel),
            "ARTIFACT_KIND_ADAPTER" => Some(Self::Adapter),
            "ARTIFACT_KIND_TRAINING_STATE" => Some(Self::TrainingState),
            "ARTIFACT_KIND_TOKENIZER" => Some(Self::Tokenizer),
            "ARTIFACT_KIND_DATASET" => Some(Self::Dataset),
            "ARTIFACT_KIND_EVALUATION" => Some(Self::Evaluation),
            "ARTIFACT_KIND_FISHER" => Some(Self::Fisher),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod checkpoint_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Stores immutable artifacts by digest and moves the names that point at them.
    ///
    /// An artifact is uploaded in three steps: FindMissingBlobs tells what to send, WriteBlob or UploadBlob sends it,
    /// CommitArtifact makes the artifact visible at once or not at all.
    #[derive(Debug, Clone)]
    pub struct CheckpointServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl CheckpointServiceClient<tonic::transport::Channel> {
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
    impl<T> CheckpointServiceClient<T>
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
        ) -> CheckpointServiceClient<InterceptedService<T, F>>
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
            CheckpointServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Tells which of the given blobs the store doesn't have. Errors: INVALID_FIELD.
        pub async fn find_missing_blobs(
            &mut self,
            request: impl tonic::IntoRequest<super::FindMissingBlobsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::FindMissingBlobsResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/FindMissingBlobs",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "FindMissingBlobs",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Appends one chunk to an upload; sending a chunk again is harmless. The last chunk verifies the digest.
        /// Errors: INVALID_FIELD, WRONG_OFFSET, DIGEST_MISMATCH, STORE_FULL, OVERLOADED.
        pub async fn write_blob(
            &mut self,
            request: impl tonic::IntoRequest<super::WriteBlobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::WriteBlobResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/WriteBlob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "WriteBlob",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// The same as a stream, for speed: chunks of one blob, in order, from the offset QueryWriteStatus tells.
        /// Errors: as WriteBlob.
        pub async fn upload_blob(
            &mut self,
            request: impl tonic::IntoStreamingRequest<Message = super::UploadBlobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::UploadBlobResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/UploadBlob",
            );
            let mut req = request.into_streaming_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "UploadBlob",
                    ),
                );
            self.inner.client_streaming(req, path, codec).await
        }
        /// Tells how many bytes of an upload are durable, and whether the blob is complete. Errors: INVALID_FIELD.
        pub async fn query_write_status(
            &mut self,
            request: impl tonic::IntoRequest<super::QueryWriteStatusRequest>,
        ) -> std::result::Result<
            tonic::Response<super::QueryWriteStatusResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/QueryWriteStatus",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "QueryWriteStatus",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Streams a blob, or a part of it. Errors: INVALID_FIELD, NOT_FOUND, CORRUPT.
        pub async fn read_blob(
            &mut self,
            request: impl tonic::IntoRequest<super::ReadBlobRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::ReadBlobResponse>>,
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
                "/rootstock.checkpoint.v1.CheckpointService/ReadBlob",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "ReadBlob",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
        /// Checks the files for the artifact's kind and makes it visible, whole. Committing the same content again returns
        /// the artifact that is there. Errors: INVALID_FIELD, BLOB_MISSING, INVALID_FILE, PICKLE_REFUSED,
        /// UNKNOWN_ARCHITECTURE, TENSOR_MISMATCH, BASE_MISMATCH, TOKENIZER_MISMATCH, INVALID_ROW, NOT_FOUND.
        pub async fn commit_artifact(
            &mut self,
            request: impl tonic::IntoRequest<super::CommitArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CommitArtifactResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/CommitArtifact",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "CommitArtifact",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Returns one artifact by digest or by alias. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn get_artifact(
            &mut self,
            request: impl tonic::IntoRequest<super::GetArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetArtifactResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/GetArtifact",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "GetArtifact",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists artifacts, newest first: those of a parent by their last commit under it. Errors: INVALID_FIELD.
        pub async fn list_artifacts(
            &mut self,
            request: impl tonic::IntoRequest<super::ListArtifactsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListArtifactsResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/ListArtifacts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "ListArtifacts",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Deletes an artifact that no alias names and that is no other one's base, and the blobs that nothing else needs.
        /// Jobs and evaluations don't keep what they name: one that waits fails when it finds it gone.
        /// Errors: INVALID_FIELD, NOT_FOUND, IN_USE.
        pub async fn delete_artifact(
            &mut self,
            request: impl tonic::IntoRequest<super::DeleteArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::DeleteArtifactResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/DeleteArtifact",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "DeleteArtifact",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Reads every byte of an artifact again and compares it with its digest. Errors: INVALID_FIELD, NOT_FOUND, CORRUPT.
        pub async fn verify_artifact(
            &mut self,
            request: impl tonic::IntoRequest<super::VerifyArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::VerifyArtifactResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/VerifyArtifact",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "VerifyArtifact",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Moves an alias by compare-and-swap; its generation goes up by one. Errors: INVALID_FIELD, NOT_FOUND (the
        /// artifact), ALIAS_MOVED.
        pub async fn set_alias(
            &mut self,
            request: impl tonic::IntoRequest<super::SetAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::SetAliasResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/SetAlias",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "SetAlias",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Takes an alias out of service by compare-and-swap: it names nothing any more, GetAlias and ListAliases don't find it, and
        /// its generation goes up by one. Its canary and its pin end. SetAlias brings it back with its history, and goes on counting.
        /// Errors: INVALID_FIELD, NOT_FOUND, ALIAS_MOVED.
        pub async fn retire_alias(
            &mut self,
            request: impl tonic::IntoRequest<super::RetireAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RetireAliasResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/RetireAlias",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "RetireAlias",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Returns an alias record with its recent history. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn get_alias(
            &mut self,
            request: impl tonic::IntoRequest<super::GetAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetAliasResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/GetAlias",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "GetAlias",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists alias records by name. Errors: INVALID_FIELD.
        pub async fn list_aliases(
            &mut self,
            request: impl tonic::IntoRequest<super::ListAliasesRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListAliasesResponse>,
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
                "/rootstock.checkpoint.v1.CheckpointService/ListAliases",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "ListAliases",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// First streams every alias below a prefix as it stands, retired ones included, then each move as it happens. With
        /// `after_event_id` it streams the moves since, without loss. Errors: INVALID_FIELD.
        pub async fn watch_aliases(
            &mut self,
            request: impl tonic::IntoRequest<super::WatchAliasesRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::WatchAliasesResponse>>,
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
                "/rootstock.checkpoint.v1.CheckpointService/WatchAliases",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.checkpoint.v1.CheckpointService",
                        "WatchAliases",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod checkpoint_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with CheckpointServiceServer.
    #[async_trait]
    pub trait CheckpointService: std::marker::Send + std::marker::Sync + 'static {
        /// Tells which of the given blobs the store doesn't have. Errors: INVALID_FIELD.
        async fn find_missing_blobs(
            &self,
            request: tonic::Request<super::FindMissingBlobsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::FindMissingBlobsResponse>,
            tonic::Status,
        >;
        /// Appends one chunk to an upload; sending a chunk again is harmless. The last chunk verifies the digest.
        /// Errors: INVALID_FIELD, WRONG_OFFSET, DIGEST_MISMATCH, STORE_FULL, OVERLOADED.
        async fn write_blob(
            &self,
            request: tonic::Request<super::WriteBlobRequest>,
        ) -> std::result::Result<
            tonic::Response<super::WriteBlobResponse>,
            tonic::Status,
        >;
        /// The same as a stream, for speed: chunks of one blob, in order, from the offset QueryWriteStatus tells.
        /// Errors: as WriteBlob.
        async fn upload_blob(
            &self,
            request: tonic::Request<tonic::Streaming<super::UploadBlobRequest>>,
        ) -> std::result::Result<
            tonic::Response<super::UploadBlobResponse>,
            tonic::Status,
        >;
        /// Tells how many bytes of an upload are durable, and whether the blob is complete. Errors: INVALID_FIELD.
        async fn query_write_status(
            &self,
            request: tonic::Request<super::QueryWriteStatusRequest>,
        ) -> std::result::Result<
            tonic::Response<super::QueryWriteStatusResponse>,
            tonic::Status,
        >;
        /// Server streaming response type for the ReadBlob method.
        type ReadBlobStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::ReadBlobResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Streams a blob, or a part of it. Errors: INVALID_FIELD, NOT_FOUND, CORRUPT.
        async fn read_blob(
            &self,
            request: tonic::Request<super::ReadBlobRequest>,
        ) -> std::result::Result<tonic::Response<Self::ReadBlobStream>, tonic::Status>;
        /// Checks the files for the artifact's kind and makes it visible, whole. Committing the same content again returns
        /// the artifact that is there. Errors: INVALID_FIELD, BLOB_MISSING, INVALID_FILE, PICKLE_REFUSED,
        /// UNKNOWN_ARCHITECTURE, TENSOR_MISMATCH, BASE_MISMATCH, TOKENIZER_MISMATCH, INVALID_ROW, NOT_FOUND.
        async fn commit_artifact(
            &self,
            request: tonic::Request<super::CommitArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CommitArtifactResponse>,
            tonic::Status,
        >;
        /// Returns one artifact by digest or by alias. Errors: INVALID_FIELD, NOT_FOUND.
        async fn get_artifact(
            &self,
            request: tonic::Request<super::GetArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetArtifactResponse>,
            tonic::Status,
        >;
        /// Lists artifacts, newest first: those of a parent by their last commit under it. Errors: INVALID_FIELD.
        async fn list_artifacts(
            &self,
            request: tonic::Request<super::ListArtifactsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListArtifactsResponse>,
            tonic::Status,
        >;
        /// Deletes an artifact that no alias names and that is no other one's base, and the blobs that nothing else needs.
        /// Jobs and evaluations don't keep what they name: one that waits fails when it finds it gone.
        /// Errors: INVALID_FIELD, NOT_FOUND, IN_USE.
        async fn delete_artifact(
            &self,
            request: tonic::Request<super::DeleteArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::DeleteArtifactResponse>,
            tonic::Status,
        >;
        /// Reads every byte of an artifact again and compares it with its digest. Errors: INVALID_FIELD, NOT_FOUND, CORRUPT.
        async fn verify_artifact(
            &self,
            request: tonic::Request<super::VerifyArtifactRequest>,
        ) -> std::result::Result<
            tonic::Response<super::VerifyArtifactResponse>,
            tonic::Status,
        >;
        /// Moves an alias by compare-and-swap; its generation goes up by one. Errors: INVALID_FIELD, NOT_FOUND (the
        /// artifact), ALIAS_MOVED.
        async fn set_alias(
            &self,
            request: tonic::Request<super::SetAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::SetAliasResponse>,
            tonic::Status,
        >;
        /// Takes an alias out of service by compare-and-swap: it names nothing any more, GetAlias and ListAliases don't find it, and
        /// its generation goes up by one. Its canary and its pin end. SetAlias brings it back with its history, and goes on counting.
        /// Errors: INVALID_FIELD, NOT_FOUND, ALIAS_MOVED.
        async fn retire_alias(
            &self,
            request: tonic::Request<super::RetireAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RetireAliasResponse>,
            tonic::Status,
        >;
        /// Returns an alias record with its recent history. Errors: INVALID_FIELD, NOT_FOUND.
        async fn get_alias(
            &self,
            request: tonic::Request<super::GetAliasRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetAliasResponse>,
            tonic::Status,
        >;
        /// Lists alias records by name. Errors: INVALID_FIELD.
        async fn list_aliases(
            &self,
            request: tonic::Request<super::ListAliasesRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListAliasesResponse>,
            tonic::Status,
        >;
        /// Server streaming response type for the WatchAliases method.
        type WatchAliasesStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::WatchAliasesResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// First streams every alias below a prefix as it stands, retired ones included, then each move as it happens. With
        /// `after_event_id` it streams the moves since, without loss. Errors: INVALID_FIELD.
        async fn watch_aliases(
            &self,
            request: tonic::Request<super::WatchAliasesRequest>,
        ) -> std::result::Result<
            tonic::Response<Self::WatchAliasesStream>,
            tonic::Status,
        >;
    }
    /// Stores immutable artifacts by digest and moves the names that point at them.
    ///
    /// An artifact is uploaded in three steps: FindMissingBlobs tells what to send, WriteBlob or UploadBlob sends it,
    /// CommitArtifact makes the artifact visible at once or not at all.
    #[derive(Debug)]
    pub struct CheckpointServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> CheckpointServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for CheckpointServiceServer<T>
    where
        T: CheckpointService,
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
                "/rootstock.checkpoint.v1.CheckpointService/FindMissingBlobs" => {
                    #[allow(non_camel_case_types)]
                    struct FindMissingBlobsSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::FindMissingBlobsRequest>
                    for FindMissingBlobsSvc<T> {
                        type Response = super::FindMissingBlobsResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::FindMissingBlobsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::find_missing_blobs(
                                        &inner,
                                        request,
                                    )
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
                        let method = FindMissingBlobsSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/WriteBlob" => {
                    #[allow(non_camel_case_types)]
                    struct WriteBlobSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::WriteBlobRequest>
                    for WriteBlobSvc<T> {
                        type Response = super::WriteBlobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WriteBlobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::write_blob(&inner, request).await
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
                        let method = WriteBlobSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/UploadBlob" => {
                    #[allow(non_camel_case_types)]
                    struct UploadBlobSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::ClientStreamingService<super::UploadBlobRequest>
                    for UploadBlobSvc<T> {
                        type Response = super::UploadBlobResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<
                                tonic::Streaming<super::UploadBlobRequest>,
                            >,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::upload_blob(&inner, request).await
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
                        let method = UploadBlobSvc(inner);
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
                        let res = grpc.client_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.checkpoint.v1.CheckpointService/QueryWriteStatus" => {
                    #[allow(non_camel_case_types)]
                    struct QueryWriteStatusSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::QueryWriteStatusRequest>
                    for QueryWriteStatusSvc<T> {
                        type Response = super::QueryWriteStatusResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::QueryWriteStatusRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::query_write_status(
                                        &inner,
                                        request,
                                    )
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
                        let method = QueryWriteStatusSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/ReadBlob" => {
                    #[allow(non_camel_case_types)]
                    struct ReadBlobSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::ServerStreamingService<super::ReadBlobRequest>
                    for ReadBlobSvc<T> {
                        type Response = super::ReadBlobResponse;
                        type ResponseStream = T::ReadBlobStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ReadBlobRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::read_blob(&inner, request).await
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
                        let method = ReadBlobSvc(inner);
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
                        let res = grpc.server_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/rootstock.checkpoint.v1.CheckpointService/CommitArtifact" => {
                    #[allow(non_camel_case_types)]
                    struct CommitArtifactSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::CommitArtifactRequest>
                    for CommitArtifactSvc<T> {
                        type Response = super::CommitArtifactResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CommitArtifactRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::commit_artifact(&inner, request)
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
                        let method = CommitArtifactSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/GetArtifact" => {
                    #[allow(non_camel_case_types)]
                    struct GetArtifactSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::GetArtifactRequest>
                    for GetArtifactSvc<T> {
                        type Response = super::GetArtifactResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetArtifactRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::get_artifact(&inner, request)
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
                        let method = GetArtifactSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/ListArtifacts" => {
                    #[allow(non_camel_case_types)]
                    struct ListArtifactsSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::ListArtifactsRequest>
                    for ListArtifactsSvc<T> {
                        type Response = super::ListArtifactsResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListArtifactsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::list_artifacts(&inner, request)
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
                        let method = ListArtifactsSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/DeleteArtifact" => {
                    #[allow(non_camel_case_types)]
                    struct DeleteArtifactSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::DeleteArtifactRequest>
                    for DeleteArtifactSvc<T> {
                        type Response = super::DeleteArtifactResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DeleteArtifactRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::delete_artifact(&inner, request)
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
                        let method = DeleteArtifactSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/VerifyArtifact" => {
                    #[allow(non_camel_case_types)]
                    struct VerifyArtifactSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::VerifyArtifactRequest>
                    for VerifyArtifactSvc<T> {
                        type Response = super::VerifyArtifactResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::VerifyArtifactRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::verify_artifact(&inner, request)
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
                        let method = VerifyArtifactSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/SetAlias" => {
                    #[allow(non_camel_case_types)]
                    struct SetAliasSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::SetAliasRequest>
                    for SetAliasSvc<T> {
                        type Response = super::SetAliasResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::SetAliasRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::set_alias(&inner, request).await
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
                        let method = SetAliasSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/RetireAlias" => {
                    #[allow(non_camel_case_types)]
                    struct RetireAliasSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::RetireAliasRequest>
                    for RetireAliasSvc<T> {
                        type Response = super::RetireAliasResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::RetireAliasRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::retire_alias(&inner, request)
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
                        let method = RetireAliasSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/GetAlias" => {
                    #[allow(non_camel_case_types)]
                    struct GetAliasSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::GetAliasRequest>
                    for GetAliasSvc<T> {
                        type Response = super::GetAliasResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetAliasRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::get_alias(&inner, request).await
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
                        let method = GetAliasSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/ListAliases" => {
                    #[allow(non_camel_case_types)]
                    struct ListAliasesSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::UnaryService<super::ListAliasesRequest>
                    for ListAliasesSvc<T> {
                        type Response = super::ListAliasesResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListAliasesRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::list_aliases(&inner, request)
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
                        let method = ListAliasesSvc(inner);
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
                "/rootstock.checkpoint.v1.CheckpointService/WatchAliases" => {
                    #[allow(non_camel_case_types)]
                    struct WatchAliasesSvc<T: CheckpointService>(pub Arc<T>);
                    impl<
                        T: CheckpointService,
                    > tonic::server::ServerStreamingService<super::WatchAliasesRequest>
                    for WatchAliasesSvc<T> {
                        type Response = super::WatchAliasesResponse;
                        type ResponseStream = T::WatchAliasesStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WatchAliasesRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as CheckpointService>::watch_aliases(&inner, request)
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
                        let method = WatchAliasesSvc(inner);
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
                        let res = grpc.server_streaming(method, req).await;
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
    impl<T> Clone for CheckpointServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "rootstock.checkpoint.v1.CheckpointService";
    impl<T> tonic::server::NamedService for CheckpointServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
