//! AdapterService over gRPC.

use std::{pin::Pin, time::Instant};

use futures::{Stream, StreamExt};
use rootstock_proto::inference::v1::{self as proto, adapter_service_server::AdapterService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::{
    convert::{ListAdapters, Retire, Rollback, adapter_name},
    publish::{Publish, Publisher},
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
        let publish = Publish::try_from(request.into_inner()).map_err(status)?;
        let published = self.publisher.publish(publish, received).await;
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

    async fn retire_adapter(
        &self,
        request: Request<proto::RetireAdapterRequest>,
    ) -> Result<Response<proto::RetireAdapterResponse>, Status> {
        let Retire { name, expected } = Retire::try_from(request.into_inner()).map_err(status)?;
        let generation = self.publisher.retire(&name, expected).await.map_err(status)?;
        Ok(Response::new(proto::RetireAdapterResponse { generation }))
    }

    async fn pin_adapter(
        &self,
        request: Request<proto::PinAdapterRequest>,
    ) -> Result<Response<proto::PinAdapterResponse>, Status> {
        let proto::PinAdapterRequest { name, pinned } = request.into_inner();
        let name = adapter_name("name", &name).map_err(status)?;
        let adapter = self.publisher.pin(&name, pinned).await.map_err(status)?;
        Ok(Response::new(proto::PinAdapterResponse { adapter: Some(adapter.into()) }))
    }

    type WatchAdaptersStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchAdaptersResponse, Status>> + Send>>;

    async fn watch_adapters(
        &self,
        _: Request<proto::WatchAdaptersRequest>,
    ) -> Result<Response<Self::WatchAdaptersStream>, Status> {
        let changes = self.publisher.residency.watch();
        Ok(Response::new(changes.map(|changes| changes.map(Into::into).map_err(status)).boxed()))
    }

    async fn list_adapters(
        &self,
        request: Request<proto::ListAdaptersRequest>,
    ) -> Result<Response<proto::ListAdaptersResponse>, Status> {
        let ListAdapters { page_size, after } =
            ListAdapters::try_from(request.into_inner()).map_err(status)?;
        let listed = self.publisher.residency.list(after, page_size + 1).await;
        let mut adapters = listed.map_err(status)?;
        let more = adapters.len() > page_size;
        adapters.truncate(page_size);
        let last = adapters.last().filter(|_| more).map(|adapter| adapter.alias.name.to_string());
        Ok(Response::new(proto::ListAdaptersResponse {
            adapters: adapters.into_iter().map(Into::into).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }
}
