// @generated from the protobuf sources of this crate; see tests/generated.rs.
/// A published adapter.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Adapter {
    /// `adapters/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The version that new requests get.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// Counts the moves of the alias.
    #[prost(int64, tag = "3")]
    pub generation: i64,
    /// Digest of its base model's artifact.
    #[prost(string, tag = "4")]
    pub base_digest: ::prost::alloc::string::String,
    /// Whether its weights are in this server's memory.
    #[prost(bool, tag = "5")]
    pub resident: bool,
    /// Size of the weights in memory, in bytes; 0 when not resident.
    #[prost(int64, tag = "6")]
    pub memory_bytes: i64,
    /// Requests running on this adapter's generations, old ones included.
    #[prost(int32, tag = "7")]
    pub leases: i32,
    /// When the alias last moved.
    #[prost(message, optional, tag = "8")]
    pub update_time: ::core::option::Option<::prost_types::Timestamp>,
    /// Where the version is.
    #[prost(enumeration = "AdapterTier", tag = "9")]
    pub tier: i32,
    /// Whether every server keeps the version in memory.
    #[prost(bool, tag = "10")]
    pub pinned: bool,
    /// The version tried beside it; empty if there is none.
    #[prost(string, tag = "11")]
    pub canary_digest: ::prost::alloc::string::String,
    /// The share of the requests that get the canary.
    #[prost(double, tag = "12")]
    pub canary_share: f64,
}
/// Request of PublishAdapter.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PublishAdapterRequest {
    /// The alias: `adapters/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The version: digest of an adapter artifact.
    #[prost(string, tag = "2")]
    pub digest: ::prost::alloc::string::String,
    /// Publish only if the alias is at this generation (0: nothing is published); unset publishes in any case.
    #[prost(int64, optional, tag = "3")]
    pub expected_generation: ::core::option::Option<i64>,
    /// Try the version beside the present one: the share of the requests, in (0, 1), that get it, by a hash of their
    /// `routing_key`, also in a weighted sum (`adapters`). Unset makes it the version of all requests, and ends the canary there
    /// is.
    #[prost(double, optional, tag = "4")]
    pub canary_share: ::core::option::Option<f64>,
    /// What requests under way on another version do; SWITCH needs a version with the same base model, and reaches neither
    /// weighted sums nor versions with virtual tokens. A canary replaces no version, so this must be unset with `canary_share`.
    #[prost(enumeration = "super::super::common::v1::RunningRequests", tag = "5")]
    pub running_requests: i32,
}
/// Response of PublishAdapter.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PublishAdapterResponse {
    /// The adapter as published.
    #[prost(message, optional, tag = "1")]
    pub adapter: ::core::option::Option<Adapter>,
    /// Milliseconds from the receipt of the request until new requests get the version. What must be loaded for it counts: the
    /// version, and where nothing has used it yet the base model, as on the first publish after a start.
    #[prost(double, tag = "2")]
    pub swap_ms: f64,
}
/// Request of RollbackAdapter.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RollbackAdapterRequest {
    /// The alias: `adapters/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// The generation whose version to publish again, any since the oldest in `Alias.history`; 0 takes what the alias pointed at
    /// before its present version was first set.
    #[prost(int64, tag = "2")]
    pub to_generation: i64,
}
/// Response of RollbackAdapter.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RollbackAdapterResponse {
    /// The adapter as published.
    #[prost(message, optional, tag = "1")]
    pub adapter: ::core::option::Option<Adapter>,
    /// Milliseconds from the receipt of the request until new requests get the version. What must be loaded for it counts: the
    /// version, and where nothing has used it yet the base model, as on the first publish after a start.
    #[prost(double, tag = "2")]
    pub swap_ms: f64,
}
/// Request of RetireAdapter.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RetireAdapterRequest {
    /// The alias: `adapters/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Retire only if the alias is at this generation; unset retires in any case.
    #[prost(int64, optional, tag = "2")]
    pub expected_generation: ::core::option::Option<i64>,
}
/// Response of RetireAdapter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RetireAdapterResponse {
    /// The generation at which it was retired.
    #[prost(int64, tag = "1")]
    pub generation: i64,
}
/// Request of PinAdapter.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PinAdapterRequest {
    /// The alias: `adapters/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Whether to keep its version in memory.
    #[prost(bool, tag = "2")]
    pub pinned: bool,
}
/// Response of PinAdapter.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PinAdapterResponse {
    /// The adapter as it now is.
    #[prost(message, optional, tag = "1")]
    pub adapter: ::core::option::Option<Adapter>,
}
/// Request of ListAdapters.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListAdaptersRequest {
    /// How many to return, at most 1000; 0 means 50.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListAdapters.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListAdaptersResponse {
    /// The adapters, by name.
    #[prost(message, repeated, tag = "1")]
    pub adapters: ::prost::alloc::vec::Vec<Adapter>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Request of WatchAdapters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WatchAdaptersRequest {}
/// One message of WatchAdapters: what has changed since the one before.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchAdaptersResponse {
    /// Adapters that are new or changed, by name.
    #[prost(message, repeated, tag = "1")]
    pub adapters: ::prost::alloc::vec::Vec<Adapter>,
    /// Names that are published no more.
    #[prost(string, repeated, tag = "2")]
    pub retired_names: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Set on the message that ends the present adapters, and on all later ones.
    #[prost(bool, tag = "3")]
    pub synced: bool,
    /// Bytes that adapters take of this server's memory.
    #[prost(int64, tag = "4")]
    pub memory_bytes: i64,
    /// Bytes that they may take.
    #[prost(int64, tag = "5")]
    pub memory_limit_bytes: i64,
    /// Loads of versions into memory since the server started.
    #[prost(int64, tag = "6")]
    pub loads: i64,
    /// Versions dropped from memory to make room since the server started.
    #[prost(int64, tag = "7")]
    pub evictions: i64,
}
/// Where the version of an adapter is that its name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum AdapterTier {
    /// Not used.
    Unspecified = 0,
    /// In the store.
    Stored = 1,
    /// On this server's disk too: fetched since the server started, and not evicted since.
    OnDisk = 2,
    /// In this server's memory.
    InMemory = 3,
}
impl AdapterTier {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ADAPTER_TIER_UNSPECIFIED",
            Self::Stored => "ADAPTER_TIER_STORED",
            Self::OnDisk => "ADAPTER_TIER_ON_DISK",
            Self::InMemory => "ADAPTER_TIER_IN_MEMORY",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ADAPTER_TIER_UNSPECIFIED" => Some(Self::Unspecified),
            "ADAPTER_TIER_STORED" => Some(Self::Stored),
            "ADAPTER_TIER_ON_DISK" => Some(Self::OnDisk),
            "ADAPTER_TIER_IN_MEMORY" => Some(Self::InMemory),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod adapter_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Publishes adapter versions to the running server. The alias records of the checkpoint service are the only truth:
    /// publishing checks and loads a version, then moves the alias; every replica follows.
    #[derive(Debug, Clone)]
    pub struct AdapterServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl AdapterServiceClient<tonic::transport::Channel> {
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
    impl<T> AdapterServiceClient<T>
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
        ) -> AdapterServiceClient<InterceptedService<T, F>>
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
            AdapterServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Checks a version, loads it and moves the alias to it; requests admitted from then on use it, running ones do as
        /// `running_requests` says. With `canary_share` the version is tried beside the present one instead. Errors: INVALID_FIELD,
        /// NOT_FOUND, WRONG_STATE (a canary where nothing is published), BASE_MISMATCH, TOKENIZER_MISMATCH, TENSOR_MISMATCH,
        /// INVALID_FILE, ALIAS_MOVED, OVERLOADED, EXCEEDS_LIMIT, CORRUPT, DEPENDENCY_UNAVAILABLE.
        pub async fn publish_adapter(
            &mut self,
            request: impl tonic::IntoRequest<super::PublishAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PublishAdapterResponse>,
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
                "/rootstock.inference.v1.AdapterService/PublishAdapter",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "PublishAdapter",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Publishes again what the alias pointed at before its present version was first set, among the moves that are kept
        /// (`Alias.history`), or in a given generation since the oldest of these. So one rollback after the other goes further back.
        /// While a canary stands, it ends the canary instead, unless a generation is given. Errors: as PublishAdapter,
        /// NO_PREVIOUS_VERSION.
        pub async fn rollback_adapter(
            &mut self,
            request: impl tonic::IntoRequest<super::RollbackAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RollbackAdapterResponse>,
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
                "/rootstock.inference.v1.AdapterService/RollbackAdapter",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "RollbackAdapter",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Takes an adapter out of service: requests that name it from then on get NOT_FOUND, those admitted before finish.
        /// Its pin and its canary end. The versions stay in the store, and the moves to other versions in the history.
        /// PublishAdapter brings it back, unpinned, and its generation goes on counting. Errors: INVALID_FIELD, NOT_FOUND,
        /// ALIAS_MOVED, DEPENDENCY_UNAVAILABLE.
        pub async fn retire_adapter(
            &mut self,
            request: impl tonic::IntoRequest<super::RetireAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RetireAdapterResponse>,
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
                "/rootstock.inference.v1.AdapterService/RetireAdapter",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "RetireAdapter",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Keeps an adapter's version in the memory of every server, now, after each publish and after each restart; or lets it go
        /// again. Errors: INVALID_FIELD, NOT_FOUND, OVERLOADED (it doesn't fit beside what is pinned and in use), EXCEEDS_LIMIT,
        /// ALIAS_MOVED, DEPENDENCY_UNAVAILABLE, and what loading may give.
        pub async fn pin_adapter(
            &mut self,
            request: impl tonic::IntoRequest<super::PinAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PinAdapterResponse>,
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
                "/rootstock.inference.v1.AdapterService/PinAdapter",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "PinAdapter",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists the adapters that are published, by name. Waits for 2 seconds after a start until it knows them.
        /// Errors: INVALID_FIELD, DEPENDENCY_UNAVAILABLE (it doesn't know them yet).
        pub async fn list_adapters(
            &mut self,
            request: impl tonic::IntoRequest<super::ListAdaptersRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListAdaptersResponse>,
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
                "/rootstock.inference.v1.AdapterService/ListAdapters",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "ListAdapters",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// First streams every published adapter as this server has it, then those that have changed: at most one round every 100
        /// milliseconds, with the latest state of each. Errors: DEPENDENCY_UNAVAILABLE, as ListAdapters.
        pub async fn watch_adapters(
            &mut self,
            request: impl tonic::IntoRequest<super::WatchAdaptersRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::WatchAdaptersResponse>>,
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
                "/rootstock.inference.v1.AdapterService/WatchAdapters",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.AdapterService",
                        "WatchAdapters",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod adapter_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with AdapterServiceServer.
    #[async_trait]
    pub trait AdapterService: std::marker::Send + std::marker::Sync + 'static {
        /// Checks a version, loads it and moves the alias to it; requests admitted from then on use it, running ones do as
        /// `running_requests` says. With `canary_share` the version is tried beside the present one instead. Errors: INVALID_FIELD,
        /// NOT_FOUND, WRONG_STATE (a canary where nothing is published), BASE_MISMATCH, TOKENIZER_MISMATCH, TENSOR_MISMATCH,
        /// INVALID_FILE, ALIAS_MOVED, OVERLOADED, EXCEEDS_LIMIT, CORRUPT, DEPENDENCY_UNAVAILABLE.
        async fn publish_adapter(
            &self,
            request: tonic::Request<super::PublishAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PublishAdapterResponse>,
            tonic::Status,
        >;
        /// Publishes again what the alias pointed at before its present version was first set, among the moves that are kept
        /// (`Alias.history`), or in a given generation since the oldest of these. So one rollback after the other goes further back.
        /// While a canary stands, it ends the canary instead, unless a generation is given. Errors: as PublishAdapter,
        /// NO_PREVIOUS_VERSION.
        async fn rollback_adapter(
            &self,
            request: tonic::Request<super::RollbackAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RollbackAdapterResponse>,
            tonic::Status,
        >;
        /// Takes an adapter out of service: requests that name it from then on get NOT_FOUND, those admitted before finish.
        /// Its pin and its canary end. The versions stay in the store, and the moves to other versions in the history.
        /// PublishAdapter brings it back, unpinned, and its generation goes on counting. Errors: INVALID_FIELD, NOT_FOUND,
        /// ALIAS_MOVED, DEPENDENCY_UNAVAILABLE.
        async fn retire_adapter(
            &self,
            request: tonic::Request<super::RetireAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::RetireAdapterResponse>,
            tonic::Status,
        >;
        /// Keeps an adapter's version in the memory of every server, now, after each publish and after each restart; or lets it go
        /// again. Errors: INVALID_FIELD, NOT_FOUND, OVERLOADED (it doesn't fit beside what is pinned and in use), EXCEEDS_LIMIT,
        /// ALIAS_MOVED, DEPENDENCY_UNAVAILABLE, and what loading may give.
        async fn pin_adapter(
            &self,
            request: tonic::Request<super::PinAdapterRequest>,
        ) -> std::result::Result<
            tonic::Response<super::PinAdapterResponse>,
            tonic::Status,
        >;
        /// Lists the adapters that are published, by name. Waits for 2 seconds after a start until it knows them.
        /// Errors: INVALID_FIELD, DEPENDENCY_UNAVAILABLE (it doesn't know them yet).
        async fn list_adapters(
            &self,
            request: tonic::Request<super::ListAdaptersRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListAdaptersResponse>,
            tonic::Status,
        >;
        /// Server streaming response type for the WatchAdapters method.
        type WatchAdaptersStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::WatchAdaptersResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// First streams every published adapter as this server has it, then those that have changed: at most one round every 100
        /// milliseconds, with the latest state of each. Errors: DEPENDENCY_UNAVAILABLE, as ListAdapters.
        async fn watch_adapters(
            &self,
            request: tonic::Request<super::WatchAdaptersRequest>,
        ) -> std::result::Result<
            tonic::Response<Self::WatchAdaptersStream>,
            tonic::Status,
        >;
    }
    /// Publishes adapter versions to the running server. The alias records of the checkpoint service are the only truth:
    /// publishing checks and loads a version, then moves the alias; every replica follows.
    #[derive(Debug)]
    pub struct AdapterServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> AdapterServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for AdapterServiceServer<T>
    where
        T: AdapterService,
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
                "/rootstock.inference.v1.AdapterService/PublishAdapter" => {
                    #[allow(non_camel_case_types)]
                    struct PublishAdapterSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::UnaryService<super::PublishAdapterRequest>
                    for PublishAdapterSvc<T> {
                        type Response = super::PublishAdapterResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::PublishAdapterRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::publish_adapter(&inner, request)
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
                        let method = PublishAdapterSvc(inner);
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
                "/rootstock.inference.v1.AdapterService/RollbackAdapter" => {
                    #[allow(non_camel_case_types)]
                    struct RollbackAdapterSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::UnaryService<super::RollbackAdapterRequest>
                    for RollbackAdapterSvc<T> {
                        type Response = super::RollbackAdapterResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::RollbackAdapterRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::rollback_adapter(&inner, request)
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
                        let method = RollbackAdapterSvc(inner);
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
                "/rootstock.inference.v1.AdapterService/RetireAdapter" => {
                    #[allow(non_camel_case_types)]
                    struct RetireAdapterSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::UnaryService<super::RetireAdapterRequest>
                    for RetireAdapterSvc<T> {
                        type Response = super::RetireAdapterResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::RetireAdapterRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::retire_adapter(&inner, request).await
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
                        let method = RetireAdapterSvc(inner);
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
                "/rootstock.inference.v1.AdapterService/PinAdapter" => {
                    #[allow(non_camel_case_types)]
                    struct PinAdapterSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::UnaryService<super::PinAdapterRequest>
                    for PinAdapterSvc<T> {
                        type Response = super::PinAdapterResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::PinAdapterRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::pin_adapter(&inner, request).await
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
                        let method = PinAdapterSvc(inner);
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
                "/rootstock.inference.v1.AdapterService/ListAdapters" => {
                    #[allow(non_camel_case_types)]
                    struct ListAdaptersSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::UnaryService<super::ListAdaptersRequest>
                    for ListAdaptersSvc<T> {
                        type Response = super::ListAdaptersResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListAdaptersRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::list_adapters(&inner, request).await
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
                        let method = ListAdaptersSvc(inner);
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
                "/rootstock.inference.v1.AdapterService/WatchAdapters" => {
                    #[allow(non_camel_case_types)]
                    struct WatchAdaptersSvc<T: AdapterService>(pub Arc<T>);
                    impl<
                        T: AdapterService,
                    > tonic::server::ServerStreamingService<super::WatchAdaptersRequest>
                    for WatchAdaptersSvc<T> {
                        type Response = super::WatchAdaptersResponse;
                        type ResponseStream = T::WatchAdaptersStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WatchAdaptersRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as AdapterService>::watch_adapters(&inner, request).await
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
                        let method = WatchAdaptersSvc(inner);
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
    impl<T> Clone for AdapterServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "rootstock.inference.v1.AdapterService";
    impl<T> tonic::server::NamedService for AdapterServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// What answered a call: enough to ask the same again.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct EncoderBinding {
    /// Digest of the base model's artifact.
    #[prost(string, tag = "1")]
    pub base_digest: ::prost::alloc::string::String,
    /// Digest of tokenizer, chat template and special tokens together.
    #[prost(string, tag = "2")]
    pub tokenizer_digest: ::prost::alloc::string::String,
    /// The instructions that compute, as in GenerationStarted.
    #[prost(string, tag = "3")]
    pub dispatch: ::prost::alloc::string::String,
    /// What the model's weights are in memory: f32, bf16, or int8.
    #[prost(string, tag = "4")]
    pub weight_format: ::prost::alloc::string::String,
    /// Version of the engine.
    #[prost(string, tag = "5")]
    pub engine_version: ::prost::alloc::string::String,
}
/// Request of Classify.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ClassifyRequest {
    /// The base model: alias `baseModels/{id}`, version or digest.
    #[prost(string, tag = "1")]
    pub model: ::prost::alloc::string::String,
    /// The texts: 1 to 64, each at most 1 MiB and, with the special tokens that the tokenizer adds, at most the model's context.
    #[prost(string, repeated, tag = "2")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Response of Classify.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ClassifyResponse {
    /// What the texts were sorted by.
    #[prost(message, optional, tag = "1")]
    pub binding: ::core::option::Option<EncoderBinding>,
    /// One for each text, in the order of the request.
    #[prost(message, repeated, tag = "2")]
    pub classifications: ::prost::alloc::vec::Vec<Classification>,
}
/// How likely the labels of a text are.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Classification {
    /// Every label of the model, most likely first.
    #[prost(message, repeated, tag = "1")]
    pub labels: ::prost::alloc::vec::Vec<LabelProbability>,
    /// Tokens of the text, special ones included.
    #[prost(int32, tag = "2")]
    pub tokens: i32,
}
/// A label and how likely it is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LabelProbability {
    /// Its name in the model's `id2label`.
    #[prost(string, tag = "1")]
    pub label: ::prost::alloc::string::String,
    /// Its probability; those of all labels sum up to 1.
    #[prost(double, tag = "2")]
    pub probability: f64,
}
/// Request of FillMask.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct FillMaskRequest {
    /// The base model, as in ClassifyRequest.
    #[prost(string, tag = "1")]
    pub model: ::prost::alloc::string::String,
    /// The text, with the tokenizer's mask token (often `\[MASK\]`) where tokens are asked for: 1 to 512 of them. At most 1 MiB and the
    /// model's context.
    #[prost(string, tag = "2")]
    pub text: ::prost::alloc::string::String,
    /// Tokens to tell for each mask; 0 means 5, at most 100.
    #[prost(int32, tag = "3")]
    pub top_k: i32,
}
/// Response of FillMask.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FillMaskResponse {
    /// What filled the masks.
    #[prost(message, optional, tag = "1")]
    pub binding: ::core::option::Option<EncoderBinding>,
    /// One for each mask, in the order of the text. Each is filled as if the others stayed masks.
    #[prost(message, repeated, tag = "2")]
    pub masks: ::prost::alloc::vec::Vec<FilledMask>,
    /// Tokens of the text, special ones included.
    #[prost(int32, tag = "3")]
    pub tokens: i32,
}
/// What may stand in place of a mask.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FilledMask {
    /// Where it stands among the text's tokens, from 0, special ones included.
    #[prost(int32, tag = "1")]
    pub position: i32,
    /// The most likely tokens, most likely first.
    #[prost(message, repeated, tag = "2")]
    pub tokens: ::prost::alloc::vec::Vec<MaskToken>,
}
/// A token in place of a mask.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MaskToken {
    /// Its id.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// The text that it stands for.
    #[prost(string, tag = "2")]
    pub text: ::prost::alloc::string::String,
    /// Its probability among all tokens.
    #[prost(double, tag = "3")]
    pub probability: f64,
}
/// Generated client implementations.
pub mod encoder_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Asks encoders, base models of the kind BERT; what generates is asked through GenerationService. A text has the bits that it has
    /// alone, whatever else is asked with it or at the same time.
    #[derive(Debug, Clone)]
    pub struct EncoderServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl EncoderServiceClient<tonic::transport::Channel> {
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
    impl<T> EncoderServiceClient<T>
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
        ) -> EncoderServiceClient<InterceptedService<T, F>>
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
            EncoderServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Tells how likely each label of a classifier is for each text. Cancelling the call stops the work after the texts under way, at most 8.
        /// Errors: INVALID_FIELD (a model without labels among them), NOT_FOUND, CONTEXT_TOO_LONG, INVALID_FILE (weights that give numbers
        /// that are not finite), OVERLOADED, DEADLINE_EXCEEDED.
        pub async fn classify(
            &mut self,
            request: impl tonic::IntoRequest<super::ClassifyRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ClassifyResponse>,
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
                "/rootstock.inference.v1.EncoderService/Classify",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("rootstock.inference.v1.EncoderService", "Classify"),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Tells the most likely tokens where a text has masks. Errors: as Classify; a text without a mask is INVALID_FIELD.
        pub async fn fill_mask(
            &mut self,
            request: impl tonic::IntoRequest<super::FillMaskRequest>,
        ) -> std::result::Result<
            tonic::Response<super::FillMaskResponse>,
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
                "/rootstock.inference.v1.EncoderService/FillMask",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("rootstock.inference.v1.EncoderService", "FillMask"),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod encoder_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with EncoderServiceServer.
    #[async_trait]
    pub trait EncoderService: std::marker::Send + std::marker::Sync + 'static {
        /// Tells how likely each label of a classifier is for each text. Cancelling the call stops the work after the texts under way, at most 8.
        /// Errors: INVALID_FIELD (a model without labels among them), NOT_FOUND, CONTEXT_TOO_LONG, INVALID_FILE (weights that give numbers
        /// that are not finite), OVERLOADED, DEADLINE_EXCEEDED.
        async fn classify(
            &self,
            request: tonic::Request<super::ClassifyRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ClassifyResponse>,
            tonic::Status,
        >;
        /// Tells the most likely tokens where a text has masks. Errors: as Classify; a text without a mask is INVALID_FIELD.
        async fn fill_mask(
            &self,
            request: tonic::Request<super::FillMaskRequest>,
        ) -> std::result::Result<
            tonic::Response<super::FillMaskResponse>,
            tonic::Status,
        >;
    }
    /// Asks encoders, base models of the kind BERT; what generates is asked through GenerationService. A text has the bits that it has
    /// alone, whatever else is asked with it or at the same time.
    #[derive(Debug)]
    pub struct EncoderServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> EncoderServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for EncoderServiceServer<T>
    where
        T: EncoderService,
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
                "/rootstock.inference.v1.EncoderService/Classify" => {
                    #[allow(non_camel_case_types)]
                    struct ClassifySvc<T: EncoderService>(pub Arc<T>);
                    impl<
                        T: EncoderService,
                    > tonic::server::UnaryService<super::ClassifyRequest>
                    for ClassifySvc<T> {
                        type Response = super::ClassifyResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ClassifyRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EncoderService>::classify(&inner, request).await
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
                        let method = ClassifySvc(inner);
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
                "/rootstock.inference.v1.EncoderService/FillMask" => {
                    #[allow(non_camel_case_types)]
                    struct FillMaskSvc<T: EncoderService>(pub Arc<T>);
                    impl<
                        T: EncoderService,
                    > tonic::server::UnaryService<super::FillMaskRequest>
                    for FillMaskSvc<T> {
                        type Response = super::FillMaskResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::FillMaskRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EncoderService>::fill_mask(&inner, request).await
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
                        let method = FillMaskSvc(inner);
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
    impl<T> Clone for EncoderServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "rootstock.inference.v1.EncoderService";
    impl<T> tonic::server::NamedService for EncoderServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// An evaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Evaluation {
    /// `evaluations/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// What to do.
    #[prost(message, optional, tag = "2")]
    pub spec: ::core::option::Option<EvaluationSpec>,
    /// Where it stands.
    #[prost(enumeration = "EvaluationState", tag = "3")]
    pub state: i32,
    /// Rows finished, over all targets.
    #[prost(int32, tag = "4")]
    pub completed_rows: i32,
    /// Rows in all, over all targets.
    #[prost(int32, tag = "5")]
    pub total_rows: i32,
    /// One for each target, in order, once it has succeeded.
    #[prost(message, repeated, tag = "6")]
    pub results: ::prost::alloc::vec::Vec<TargetResult>,
    /// Why it failed.
    #[prost(string, tag = "7")]
    pub error: ::prost::alloc::string::String,
    /// When it was created.
    #[prost(message, optional, tag = "8")]
    pub create_time: ::core::option::Option<::prost_types::Timestamp>,
    /// When it ended.
    #[prost(message, optional, tag = "9")]
    pub end_time: ::core::option::Option<::prost_types::Timestamp>,
    /// Digest of the artifact with the per-item evidence, once it has succeeded.
    #[prost(string, tag = "10")]
    pub evidence_digest: ::prost::alloc::string::String,
    /// Once it has succeeded: each target against the first, then against the one before it, and the gate's candidate against
    /// its baseline.
    #[prost(message, repeated, tag = "11")]
    pub comparisons: ::prost::alloc::vec::Vec<Comparison>,
    /// What the gate of the specification said, once it has succeeded.
    #[prost(message, optional, tag = "12")]
    pub gate: ::core::option::Option<GateResult>,
}
/// What to evaluate.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EvaluationSpec {
    /// Rows of instruction, input, output and keywords: alias or digest of a data set, in any format of records. Keywords are a list of
    /// texts; a column of CSV or Parquet has it as JSON. At most 10000 rows. The evaluation fails at a row whose prompt, answer and the
    /// token that ends it don't fit the model's context.
    #[prost(string, tag = "1")]
    pub dataset: ::prost::alloc::string::String,
    /// The base model: alias or digest. It must have a tokenizer.
    #[prost(string, tag = "2")]
    pub model: ::prost::alloc::string::String,
    /// Adapters to compare: `adapters/{id}`, a version, `adapters/{id}@previous` for what RollbackAdapter would publish, or ""
    /// for the base model itself. What a name stands for is settled at creation. At most 8.
    #[prost(string, repeated, tag = "3")]
    pub targets: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// `qa_zh`, `qa_en`, `alpaca`, or `chat`.
    #[prost(string, tag = "4")]
    pub prompt_template: ::prost::alloc::string::String,
    /// Most tokens per answer, at most 1048576; 0 means 64.
    #[prost(int32, tag = "5")]
    pub max_tokens: i32,
    /// What one of the targets must show; unset judges none.
    #[prost(message, optional, tag = "6")]
    pub gate: ::core::option::Option<EvaluationGate>,
    /// `adapters/{id}`: publish the gate's candidate under this alias if the gate passes, unless the alias has moved or was retired since
    /// the creation. Needs a gate whose candidate is an adapter.
    #[prost(string, tag = "7")]
    pub publish: ::prost::alloc::string::String,
}
/// What a target must show: a value, an improvement over another target, or both.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct EvaluationGate {
    /// What is looked at.
    #[prost(enumeration = "EvaluationMetric", tag = "1")]
    pub metric: i32,
    /// Place in `targets`, from 0, of the target to judge.
    #[prost(int32, tag = "2")]
    pub candidate: i32,
    /// The value to reach: at least this, in \[0, 1\]; for the perplexity at most this, from 1 on.
    #[prost(double, optional, tag = "3")]
    pub threshold: ::core::option::Option<f64>,
    /// Place in `targets`, from 0, of the target to do better than.
    #[prost(int32, optional, tag = "4")]
    pub baseline: ::core::option::Option<i32>,
    /// By how much better than the baseline, from 0 on and for all but the perplexity up to 1; unset is 0. Needs a baseline.
    #[prost(double, optional, tag = "5")]
    pub min_improvement: ::core::option::Option<f64>,
    /// Largest p-value of the comparison with the baseline, in (0, 1\]: an improvement that may be chance doesn't pass. For the
    /// perplexity that of the negative log-likelihood. Needs a baseline.
    #[prost(double, optional, tag = "6")]
    pub max_p_value: ::core::option::Option<f64>,
}
/// What a gate said.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GateResult {
    /// Whether the candidate shows all that was asked for.
    #[prost(bool, tag = "1")]
    pub passed: bool,
    /// The figures: all of them if it passed, else those that fell short.
    #[prost(string, tag = "2")]
    pub reason: ::prost::alloc::string::String,
    /// The generation of the alias that the candidate was published as; 0 if it wasn't.
    #[prost(int64, tag = "3")]
    pub published_generation: i64,
    /// Why nothing was published although the gate passed; empty if something was, or nothing was to be.
    #[prost(string, tag = "4")]
    pub publish_error: ::prost::alloc::string::String,
}
/// How one target did.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TargetResult {
    /// The target as asked for.
    #[prost(string, tag = "1")]
    pub target: ::prost::alloc::string::String,
    /// Digest of the adapter; empty for the base model.
    #[prost(string, tag = "2")]
    pub adapter_digest: ::prost::alloc::string::String,
    /// Rows scored.
    #[prost(int32, tag = "3")]
    pub rows: i32,
    /// Share of the rows with keywords whose answer contains all of them, after NFKC and case folding.
    #[prost(message, optional, tag = "4")]
    pub keyword_accuracy: ::core::option::Option<Proportion>,
    /// Share of the rows whose answer equals the output, after NFKC, case folding and trimming.
    #[prost(message, optional, tag = "5")]
    pub exact_match: ::core::option::Option<Proportion>,
    /// exp of the mean negative log-likelihood per token of the expected outputs.
    #[prost(double, tag = "6")]
    pub perplexity: f64,
    /// The rows, in order.
    #[prost(message, repeated, tag = "7")]
    pub items: ::prost::alloc::vec::Vec<ItemResult>,
    /// Mean over the rows of ItemResult.token_f1. Unset in an evaluation from before it was computed.
    #[prost(message, optional, tag = "8")]
    pub token_f1: ::core::option::Option<Mean>,
}
/// A share with its 95% Wilson interval.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Proportion {
    /// Hits / total; 0 when there is nothing to count.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Lower end of the interval.
    #[prost(double, tag = "2")]
    pub lower: f64,
    /// Upper end of the interval.
    #[prost(double, tag = "3")]
    pub upper: f64,
    /// Hits.
    #[prost(int32, tag = "4")]
    pub hits: i32,
    /// Rows counted.
    #[prost(int32, tag = "5")]
    pub total: i32,
}
/// A mean over rows with its 95% interval, by the percentiles of 2000 seeded bootstrap resamples.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Mean {
    /// The mean.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Lower end of the interval.
    #[prost(double, tag = "2")]
    pub lower: f64,
    /// Upper end of the interval.
    #[prost(double, tag = "3")]
    pub upper: f64,
}
/// How a target did against another one, row by row: both answered the same rows.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Comparison {
    /// Place in `targets`, from 0.
    #[prost(int32, tag = "1")]
    pub target: i32,
    /// Place in `targets`, from 0, of what it is held against.
    #[prost(int32, tag = "2")]
    pub baseline: i32,
    /// Over the rows with keywords.
    #[prost(message, optional, tag = "3")]
    pub keyword_accuracy: ::core::option::Option<PairedProportion>,
    /// Over all rows.
    #[prost(message, optional, tag = "4")]
    pub exact_match: ::core::option::Option<PairedProportion>,
    /// Over all rows.
    #[prost(message, optional, tag = "5")]
    pub token_f1: ::core::option::Option<PairedMean>,
    /// Over all rows, of ItemResult.negative_log_likelihood; less is better.
    #[prost(message, optional, tag = "6")]
    pub negative_log_likelihood: ::core::option::Option<PairedMean>,
}
/// Hits of two targets on the same rows.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct PairedProportion {
    /// Share of the target less that of the baseline.
    #[prost(double, tag = "1")]
    pub difference: f64,
    /// Rows that the target alone hit.
    #[prost(int32, tag = "2")]
    pub gained: i32,
    /// Rows that the baseline alone hit.
    #[prost(int32, tag = "3")]
    pub lost: i32,
    /// Rows counted.
    #[prost(int32, tag = "4")]
    pub total: i32,
    /// Two-sided p-value of McNemar's exact test; 1 where nothing was gained or lost.
    #[prost(double, tag = "5")]
    pub p_value: f64,
}
/// Means of two targets over the same rows.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct PairedMean {
    /// Mean of the target less that of the baseline.
    #[prost(double, tag = "1")]
    pub difference: f64,
    /// Lower end of its 95% interval, by the percentiles of 2000 seeded bootstrap resamples of the rows.
    #[prost(double, tag = "2")]
    pub lower: f64,
    /// Upper end of the interval.
    #[prost(double, tag = "3")]
    pub upper: f64,
    /// Two-sided p-value by the same resamples; never below 0.000999 (2 in 2001).
    #[prost(double, tag = "4")]
    pub p_value: f64,
}
/// One row's evidence.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ItemResult {
    /// Number of the row, from 0.
    #[prost(int32, tag = "1")]
    pub row: i32,
    /// The question.
    #[prost(string, tag = "2")]
    pub instruction: ::prost::alloc::string::String,
    /// The answer that was expected.
    #[prost(string, tag = "3")]
    pub expected: ::prost::alloc::string::String,
    /// The answer that was generated.
    #[prost(string, tag = "4")]
    pub answer: ::prost::alloc::string::String,
    /// The keywords that occur in it.
    #[prost(string, repeated, tag = "5")]
    pub keywords_found: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// The keywords that don't.
    #[prost(string, repeated, tag = "6")]
    pub keywords_missing: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Whether it equals the expected answer.
    #[prost(bool, tag = "7")]
    pub exact_match: bool,
    /// Sum of the negative log-likelihoods of the expected answer's tokens.
    #[prost(double, tag = "8")]
    pub negative_log_likelihood: f64,
    /// How many tokens that are.
    #[prost(int32, tag = "9")]
    pub expected_tokens: i32,
    /// How far the words of answer and output are the same, in \[0, 1\]: the F1 of SQuAD (Rajpurkar et al. 2016) with MLQA's words
    /// (Lewis et al. 2020): NFKC and case folded, without punctuation and English articles, Han characters and kana a word each.
    /// Unset in an evaluation from before it was computed.
    #[prost(double, optional, tag = "10")]
    pub token_f1: ::core::option::Option<f64>,
}
/// Request of CreateEvaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateEvaluationRequest {
    /// The id to give it; empty lets the server choose.
    #[prost(string, tag = "1")]
    pub evaluation_id: ::prost::alloc::string::String,
    /// What to do.
    #[prost(message, optional, tag = "2")]
    pub spec: ::core::option::Option<EvaluationSpec>,
    /// Makes the call idempotent: the same id returns the evaluation that the first call made. At most 64 characters.
    #[prost(string, tag = "3")]
    pub request_id: ::prost::alloc::string::String,
}
/// Response of CreateEvaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateEvaluationResponse {
    /// The evaluation.
    #[prost(message, optional, tag = "1")]
    pub evaluation: ::core::option::Option<Evaluation>,
}
/// Request of GetEvaluation.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetEvaluationRequest {
    /// `evaluations/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of GetEvaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetEvaluationResponse {
    /// The evaluation.
    #[prost(message, optional, tag = "1")]
    pub evaluation: ::core::option::Option<Evaluation>,
}
/// Request of ListEvaluations.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListEvaluationsRequest {
    /// How many to return, at most 200; 0 means 50.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where to go on.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// Response of ListEvaluations.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListEvaluationsResponse {
    /// The evaluations, newest first, without items.
    #[prost(message, repeated, tag = "1")]
    pub evaluations: ::prost::alloc::vec::Vec<Evaluation>,
    /// Empty at the end.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Request of CancelEvaluation.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CancelEvaluationRequest {
    /// `evaluations/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// Response of CancelEvaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CancelEvaluationResponse {
    /// The evaluation, cancelled.
    #[prost(message, optional, tag = "1")]
    pub evaluation: ::core::option::Option<Evaluation>,
}
/// Request of WatchEvaluation.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WatchEvaluationRequest {
    /// `evaluations/{id}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
}
/// One message of WatchEvaluation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchEvaluationResponse {
    /// The evaluation as it stands; items only in the last message.
    #[prost(message, optional, tag = "1")]
    pub evaluation: ::core::option::Option<Evaluation>,
}
/// Where an evaluation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum EvaluationState {
    /// Not used.
    Unspecified = 0,
    /// Waits its turn.
    Queued = 1,
    /// Is being computed.
    Running = 2,
    /// Done; the results are there.
    Succeeded = 3,
    /// Ended by an error, which `error` tells.
    Failed = 4,
    /// Ended by CancelEvaluation.
    Cancelled = 5,
}
impl EvaluationState {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "EVALUATION_STATE_UNSPECIFIED",
            Self::Queued => "EVALUATION_STATE_QUEUED",
            Self::Running => "EVALUATION_STATE_RUNNING",
            Self::Succeeded => "EVALUATION_STATE_SUCCEEDED",
            Self::Failed => "EVALUATION_STATE_FAILED",
            Self::Cancelled => "EVALUATION_STATE_CANCELLED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "EVALUATION_STATE_UNSPECIFIED" => Some(Self::Unspecified),
            "EVALUATION_STATE_QUEUED" => Some(Self::Queued),
            "EVALUATION_STATE_RUNNING" => Some(Self::Running),
            "EVALUATION_STATE_SUCCEEDED" => Some(Self::Succeeded),
            "EVALUATION_STATE_FAILED" => Some(Self::Failed),
            "EVALUATION_STATE_CANCELLED" => Some(Self::Cancelled),
            _ => None,
        }
    }
}
/// What a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum EvaluationMetric {
    /// Not used.
    Unspecified = 0,
    /// TargetResult.keyword_accuracy; the data set must have keywords.
    KeywordAccuracy = 1,
    /// TargetResult.exact_match.
    ExactMatch = 2,
    /// TargetResult.token_f1.
    TokenF1 = 3,
    /// TargetResult.perplexity; less is better.
    Perplexity = 4,
}
impl EvaluationMetric {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "EVALUATION_METRIC_UNSPECIFIED",
            Self::KeywordAccuracy => "EVALUATION_METRIC_KEYWORD_ACCURACY",
            Self::ExactMatch => "EVALUATION_METRIC_EXACT_MATCH",
            Self::TokenF1 => "EVALUATION_METRIC_TOKEN_F1",
            Self::Perplexity => "EVALUATION_METRIC_PERPLEXITY",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "EVALUATION_METRIC_UNSPECIFIED" => Some(Self::Unspecified),
            "EVALUATION_METRIC_KEYWORD_ACCURACY" => Some(Self::KeywordAccuracy),
            "EVALUATION_METRIC_EXACT_MATCH" => Some(Self::ExactMatch),
            "EVALUATION_METRIC_TOKEN_F1" => Some(Self::TokenF1),
            "EVALUATION_METRIC_PERPLEXITY" => Some(Self::Perplexity),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod evaluation_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Generates an answer for each row of a data set, on the base model, on adapters, or on several in one evaluation, and
    /// scores them, each alone and against the others. A gate may judge one of them, and publish it. An evaluation that a restart
    /// interrupts begins again.
    #[derive(Debug, Clone)]
    pub struct EvaluationServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl EvaluationServiceClient<tonic::transport::Channel> {
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
    impl<T> EvaluationServiceClient<T>
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
        ) -> EvaluationServiceClient<InterceptedService<T, F>>
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
            EvaluationServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Checks the specification, stores the evaluation and queues it. Errors: INVALID_FIELD, NOT_FOUND, ALREADY_EXISTS,
        /// NO_PREVIOUS_VERSION, BASE_MISMATCH, INVALID_ROW, OVERLOADED, DEPENDENCY_UNAVAILABLE.
        pub async fn create_evaluation(
            &mut self,
            request: impl tonic::IntoRequest<super::CreateEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CreateEvaluationResponse>,
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
                "/rootstock.inference.v1.EvaluationService/CreateEvaluation",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.EvaluationService",
                        "CreateEvaluation",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Returns one evaluation. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn get_evaluation(
            &mut self,
            request: impl tonic::IntoRequest<super::GetEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetEvaluationResponse>,
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
                "/rootstock.inference.v1.EvaluationService/GetEvaluation",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.EvaluationService",
                        "GetEvaluation",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Lists evaluations, newest first. Errors: INVALID_FIELD.
        pub async fn list_evaluations(
            &mut self,
            request: impl tonic::IntoRequest<super::ListEvaluationsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListEvaluationsResponse>,
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
                "/rootstock.inference.v1.EvaluationService/ListEvaluations",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.EvaluationService",
                        "ListEvaluations",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Stops an evaluation. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        pub async fn cancel_evaluation(
            &mut self,
            request: impl tonic::IntoRequest<super::CancelEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CancelEvaluationResponse>,
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
                "/rootstock.inference.v1.EvaluationService/CancelEvaluation",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.EvaluationService",
                        "CancelEvaluation",
                    ),
                );
            self.inner.unary(req, path, codec).await
        }
        /// Streams the evaluation after each finished row, and ends when it has ended. Errors: INVALID_FIELD, NOT_FOUND.
        pub async fn watch_evaluation(
            &mut self,
            request: impl tonic::IntoRequest<super::WatchEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::WatchEvaluationResponse>>,
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
                "/rootstock.inference.v1.EvaluationService/WatchEvaluation",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.EvaluationService",
                        "WatchEvaluation",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod evaluation_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with EvaluationServiceServer.
    #[async_trait]
    pub trait EvaluationService: std::marker::Send + std::marker::Sync + 'static {
        /// Checks the specification, stores the evaluation and queues it. Errors: INVALID_FIELD, NOT_FOUND, ALREADY_EXISTS,
        /// NO_PREVIOUS_VERSION, BASE_MISMATCH, INVALID_ROW, OVERLOADED, DEPENDENCY_UNAVAILABLE.
        async fn create_evaluation(
            &self,
            request: tonic::Request<super::CreateEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CreateEvaluationResponse>,
            tonic::Status,
        >;
        /// Returns one evaluation. Errors: INVALID_FIELD, NOT_FOUND.
        async fn get_evaluation(
            &self,
            request: tonic::Request<super::GetEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::GetEvaluationResponse>,
            tonic::Status,
        >;
        /// Lists evaluations, newest first. Errors: INVALID_FIELD.
        async fn list_evaluations(
            &self,
            request: tonic::Request<super::ListEvaluationsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::ListEvaluationsResponse>,
            tonic::Status,
        >;
        /// Stops an evaluation. Errors: INVALID_FIELD, NOT_FOUND, WRONG_STATE.
        async fn cancel_evaluation(
            &self,
            request: tonic::Request<super::CancelEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<super::CancelEvaluationResponse>,
            tonic::Status,
        >;
        /// Server streaming response type for the WatchEvaluation method.
        type WatchEvaluationStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::WatchEvaluationResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Streams the evaluation after each finished row, and ends when it has ended. Errors: INVALID_FIELD, NOT_FOUND.
        async fn watch_evaluation(
            &self,
            request: tonic::Request<super::WatchEvaluationRequest>,
        ) -> std::result::Result<
            tonic::Response<Self::WatchEvaluationStream>,
            tonic::Status,
        >;
    }
    /// Generates an answer for each row of a data set, on the base model, on adapters, or on several in one evaluation, and
    /// scores them, each alone and against the others. A gate may judge one of them, and publish it. An evaluation that a restart
    /// interrupts begins again.
    #[derive(Debug)]
    pub struct EvaluationServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> EvaluationServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for EvaluationServiceServer<T>
    where
        T: EvaluationService,
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
                "/rootstock.inference.v1.EvaluationService/CreateEvaluation" => {
                    #[allow(non_camel_case_types)]
                    struct CreateEvaluationSvc<T: EvaluationService>(pub Arc<T>);
                    impl<
                        T: EvaluationService,
                    > tonic::server::UnaryService<super::CreateEvaluationRequest>
                    for CreateEvaluationSvc<T> {
                        type Response = super::CreateEvaluationResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CreateEvaluationRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EvaluationService>::create_evaluation(&inner, request)
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
                        let method = CreateEvaluationSvc(inner);
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
                "/rootstock.inference.v1.EvaluationService/GetEvaluation" => {
                    #[allow(non_camel_case_types)]
                    struct GetEvaluationSvc<T: EvaluationService>(pub Arc<T>);
                    impl<
                        T: EvaluationService,
                    > tonic::server::UnaryService<super::GetEvaluationRequest>
                    for GetEvaluationSvc<T> {
                        type Response = super::GetEvaluationResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetEvaluationRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EvaluationService>::get_evaluation(&inner, request)
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
                        let method = GetEvaluationSvc(inner);
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
                "/rootstock.inference.v1.EvaluationService/ListEvaluations" => {
                    #[allow(non_camel_case_types)]
                    struct ListEvaluationsSvc<T: EvaluationService>(pub Arc<T>);
                    impl<
                        T: EvaluationService,
                    > tonic::server::UnaryService<super::ListEvaluationsRequest>
                    for ListEvaluationsSvc<T> {
                        type Response = super::ListEvaluationsResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListEvaluationsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EvaluationService>::list_evaluations(&inner, request)
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
                        let method = ListEvaluationsSvc(inner);
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
                "/rootstock.inference.v1.EvaluationService/CancelEvaluation" => {
                    #[allow(non_camel_case_types)]
                    struct CancelEvaluationSvc<T: EvaluationService>(pub Arc<T>);
                    impl<
                        T: EvaluationService,
                    > tonic::server::UnaryService<super::CancelEvaluationRequest>
                    for CancelEvaluationSvc<T> {
                        type Response = super::CancelEvaluationResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CancelEvaluationRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EvaluationService>::cancel_evaluation(&inner, request)
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
                        let method = CancelEvaluationSvc(inner);
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
                "/rootstock.inference.v1.EvaluationService/WatchEvaluation" => {
                    #[allow(non_camel_case_types)]
                    struct WatchEvaluationSvc<T: EvaluationService>(pub Arc<T>);
                    impl<
                        T: EvaluationService,
                    > tonic::server::ServerStreamingService<
                        super::WatchEvaluationRequest,
                    > for WatchEvaluationSvc<T> {
                        type Response = super::WatchEvaluationResponse;
                        type ResponseStream = T::WatchEvaluationStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WatchEvaluationRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as EvaluationService>::watch_evaluation(&inner, request)
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
                        let method = WatchEvaluationSvc(inner);
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
    impl<T> Clone for EvaluationServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "rootstock.inference.v1.EvaluationService";
    impl<T> tonic::server::NamedService for EvaluationServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
/// Request of Score.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ScoreRequest {
    /// The base model, as in GenerateRequest.
    #[prost(string, tag = "1")]
    pub model: ::prost::alloc::string::String,
    /// The adapter, as in GenerateRequest.
    #[prost(string, tag = "2")]
    pub adapter: ::prost::alloc::string::String,
    /// What may follow; 1 to 64, each by itself.
    #[prost(message, repeated, tag = "5")]
    pub continuations: ::prost::alloc::vec::Vec<Continuation>,
    /// Several adapters at once, as in GenerateRequest.
    #[prost(message, repeated, tag = "6")]
    pub adapters: ::prost::alloc::vec::Vec<WeightedAdapter>,
    /// Decides who gets an adapter's canary, as in GenerateRequest.
    #[prost(string, tag = "7")]
    pub routing_key: ::prost::alloc::string::String,
    /// What all continuations follow.
    #[prost(oneof = "score_request::Input", tags = "3, 4")]
    pub input: ::core::option::Option<score_request::Input>,
}
/// Nested message and enum types in `ScoreRequest`.
pub mod score_request {
    /// What all continuations follow.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Input {
        /// Text; at most 1 MiB.
        #[prost(string, tag = "3")]
        Prompt(::prost::alloc::string::String),
        /// Token ids, taken as they are.
        #[prost(message, tag = "4")]
        PromptIds(super::TokenIds),
    }
}
/// What may follow a prompt; 1 to 4096 tokens.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Continuation {
    /// Its tokens.
    #[prost(oneof = "continuation::Input", tags = "1, 2")]
    pub input: ::core::option::Option<continuation::Input>,
}
/// Nested message and enum types in `Continuation`.
pub mod continuation {
    /// Its tokens.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Input {
        /// Text, turned into tokens by itself, with nothing added before or after; at most 1 MiB.
        #[prost(string, tag = "1")]
        Text(::prost::alloc::string::String),
        /// Token ids, taken as they are.
        #[prost(message, tag = "2")]
        Ids(super::TokenIds),
    }
}
/// Response of Score. Never above 4 MiB: 64 continuations of 4096 tokens, 13 bytes each, are 3.3 MiB.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ScoreResponse {
    /// What the request was bound to; the seed is 0.
    #[prost(message, optional, tag = "1")]
    pub started: ::core::option::Option<GenerationStarted>,
    /// The scores, in the order of the request.
    #[prost(message, repeated, tag = "2")]
    pub continuations: ::prost::alloc::vec::Vec<ScoredContinuation>,
}
/// How likely a continuation is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ScoredContinuation {
    /// Its tokens.
    #[prost(uint32, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<u32>,
    /// Natural logarithm of each token's probability after all before it: the number that Generate's `logprobs` tell.
    #[prost(double, repeated, tag = "2")]
    pub logprobs: ::prost::alloc::vec::Vec<f64>,
    /// Their sum.
    #[prost(double, tag = "3")]
    pub total_logprob: f64,
}
/// Request of Generate.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GenerateRequest {
    /// The base model: alias or digest. Empty takes the adapter's base, or without an adapter the only model there is.
    #[prost(string, tag = "1")]
    pub model: ::prost::alloc::string::String,
    /// The adapter: alias `adapters/{id}`, version `adapters/{id}/versions/{digest}`, or empty for the base model.
    #[prost(string, tag = "2")]
    pub adapter: ::prost::alloc::string::String,
    /// How to choose tokens.
    #[prost(message, optional, tag = "5")]
    pub sampling: ::core::option::Option<SamplingParams>,
    /// Decides who gets an adapter's canary: one key gets one version, for as long as the canary's share doesn't change, and a
    /// share that grows takes nobody off the canary. A user's id, say; at most 256 bytes. Empty draws one for the request.
    #[prost(string, tag = "12")]
    pub routing_key: ::prost::alloc::string::String,
    /// Among the requests of its tenant those with a lower number begin first, and those of one number in the order in which they came;
    /// in \[-100, 100\]. It gives no precedence before other tenants, and doesn't end what has begun.
    #[prost(int32, tag = "9")]
    pub priority: i32,
    /// Several LoRA adapters of one base model at once, instead of `adapter`; at most 8. What each adds is multiplied by its
    /// weight, and the sums are added in this order. Adapters of other kinds are refused by name. A publish with
    /// ABORT ends a sum with any of its parts; one with SWITCH doesn't move it: it finishes on the versions it began with.
    #[prost(message, repeated, tag = "6")]
    pub adapters: ::prost::alloc::vec::Vec<WeightedAdapter>,
    /// The prompt.
    #[prost(oneof = "generate_request::Input", tags = "3, 4, 8")]
    pub input: ::core::option::Option<generate_request::Input>,
}
/// Nested message and enum types in `GenerateRequest`.
pub mod generate_request {
    /// The prompt.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Input {
        /// Text; at most 1 MiB.
        #[prost(string, tag = "3")]
        Prompt(::prost::alloc::string::String),
        /// Token ids, taken as they are.
        #[prost(message, tag = "4")]
        PromptIds(super::TokenIds),
        /// A conversation, rendered with the chat template of the base model's own tokenizer up to where the answer begins.
        #[prost(message, tag = "8")]
        Messages(super::ChatMessages),
    }
}
/// One adapter of a weighted sum.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WeightedAdapter {
    /// Alias `adapters/{id}` or version `adapters/{id}/versions/{digest}`.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Multiplies what the adapter adds; must be set, in \[-4, 4\]. 1 is the adapter as it is.
    #[prost(double, optional, tag = "2")]
    pub weight: ::core::option::Option<f64>,
}
/// A sequence of token ids.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TokenIds {
    /// The ids.
    #[prost(uint32, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<u32>,
}
/// A conversation.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ChatMessages {
    /// Its messages in order: 1 to 256, together at most 1 MiB.
    #[prost(message, repeated, tag = "1")]
    pub messages: ::prost::alloc::vec::Vec<ChatMessage>,
}
/// One message of a conversation.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or another role that the template knows.
    #[prost(string, tag = "1")]
    pub role: ::prost::alloc::string::String,
    /// What is said.
    #[prost(string, tag = "2")]
    pub content: ::prost::alloc::string::String,
}
/// How to choose tokens. The defaults choose the most likely token each time (greedy).
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SamplingParams {
    /// Most tokens to generate; 0 means 64.
    #[prost(int32, tag = "1")]
    pub max_tokens: i32,
    /// 0 is greedy; otherwise logits are divided by it. In \[0, 100\].
    #[prost(double, tag = "2")]
    pub temperature: f64,
    /// Only the k most likely tokens; 0 is all.
    #[prost(int32, tag = "3")]
    pub top_k: i32,
    /// Only the most likely tokens that together have this probability, in (0, 1\]; unset is 1.
    #[prost(double, optional, tag = "4")]
    pub top_p: ::core::option::Option<f64>,
    /// Only tokens at least this likely relative to the most likely one, in \[0, 1\].
    #[prost(double, tag = "5")]
    pub min_p: f64,
    /// Divides the positive logits of tokens seen, and multiplies the negative ones, in (0, 100\]; unset is 1.
    #[prost(double, optional, tag = "6")]
    pub repetition_penalty: ::core::option::Option<f64>,
    /// Seed of the random choice; unset lets the server draw one and say which.
    #[prost(uint64, optional, tag = "7")]
    pub seed: ::core::option::Option<u64>,
    /// End before the first of these occurs in the text; at most 16, each up to 256 bytes. Not looked for in what the first
    /// `min_tokens` say.
    #[prost(string, repeated, tag = "8")]
    pub stop: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Return the log-probability of each token, and of this many of the most likely ones; unset returns none. At most 20.
    #[prost(int32, optional, tag = "9")]
    pub logprobs: ::core::option::Option<i32>,
    /// Go on past the end-of-sequence token.
    #[prost(bool, tag = "10")]
    pub ignore_eos: bool,
    /// Taken off the logits of tokens that were generated, in \[-2, 2\].
    #[prost(double, tag = "11")]
    pub presence_penalty: f64,
    /// Taken off the logits of tokens as often as they were generated, in \[-2, 2\].
    #[prost(double, tag = "12")]
    pub frequency_penalty: f64,
    /// Added to the logits of tokens, before all penalties; at most 1024, each for another token.
    #[prost(message, repeated, tag = "13")]
    pub logit_bias: ::prost::alloc::vec::Vec<LogitBias>,
    /// What ends a text, EOS and `stop_token_ids`, can't be chosen before so many tokens are; at most `max_tokens`.
    #[prost(int32, tag = "14")]
    pub min_tokens: i32,
    /// End with the first of these, which is no part of the text; at most 64, each below the vocabulary size.
    #[prost(uint32, repeated, tag = "15")]
    pub stop_token_ids: ::prost::alloc::vec::Vec<u32>,
    /// Completions of the prompt, each by itself, told apart by GenerateResponse.index; 0 means 1, at most 16. Completion i is what a
    /// request of its own gives with the seed `seed` + i (modulo 2^64). All are admitted or none, and one that fails ends the call. More
    /// than 1 needs a temperature above 0: greedy ones would all be the same.
    #[prost(int32, tag = "16")]
    pub n: i32,
    /// Return the log-probability of each token of the prompt but the first, and of this many of the most likely ones there, before the
    /// first token; unset returns none. At most 20. The prompt then has at most 4096 tokens and is computed from its first one, whatever
    /// an earlier request left.
    #[prost(int32, optional, tag = "17")]
    pub prompt_logprobs: ::core::option::Option<i32>,
    /// What the whole text must be. Unset lets it be anything.
    #[prost(message, optional, tag = "20")]
    pub constraint: ::core::option::Option<OutputConstraint>,
}
/// What the whole text must be. Before each token all that can't lead there are ruled out, after biases, penalties and `min_tokens`;
/// log-probabilities are the model's own nevertheless. A text that is complete and can't go on ends with FINISH_REASON_EOS,
/// whatever `min_tokens` says; one that can go on ends where the model ends it. `max_tokens`, `stop` and `stop_token_ids` end it where
/// it is, complete or not. Special tokens are never chosen. Not beside `ignore_eos`. What can't be compiled within bounds of work and
/// time is refused with INVALID_FIELD, and so is, on its way, a text whose next token takes too much work to find.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct OutputConstraint {
    /// What it is.
    #[prost(oneof = "output_constraint::Kind", tags = "1, 2, 3")]
    pub kind: ::core::option::Option<output_constraint::Kind>,
}
/// Nested message and enum types in `OutputConstraint`.
pub mod output_constraint {
    /// What it is.
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Kind {
        /// JSON that this JSON Schema (draft 2020-12) allows; the schema has at most 32 KiB, all its regular expressions together at most
        /// 2048 bytes. Properties come in the order of the schema, and up to 64 white-space characters between two parts. References are
        /// local ones (`#/...`). What can't be held to is refused by name, as `not`, `if`, `oneOf` that isn't disjoint, or `multipleOf`.
        #[prost(string, tag = "1")]
        Json(::prost::alloc::string::String),
        /// Text that this regular expression matches from its first to its last character; at most 2048 bytes, in the syntax of Rust's
        /// regex crate, without look-around and word boundaries.
        #[prost(string, tag = "2")]
        Regex(::prost::alloc::string::String),
        /// One of these texts.
        #[prost(message, tag = "3")]
        Choice(super::Choices),
    }
}
/// Texts to choose from.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Choices {
    /// The texts: 1 to 256, each of 1 to 256 bytes.
    #[prost(string, repeated, tag = "1")]
    pub texts: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// A number added to a token's logit.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct LogitBias {
    /// The token's id, below the vocabulary size.
    #[prost(uint32, tag = "1")]
    pub token_id: u32,
    /// The number, in \[-100, 100\].
    #[prost(float, tag = "2")]
    pub bias: f32,
}
/// One message of Generate's stream.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GenerateResponse {
    /// Which completion a delta or finished is of, from 0; `started` is of all.
    #[prost(int32, tag = "4")]
    pub index: i32,
    /// Which it is.
    #[prost(oneof = "generate_response::Message", tags = "1, 2, 3, 5")]
    pub message: ::core::option::Option<generate_response::Message>,
}
/// Nested message and enum types in `GenerateResponse`.
pub mod generate_response {
    /// Which it is.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Message {
        /// The first: what the request is bound to.
        #[prost(message, tag = "1")]
        Started(super::GenerationStarted),
        /// New text.
        #[prost(message, tag = "2")]
        Delta(super::GenerationDelta),
        /// The last of a completion: why it ended, and what it took.
        #[prost(message, tag = "3")]
        Finished(super::GenerationFinished),
        /// How likely the prompt is, before the first delta of completion 0; not sent for a prompt of one token.
        #[prost(message, tag = "5")]
        Prompt(super::PromptLogprobs),
    }
}
/// How likely a prompt is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PromptLogprobs {
    /// Its tokens from the second on, each with its log-probability after all before it.
    #[prost(message, repeated, tag = "1")]
    pub tokens: ::prost::alloc::vec::Vec<GeneratedToken>,
}
/// What a request is bound to: enough to ask the same again.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GenerationStarted {
    /// Server-made id, also in its log.
    #[prost(string, tag = "1")]
    pub request_id: ::prost::alloc::string::String,
    /// Digest of the base model's artifact.
    #[prost(string, tag = "2")]
    pub base_digest: ::prost::alloc::string::String,
    /// Digest of the adapter's artifact; empty for the base model and for a weighted sum.
    #[prost(string, tag = "3")]
    pub adapter_digest: ::prost::alloc::string::String,
    /// Generation of the adapter's alias; 0 where none was named.
    #[prost(int64, tag = "4")]
    pub adapter_generation: i64,
    /// Digest of tokenizer, chat template and special tokens together.
    #[prost(string, tag = "5")]
    pub tokenizer_digest: ::prost::alloc::string::String,
    /// The seed in use, of the first completion.
    #[prost(uint64, tag = "6")]
    pub seed: u64,
    /// Tokens in the prompt.
    #[prost(int32, tag = "7")]
    pub prompt_tokens: i32,
    /// The adapters of a weighted sum, in the order in which they are added; empty otherwise.
    #[prost(message, repeated, tag = "8")]
    pub adapters: ::prost::alloc::vec::Vec<BoundAdapter>,
    /// Whether the adapter's version is its canary; false for a weighted sum, whose parts tell their digests.
    #[prost(bool, tag = "12")]
    pub canary: bool,
    /// The instructions that compute: portable, avx2, avx512, avx512_bf16, or amx_bf16. Others round otherwise, and may choose
    /// other tokens.
    #[prost(string, tag = "13")]
    pub dispatch: ::prost::alloc::string::String,
    /// What the base model's weights are in memory: f32, bf16, or int8. Like the path, part of what decides the tokens.
    #[prost(string, tag = "14")]
    pub weight_format: ::prost::alloc::string::String,
    /// Version of the engine.
    #[prost(string, tag = "15")]
    pub engine_version: ::prost::alloc::string::String,
}
/// One adapter that a request is bound to.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BoundAdapter {
    /// Digest of its artifact.
    #[prost(string, tag = "1")]
    pub digest: ::prost::alloc::string::String,
    /// Generation of its alias; 0 where none was named.
    #[prost(int64, tag = "2")]
    pub generation: i64,
    /// Its weight in the sum.
    #[prost(double, tag = "3")]
    pub weight: f64,
}
/// From where on another version of the adapter computes.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct AdapterSwitched {
    /// Digest of the adapter's artifact.
    #[prost(string, tag = "1")]
    pub adapter_digest: ::prost::alloc::string::String,
    /// Generation of the adapter's alias.
    #[prost(int64, tag = "2")]
    pub adapter_generation: i64,
    /// Number of the first generated token, from 0, that comes from it.
    #[prost(int32, tag = "3")]
    pub at_token: i32,
    /// Whether it is the adapter's canary.
    #[prost(bool, tag = "4")]
    pub canary: bool,
}
/// New text.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GenerationDelta {
    /// The text: whole characters only, and nothing that might yet turn out to be a stop string. May be empty.
    #[prost(string, tag = "1")]
    pub text: ::prost::alloc::string::String,
    /// The tokens that were chosen.
    #[prost(message, repeated, tag = "2")]
    pub tokens: ::prost::alloc::vec::Vec<GeneratedToken>,
    /// Set where a publish has moved the request to another version of its adapter, which these tokens come from.
    #[prost(message, optional, tag = "12")]
    pub switched: ::core::option::Option<AdapterSwitched>,
}
/// A token that was chosen, or of a prompt.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GeneratedToken {
    /// Its id.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// Natural logarithm of its probability under the model, before temperature and filters; when asked for.
    #[prost(double, optional, tag = "2")]
    pub logprob: ::core::option::Option<f64>,
    /// The most likely tokens, most likely first; when asked for.
    #[prost(message, repeated, tag = "3")]
    pub top_logprobs: ::prost::alloc::vec::Vec<TokenLogprob>,
}
/// A token and how likely it was.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct TokenLogprob {
    /// Its id.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// Natural logarithm of its probability.
    #[prost(double, tag = "2")]
    pub logprob: f64,
}
/// The end of a generation.
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct GenerationFinished {
    /// Why.
    #[prost(enumeration = "FinishReason", tag = "1")]
    pub finish_reason: i32,
    /// Tokens in the prompt.
    #[prost(int32, tag = "2")]
    pub prompt_tokens: i32,
    /// Tokens generated.
    #[prost(int32, tag = "3")]
    pub completion_tokens: i32,
    /// Milliseconds before the first computation.
    #[prost(double, tag = "4")]
    pub queue_ms: f64,
    /// Milliseconds for the prompt.
    #[prost(double, tag = "5")]
    pub prefill_ms: f64,
    /// Milliseconds for the tokens.
    #[prost(double, tag = "6")]
    pub decode_ms: f64,
    /// Tokens of the prompt whose keys and values an earlier request of the same tenant and adapter had left.
    #[prost(int32, tag = "9")]
    pub cached_tokens: i32,
}
/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum FinishReason {
    /// Not used.
    Unspecified = 0,
    /// The model ended its text.
    Eos = 1,
    /// A stop string or one of `stop_token_ids` occurred.
    Stop = 2,
    /// `max_tokens` were generated.
    Length = 3,
}
impl FinishReason {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "FINISH_REASON_UNSPECIFIED",
            Self::Eos => "FINISH_REASON_EOS",
            Self::Stop => "FINISH_REASON_STOP",
            Self::Length => "FINISH_REASON_LENGTH",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "FINISH_REASON_UNSPECIFIED" => Some(Self::Unspecified),
            "FINISH_REASON_EOS" => Some(Self::Eos),
            "FINISH_REASON_STOP" => Some(Self::Stop),
            "FINISH_REASON_LENGTH" => Some(Self::Length),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod generation_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    use tonic::codegen::http::Uri;
    /// Generates text. Metadata `rootstock-tenant` (an id) says whose a request is: tenants share what is computed by their weights, have
    /// queues of their own, and nothing of one is kept for another; requests without it are one tenant's. The adapter is bound at admission: what a request generates comes from that generation alone, unless a
    /// later one was published with the word that running requests switch to it, or end.
    #[derive(Debug, Clone)]
    pub struct GenerationServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl GenerationServiceClient<tonic::transport::Channel> {
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
    impl<T> GenerationServiceClient<T>
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
        ) -> GenerationServiceClient<InterceptedService<T, F>>
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
            GenerationServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Streams the generated text: one `started`, one `prompt` if its log-probabilities were asked for, any number of `delta`, one
        /// `finished`; with `sampling.n`, deltas and one `finished` for
        /// each completion, in whatever order they come. Cancelling the call stops the work within a step. Errors: INVALID_FIELD, NOT_FOUND (model or adapter: never answered by the base instead),
        /// BASE_MISMATCH, CONTEXT_TOO_LONG, INVALID_FILE (weights that give numbers that are not finite), ADAPTER_REPLACED,
        /// OVERLOADED, EXCEEDS_LIMIT, SHUTTING_DOWN, DEADLINE_EXCEEDED.
        pub async fn generate(
            &mut self,
            request: impl tonic::IntoRequest<super::GenerateRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::GenerateResponse>>,
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
                "/rootstock.inference.v1.GenerationService/Generate",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new(
                        "rootstock.inference.v1.GenerationService",
                        "Generate",
                    ),
                );
            self.inner.server_streaming(req, path, codec).await
        }
        /// Tells how likely continuations of a prompt are. All are computed with the versions that the request was bound to, whatever is
        /// published meanwhile. Cancelling the call stops the work within a step. Errors: as Generate, but for ADAPTER_REPLACED.
        pub async fn score(
            &mut self,
            request: impl tonic::IntoRequest<super::ScoreRequest>,
        ) -> std::result::Result<tonic::Response<super::ScoreResponse>, tonic::Status> {
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
                "/rootstock.inference.v1.GenerationService/Score",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(
                    GrpcMethod::new("rootstock.inference.v1.GenerationService", "Score"),
                );
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod generation_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value,
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with GenerationServiceServer.
    #[async_trait]
    pub trait GenerationService: std::marker::Send + std::marker::Sync + 'static {
        /// Server streaming response type for the Generate method.
        type GenerateStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::GenerateResponse, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Streams the generated text: one `started`, one `prompt` if its log-probabilities were asked for, any number of `delta`, one
        /// `finished`; with `sampling.n`, deltas and one `finished` for
        /// each completion, in whatever order they come. Cancelling the call stops the work within a step. Errors: INVALID_FIELD, NOT_FOUND (model or adapter: never answered by the base instead),
        /// BASE_MISMATCH, CONTEXT_TOO_LONG, INVALID_FILE (weights that give numbers that are not finite), ADAPTER_REPLACED,
        /// OVERLOADED, EXCEEDS_LIMIT, SHUTTING_DOWN, DEADLINE_EXCEEDED.
        async fn generate(
            &self,
            request: tonic::Request<super::GenerateRequest>,
        ) -> std::result::Result<tonic::Response<Self::GenerateStream>, tonic::Status>;
        /// Tells how likely continuations of a prompt are. All are computed with the versions that the request was bound to, whatever is
        /// published meanwhile. Cancelling the call stops the work within a step. Errors: as Generate, but for ADAPTER_REPLACED.
        async fn score(
            &self,
            request: tonic::Request<super::ScoreRequest>,
        ) -> std::result::Result<tonic::Response<super::ScoreResponse>, tonic::Status>;
    }
    /// Generates text. Metadata `rootstock-tenant` (an id) says whose a request is: tenants share what is computed by their weights, have
    /// queues of their own, and nothing of one is kept for another; requests without it are one tenant's. The adapter is bound at admission: what a request generates comes from that generation alone, unless a
    /// later one was published with the word that running requests switch to it, or end.
    #[derive(Debug)]
    pub struct GenerationServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> GenerationServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for GenerationServiceServer<T>
    where
        T: GenerationService,
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
                "/rootstock.inference.v1.GenerationService/Generate" => {
                    #[allow(non_camel_case_types)]
                    struct GenerateSvc<T: GenerationService>(pub Arc<T>);
                    impl<
                        T: GenerationService,
                    > tonic::server::ServerStreamingService<super::GenerateRequest>
                    for GenerateSvc<T> {
                        type Response = super::GenerateResponse;
                        type ResponseStream = T::GenerateStream;
                        type Future = BoxFuture<
                            tonic::Response<Self::ResponseStream>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GenerateRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as GenerationService>::generate(&inner, request).await
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
                        let method = GenerateSvc(inner);
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
                "/rootstock.inference.v1.GenerationService/Score" => {
                    #[allow(non_camel_case_types)]
                    struct ScoreSvc<T: GenerationService>(pub Arc<T>);
                    impl<
                        T: GenerationService,
                    > tonic::server::UnaryService<super::ScoreRequest> for ScoreSvc<T> {
                        type Response = super::ScoreResponse;
                        type Future = BoxFuture<
                            tonic::Response<Self::Response>,
                            tonic::Status,
                        >;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ScoreRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as GenerationService>::score(&inner, request).await
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
                        let method = ScoreSvc(inner);
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
    impl<T> Clone for GenerationServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "rootstock.inference.v1.GenerationService";
    impl<T> tonic::server::NamedService for GenerationServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
