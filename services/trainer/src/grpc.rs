//! TrainingService over gRPC: decode, call, encode.

pub(crate) mod worker;

use std::pin::Pin;

use futures::{Stream, StreamExt};
use rootstock_proto::training::v1::{self as proto, training_service_server::TrainingService};
use rootstock_runtime::status;
use tonic::{Request, Response, Status};

use crate::{
    convert::{Audit, Clean, Create, Page, Verify, after_event_id, job_id, tenant},
    data::DataDesk,
    jobs::Jobs,
};

/// The service that clients see.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) jobs: Jobs,
    pub(crate) data: DataDesk,
}

#[tonic::async_trait]
impl TrainingService for Api {
    async fn create_training_job(
        &self,
        request: Request<proto::CreateTrainingJobRequest>,
    ) -> Result<Response<proto::CreateTrainingJobResponse>, Status> {
        let tenant = tenant(request.metadata()).map_err(status)?;
        let create = Create::try_from(request.into_inner()).map_err(status)?;
        let job = self.jobs.create(create, tenant).await.map_err(status)?;
        Ok(Response::new(proto::CreateTrainingJobResponse { training_job: Some(job.into()) }))
    }

    async fn get_training_job(
        &self,
        request: Request<proto::GetTrainingJobRequest>,
    ) -> Result<Response<proto::GetTrainingJobResponse>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        let job = self.jobs.get(&id).await.map_err(status)?;
        Ok(Response::new(proto::GetTrainingJobResponse { training_job: Some(job.into()) }))
    }

    async fn list_training_jobs(
        &self,
        request: Request<proto::ListTrainingJobsRequest>,
    ) -> Result<Response<proto::ListTrainingJobsResponse>, Status> {
        let page = Page::try_from(request.into_inner()).map_err(status)?;
        let (jobs, next_page_token) = self.jobs.list(page).await.map_err(status)?;
        let training_jobs = jobs.into_iter().map(proto::TrainingJob::from).collect();
        Ok(Response::new(proto::ListTrainingJobsResponse { training_jobs, next_page_token }))
    }

    async fn cancel_training_job(
        &self,
        request: Request<proto::CancelTrainingJobRequest>,
    ) -> Result<Response<proto::CancelTrainingJobResponse>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        let job = self.jobs.cancel(&id).await.map_err(status)?;
        Ok(Response::new(proto::CancelTrainingJobResponse { training_job: Some(job.into()) }))
    }

    async fn pause_training_job(
        &self,
        request: Request<proto::PauseTrainingJobRequest>,
    ) -> Result<Response<proto::PauseTrainingJobResponse>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        let job = self.jobs.pause(&id).await.map_err(status)?;
        Ok(Response::new(proto::PauseTrainingJobResponse { training_job: Some(job.into()) }))
    }

    async fn resume_training_job(
        &self,
        request: Request<proto::ResumeTrainingJobRequest>,
    ) -> Result<Response<proto::ResumeTrainingJobResponse>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        let job = self.jobs.resume(&id).await.map_err(status)?;
        Ok(Response::new(proto::ResumeTrainingJobResponse { training_job: Some(job.into()) }))
    }

    async fn verify_training_job(
        &self,
        request: Request<proto::VerifyTrainingJobRequest>,
    ) -> Result<Response<proto::VerifyTrainingJobResponse>, Status> {
        let wanted = Verify::try_from(request.into_inner()).map_err(status)?;
        let checks = self.jobs.verifier.verify(wanted).await.map_err(status)?;
        Ok(Response::new(proto::VerifyTrainingJobResponse { checks }))
    }

    async fn delete_training_job(
        &self,
        request: Request<proto::DeleteTrainingJobRequest>,
    ) -> Result<Response<proto::DeleteTrainingJobResponse>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        self.jobs.delete(&id).await.map_err(status)?;
        Ok(Response::new(proto::DeleteTrainingJobResponse {}))
    }

    type WatchTrainingJobStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchTrainingJobResponse, Status>> + Send>>;

    async fn watch_training_job(
        &self,
        request: Request<proto::WatchTrainingJobRequest>,
    ) -> Result<Response<Self::WatchTrainingJobStream>, Status> {
        let id = job_id(&request.get_ref().name).map_err(status)?;
        let after = after_event_id(request.get_ref().after_event_id).map_err(status)?;
        let events = self.jobs.watches.open(id, after).await.map_err(status)?;
        let encode = |event| proto::WatchTrainingJobResponse { event: Some(event) };
        Ok(Response::new(Box::pin(events.map(move |event| event.map(encode).map_err(status)))))
    }

    async fn audit_dataset(
        &self,
        request: Request<proto::AuditDatasetRequest>,
    ) -> Result<Response<proto::AuditDatasetResponse>, Status> {
        let audit = Audit::try_from(request.into_inner()).map_err(status)?;
        Box::pin(self.data.audit(audit)).await.map(Response::new).map_err(status)
    }

    async fn clean_dataset(
        &self,
        request: Request<proto::CleanDatasetRequest>,
    ) -> Result<Response<proto::CleanDatasetResponse>, Status> {
        let clean = Clean::try_from(request.into_inner()).map_err(status)?;
        Box::pin(self.data.clean(clean)).await.map(Response::new).map_err(status)
    }
}
