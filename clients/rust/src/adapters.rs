//! The client of AdapterService.
use rootstock_proto::inference::v1::adapter_service_client::AdapterServiceClient;
use rootstock_proto::inference::v1::{
    Adapter, ListAdaptersRequest, PinAdapterRequest, PublishAdapterRequest, PublishAdapterResponse,
    RetireAdapterRequest, RollbackAdapterRequest, RollbackAdapterResponse, WatchAdaptersRequest,
    WatchAdaptersResponse,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Publishes adapter versions.
    AdapterClient, AdapterServiceClient<Transport>
}

impl AdapterClient {
    /// Publishes a version of an adapter; with `expected_generation` only if the alias is there.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, BASE_MISMATCH, TOKENIZER_MISMATCH, TENSOR_MISMATCH, INVALID_FILE, ALIAS_MOVED,
    /// CORRUPT, DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn publish_adapter(
        &self,
        name: impl Into<String>,
        digest: impl Into<String>,
        expected_generation: Option<i64>,
    ) -> Result<PublishAdapterResponse, ClientError> {
        let (name, digest) = (name.into(), digest.into());
        let request =
            PublishAdapterRequest { name, digest, expected_generation, ..PublishAdapterRequest::default() };
        self.publish(request).await
    }

    /// The same with all that a publish can say: a canary's share, what running requests do.
    ///
    /// # Errors
    /// As [`publish_adapter`](Self::publish_adapter), WRONG_STATE for a canary where nothing is published, and OVERLOADED.
    pub async fn publish(
        &self,
        request: PublishAdapterRequest,
    ) -> Result<PublishAdapterResponse, ClientError> {
        unary!(self.once, publish_adapter, request)
    }

    /// Publishes an earlier version again: that of `to_generation`, or with 0 the one before the present one was first set.
    ///
    /// # Errors
    /// As [`publish_adapter`](Self::publish_adapter), and NO_PREVIOUS_VERSION.
    pub async fn rollback_adapter(
        &self,
        name: impl Into<String>,
        to_generation: i64,
    ) -> Result<RollbackAdapterResponse, ClientError> {
        unary!(self.once, rollback_adapter, RollbackAdapterRequest { name: name.into(), to_generation })
    }

    /// Takes an adapter out of service, with `expected_generation` only if the alias is there; gives the generation at
    /// which it was retired.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, ALIAS_MOVED, DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn retire_adapter(
        &self,
        name: impl Into<String>,
        expected_generation: Option<i64>,
    ) -> Result<i64, ClientError> {
        let request = RetireAdapterRequest { name: name.into(), expected_generation };
        Ok(unary!(self.once, retire_adapter, request)?.generation)
    }

    /// Keeps an adapter's version in the memory of every server, or lets it go.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, OVERLOADED, ALIAS_MOVED, DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn pin_adapter(&self, name: impl Into<String>, pinned: bool) -> Result<Adapter, ClientError> {
        let response = unary!(self.once, pin_adapter, PinAdapterRequest { name: name.into(), pinned })?;
        response.adapter.ok_or_else(|| ClientError::incomplete("adapter"))
    }

    /// Streams all published adapters as one server has them, then those that change. Ends with the connection: what a
    /// server holds is its own, so another one has nothing to go on with.
    ///
    /// # Errors
    /// The connection's.
    pub async fn watch_adapters(&self) -> Result<EventStream<WatchAdaptersResponse>, ClientError> {
        let streaming = self.raw().watch_adapters(WatchAdaptersRequest {}).await?;
        Ok(stream::plain(streaming.into_inner()))
    }

    /// Lists all published adapters, by name.
    ///
    /// # Errors
    /// The connection's.
    pub async fn list_adapters(&self) -> Result<Vec<Adapter>, ClientError> {
        let mut adapters = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListAdaptersRequest { page_size: 0, page_token };
            let page = unary!(self.idempotent, list_adapters, request)?;
            adapters.extend(page.adapters);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(adapters);
            }
        }
    }
}
