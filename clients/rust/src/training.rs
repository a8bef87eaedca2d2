//! The client of TrainingService.
use rootstock_proto::training::v1::training_service_client::TrainingServiceClient;
use rootstock_proto::training::v1::{
    AuditDatasetRequest, AuditDatasetResponse, CancelTrainingJobRequest, CleanDatasetRequest,
    CleanDatasetResponse, CreateTrainingJobRequest, DeleteTrainingJobRequest, GetTrainingJobRequest,
    ListTrainingJobsRequest, PauseTrainingJobRequest, ResumeTrainingJobRequest, TrainingCheck, TrainingEvent,
    TrainingJob, VerifyTrainingJobRequest, WatchTrainingJobRequest,
};

use futures::StreamExt;

use crate::call::unary;
use crate::clients::service_client;
use crate::stream::{End, Watch};
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Creates and follows training jobs.
    TrainingClient, TrainingServiceClient<Transport>
}

impl TrainingClient {
    /// Creates a job. An empty `request_id` is filled in, so that a lost answer doesn't create it twice.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, ALREADY_EXISTS, TOKENIZER_MISMATCH, OVERLOADED, DEPENDENCY_UNAVAILABLE, or the
    /// connection's.
    pub async fn create_training_job(
        &self,
        mut request: CreateTrainingJobRequest,
    ) -> Result<TrainingJob, ClientError> {
        if request.request_id.is_empty() {
            request.request_id = uuid::Uuid::now_v7().to_string();
        }
        // A specification is large, and so would be every future that waits for this one.
        Box::pin(self.create(request)).await
    }

    async fn create(&self, request: CreateTrainingJobRequest) -> Result<TrainingJob, ClientError> {
        job(unary!(self.idempotent, create_training_job, request)?.training_job)
    }

    /// Returns one job.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn get_training_job(&self, name: impl Into<String>) -> Result<TrainingJob, ClientError> {
        job(unary!(self.idempotent, get_training_job, GetTrainingJobRequest { name: name.into() })?
            .training_job)
    }

    /// Lists all jobs, newest first.
    ///
    /// # Errors
    /// The connection's.
    pub async fn list_training_jobs(&self) -> Result<Vec<TrainingJob>, ClientError> {
        let mut jobs = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListTrainingJobsRequest { page_size: 0, page_token };
            let page = unary!(self.idempotent, list_training_jobs, request)?;
            jobs.extend(page.training_jobs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(jobs);
            }
        }
    }

    /// Stops a job.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, or the connection's.
    pub async fn cancel_training_job(&self, name: impl Into<String>) -> Result<TrainingJob, ClientError> {
        let request = CancelTrainingJobRequest { name: name.into() };
        job(unary!(self.once, cancel_training_job, request)?.training_job)
    }

    /// Stops computing a job until it is resumed.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, or the connection's.
    pub async fn pause_training_job(&self, name: impl Into<String>) -> Result<TrainingJob, ClientError> {
        let request = PauseTrainingJobRequest { name: name.into() };
        job(unary!(self.idempotent, pause_training_job, request)?.training_job)
    }

    /// Queues a paused job again.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, OVERLOADED, or the connection's.
    pub async fn resume_training_job(&self, name: impl Into<String>) -> Result<TrainingJob, ClientError> {
        let request = ResumeTrainingJobRequest { name: name.into() };
        job(unary!(self.once, resume_training_job, request)?.training_job)
    }

    /// Makes steps of a job again and tells what was compared with what there is; takes as long as the steps took.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, OVERLOADED, INTERNAL, or the connection's.
    pub async fn verify_training_job(
        &self,
        request: VerifyTrainingJobRequest,
    ) -> Result<Vec<TrainingCheck>, ClientError> {
        Ok(unary!(self, self.caller.long(), once, verify_training_job, request)?.checks)
    }

    /// Forgets a job that has ended.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, WRONG_STATE, or the connection's.
    pub async fn delete_training_job(&self, name: impl Into<String>) -> Result<(), ClientError> {
        unary!(self.once, delete_training_job, DeleteTrainingJobRequest { name: name.into() })?;
        Ok(())
    }

    /// Reads the data of a specification as its job would, and tells what is wrong or suspicious. May take long.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, TOKENIZER_MISMATCH, OVERLOADED, DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn audit_dataset(
        &self,
        request: AuditDatasetRequest,
    ) -> Result<AuditDatasetResponse, ClientError> {
        Box::pin(self.audit(request)).await
    }

    async fn audit(&self, request: AuditDatasetRequest) -> Result<AuditDatasetResponse, ClientError> {
        unary!(self, self.caller.long(), once, audit_dataset, request)
    }

    /// Makes a new version of a data set without the records that filters take out. May take long.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, OVERLOADED, DEPENDENCY_UNAVAILABLE, or the connection's.
    pub async fn clean_dataset(
        &self,
        request: CleanDatasetRequest,
    ) -> Result<CleanDatasetResponse, ClientError> {
        unary!(self, self.caller.long(), once, clean_dataset, request)
    }

    /// Streams a job's events after `after_event_id` (0: from the first) until the job has ended; goes on by itself
    /// after a cut, without loss or repetition.
    pub fn watch_training_job(
        &self,
        name: impl Into<String>,
        after_event_id: i64,
    ) -> EventStream<TrainingEvent> {
        let (raw, name) = (self.raw(), name.into());
        let open = move |after_event_id| {
            let (mut raw, name) = (raw.clone(), name.clone());
            async move {
                let request = WatchTrainingJobRequest { name, after_event_id };
                Ok(raw.watch_training_job(request).await?.into_inner())
            }
        };
        let watch = Watch {
            open,
            event_id: event_id_of,
            after: after_event_id,
            end: End::Final,
            max_outage: self.caller.max_outage,
        };
        stream::resuming(watch)
            .filter_map(|message| async { message.map(|message| message.event).transpose() })
            .boxed()
    }
}

fn event_id_of(message: &rootstock_proto::training::v1::WatchTrainingJobResponse) -> i64 {
    message.event.as_ref().map_or(0, |event| event.event_id)
}

fn job(job: Option<TrainingJob>) -> Result<TrainingJob, ClientError> {
    job.ok_or_else(|| ClientError::incomplete("training_job"))
}
