//! AdapterService over gRPC.

use std::time::Instant;

use rootstock_proto::inference::v1::{self as proto, adapter_service_server::AdapterService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::{
    convert::{ListAdapters, Publish, Rollback},
    publish::Publisher,
};

/// The service that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) publisher: Publisher,
}

#[tonic::async_trait]
impl AdapterService for Api {
    async fn publish_adapter(
        &self,
        request: Request<proto::PublishAdapterRequest>,
    ) -> Result<Response<proto::PublishAdapterResponse>, Status> {
        let received = Instant::now();
        let Publish { name, digest, expected_generation } =
            Publish::try_from(request.into_inner()).map_err(status)?;
        let published = self.publisher.publish(&name, digest, expected_generation, received).await;
        Ok(Response::new(published.map_err(status)?.into()))
    }

    async fn rollback_adapter(
        &self,
        request: Request<proto::RollbackAdapterRequest>,
    ) -> Result<Response<proto::RollbackAdapterResponse>, Status> {
        let received = Instant::now();
        let Rollback { name, to_generation } = Rollback::try_from(request.into_inner()).map_err(status)?;
        let published = self.publisher.rollback(&name, to_generation, received).await;
        Ok(Response::new(published.map_err(status)?.into()))
    }

    async fn list_adapters(
        &self,
        request: Request<proto::ListAdaptersRequest>,
    ) -> Result<Response<proto::ListAdaptersResponse>, Status> {
        let ListAdapters { page_size, after } =
            ListAdapters::try_from(request.into_inner()).map_err(status)?;
        let mut adapters = self.publisher.list(after.as_ref(), page_size + 1);
        let more = adapters.len() > page_size;
        adapters.truncate(page_size);
        let last = adapters.last().filter(|_| more).map(|adapter| adapter.alias.name.to_string());
        Ok(Response::new(proto::ListAdaptersResponse {
            adapters: adapters.into_iter().map(Into::into).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }
}
