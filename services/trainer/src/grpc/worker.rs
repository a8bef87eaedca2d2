//! TrainingWorkerService over gRPC: what only the workers call that this service has started.

use rootstock_proto::training::v1::{self as proto, training_worker_service_server::TrainingWorkerService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::{
    convert::{Report, job_id},
    jobs::Jobs,
    store::Wish,
};

/// The service that workers see.
#[derive(Clone, Debug)]
pub(crate) struct WorkerApi {
    pub(crate) jobs: Jobs,
}

#[tonic::async_trait]
impl TrainingWorkerService for WorkerApi {
    async fn lease_job(
        &self,
        request: Request<proto::LeaseJobRequest>,
    ) -> Result<Response<proto::LeaseJobResponse>, Status> {
        let request = request.into_inner();
        let id = job_id(&request.name).map_err(status)?;
        let lease = self.jobs.lease(&id, &request.lease_token).await.map_err(status)?;
        Ok(Response::new(lease.into()))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let id = job_id(&request.name).map_err(status)?;
        let wish = self.jobs.heartbeat(&id, &request.lease_token).await.map_err(status)?;
        Ok(Response::new(proto::HeartbeatResponse { cancel: wish == Wish::End, pause: wish == Wish::Rest }))
    }

    async fn report_events(
        &self,
        request: Request<proto::ReportEventsRequest>,
    ) -> Result<Response<proto::ReportEventsResponse>, Status> {
        let request = request.into_inner();
        let id = job_id(&request.name).map_err(status)?;
        let token = request.lease_token.clone();
        let report = Report::try_from(request).map_err(status)?;
        self.jobs.report(&id, &token, report).await.map_err(status)?;
        Ok(Response::new(proto::ReportEventsResponse {}))
    }
}
