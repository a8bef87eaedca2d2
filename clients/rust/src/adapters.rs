//! The client of AdapterService.
use rootstock_proto::inference::v1::adapter_service_client::AdapterServiceClient;
use rootstock_proto::inference::v1::{
    Adapter, ListAdaptersRequest, PublishAdapterRequest, PublishAdapterResponse, RollbackAdapterRequest,
    RollbackAdapterResponse,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::{ClientError, Transport};

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
        let request = PublishAdapterRequest { name: name.into(), digest: digest.into(), expected_generation };
        unary!(self.once, publish_adapter, request)
    }

    /// Publishes an earlier version again: that of `to_generation`, or with 0 the one before the present one.
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
