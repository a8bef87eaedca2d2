//! The client of TrainingWorkerService: what a worker process says to the service that started it.
use rootstock_proto::training::v1::training_worker_service_client::TrainingWorkerServiceClient;
use rootstock_proto::training::v1::{
    HeartbeatRequest, HeartbeatResponse, LeaseJobRequest, LeaseJobResponse, ReportEventsRequest,
    ReportEventsResponse,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::{ClientError, Transport};

service_client! {
    /// Leases a job and reports on it. All its calls are idempotent: the lease by its token, reports by sequence.
    WorkerClient, TrainingWorkerServiceClient<Transport>
}

impl WorkerClient {
    /// Leases the job.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub async fn lease_job(&self, request: LeaseJobRequest) -> Result<LeaseJobResponse, ClientError> {
        unary!(self.idempotent, lease_job, request)
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub async fn heartbeat(&self, request: HeartbeatRequest) -> Result<HeartbeatResponse, ClientError> {
        unary!(self.idempotent, heartbeat, request)
    }

    /// Reports events.
    ///
    /// # Errors
    /// The server's, or the connection's.
    pub async fn report_events(
        &self,
        request: ReportEventsRequest,
    ) -> Result<ReportEventsResponse, ClientError> {
        unary!(self.idempotent, report_events, request)
    }
}
