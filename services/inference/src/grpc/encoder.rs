//! EncoderService over gRPC. The server drops a call whose time is up, which ends its work within a pass.

use rootstock_proto::inference::v1::{self as proto, encoder_service_server::EncoderService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::encoders::{Classify, Encoders, FillMask};

/// The service that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) encoders: Encoders,
}

#[tonic::async_trait]
impl EncoderService for Api {
    async fn classify(
        &self,
        request: Request<proto::ClassifyRequest>,
    ) -> Result<Response<proto::ClassifyResponse>, Status> {
        let request = Classify::try_from(request.into_inner()).map_err(status)?;
        Ok(Response::new(self.encoders.classify(request).await.map_err(status)?.into()))
    }

    async fn fill_mask(
        &self,
        request: Request<proto::FillMaskRequest>,
    ) -> Result<Response<proto::FillMaskResponse>, Status> {
        let request = FillMask::try_from(request.into_inner()).map_err(status)?;
        Ok(Response::new(self.encoders.fill_mask(request).await.map_err(status)?.into()))
    }
}
