//! From the contract to domain types and back: what comes out of here needs no further checks.

mod added_tokens;
mod arguments;
mod bottleneck;
mod data;
mod encoder;
mod forgetting;
mod full;
mod infilling;
mod lora;
mod mix;
mod numbers;
mod optim;
mod publication;
mod scheduler;
mod spec;
mod stages;
mod supervised;
mod virtual_tokens;

use prost_types::Timestamp;
use rootstock_artifacts::Id;
use rootstock_proto::training::v1 as proto;
use tonic::metadata::MetadataMap;

use crate::{
    error::Error,
    names::JobId,
    spec::Spec,
    store::{Job, Lease, State},
};

pub(crate) use data::{About, Audit, Clean, Looked, Report as DataReport, cleaned};
pub(crate) use encoder::encoder_config;
pub(crate) use lora::lora_config;
pub(crate) use publication::published_name;
pub(crate) use spec::{frozen_format, model_config, product_format};
pub(crate) use virtual_tokens::virtual_tokens_config;

/// The metadata key that names a request's tenant.
const TENANT: &str = "rootstock-tenant";
/// Longest `request_id`.
const MAX_REQUEST_ID: usize = 64;
/// Rows of a page when the request leaves it open.
const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most rows of a page.
const MAX_PAGE_SIZE: u32 = 1000;

/// A checked CreateTrainingJobRequest.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) id: Option<JobId>,
    pub(crate) request_id: Option<String>,
    pub(crate) spec: Spec,
    /// The specification as the client wrote it, which is what the client gets back.
    pub(crate) written: proto::TrainingSpec,
    pub(crate) validate_only: bool,
}

impl TryFrom<proto::CreateTrainingJobRequest> for Create {
    type Error = Error;

    fn try_from(request: proto::CreateTrainingJobRequest) -> Result<Self, Error> {
        let id = match request.training_job_id.as_str() {
            "" => None,
            id => Some(JobId::parse(id).ok_or_else(|| bad_id("training_job_id"))?),
        };
        if request.request_id.chars().count() > MAX_REQUEST_ID {
            let message = format!("must have at most {MAX_REQUEST_ID} characters");
            return Err(Error::invalid("request_id", message));
        }
        let written = request.spec.ok_or_else(|| Error::invalid("spec", "is missing; say what to train"))?;
        Ok(Self {
            id,
            request_id: Some(request.request_id).filter(|id| !id.is_empty()),
            spec: Spec::try_from(&written)?,
            written,
            validate_only: request.validate_only,
        })
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) size: u32,
    /// Only jobs created before the one with this number.
    pub(crate) before: Option<i64>,
}

impl TryFrom<proto::ListTrainingJobsRequest> for Page {
    type Error = Error;

    fn try_from(request: proto::ListTrainingJobsRequest) -> Result<Self, Error> {
        let size = match u32::try_from(request.page_size) {
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
            Ok(0) => DEFAULT_PAGE_SIZE,
            Ok(size) => size.min(MAX_PAGE_SIZE),
        };
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(page_token(token)?),
        };
        Ok(Self { size, before })
    }
}

fn page_token(token: &str) -> Result<i64, Error> {
    let number = token.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Error::invalid("page_token", "is not one that this call returned; begin again without")
    })
}

/// A checked VerifyTrainingJobRequest.
#[derive(Clone, Debug)]
pub(crate) struct Verify {
    pub(crate) id: JobId,
    pub(crate) from_beginning: bool,
    /// 0 is no limit.
    pub(crate) max_steps: i64,
}

impl TryFrom<proto::VerifyTrainingJobRequest> for Verify {
    type Error = Error;

    fn try_from(request: proto::VerifyTrainingJobRequest) -> Result<Self, Error> {
        if request.max_steps < 0 {
            return Err(Error::invalid("max_steps", "must not be negative; 0 is no limit"));
        }
        let id = job_id(&request.name)?;
        Ok(Self { id, from_beginning: request.from_beginning, max_steps: request.max_steps })
    }
}

/// A checked ReportEventsRequest.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) first_sequence: i64,
    pub(crate) events: Vec<proto::training_event::Event>,
    pub(crate) outcome: Option<Outcome>,
}

/// How a worker says its job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded { result_digest: String },
    Failed { error: String },
}

/// Most events in a report.
pub(crate) const MAX_REPORTED_EVENTS: usize = 256;
/// Longest error message kept of a worker, in characters.
const MAX_ERROR: usize = 4096;

impl TryFrom<proto::ReportEventsRequest> for Report {
    type Error = Error;

    fn try_from(request: proto::ReportEventsRequest) -> Result<Self, Error> {
        if request.events.len() > MAX_REPORTED_EVENTS {
            return Err(Error::invalid("events", format!("must be at most {MAX_REPORTED_EVENTS}")));
        }
        if request.first_sequence < 1 {
            return Err(Error::invalid("first_sequence", "counts from 1"));
        }
        let events = request.events.into_iter().enumerate().map(|(i, event)| reported(i, event));
        Ok(Self {
            first_sequence: request.first_sequence,
            events: events.collect::<Result<_, _>>()?,
            outcome: request.outcome.map(Outcome::try_from).transpose()?,
        })
    }
}

fn reported(index: usize, event: proto::TrainingEvent) -> Result<proto::training_event::Event, Error> {
    use proto::training_event::Event;
    let refuse = |problem: &str| Err(Error::invalid(format!("events[{index}].event"), problem));
    match event.event {
        None => refuse("is missing"),
        Some(Event::StateChange(_)) => refuse("must not be a state change: those are the service's"),
        Some(Event::StateSaved(saved)) if !crate::names::is_digest(&saved.digest) => {
            refuse("must name the saved state by digest")
        }
        Some(Event::ResultStored(stored)) if !crate::names::is_digest(&stored.digest) => {
            refuse("must name the result by digest")
        }
        Some(event) => Ok(event),
    }
}

impl TryFrom<proto::JobOutcome> for Outcome {
    type Error = Error;

    fn try_from(outcome: proto::JobOutcome) -> Result<Self, Error> {
        match (outcome.result_digest.as_str(), outcome.error.as_str()) {
            ("", "") => Err(Error::invalid("outcome", "must have result_digest or error")),
            ("", error) => Ok(Self::Failed { error: error.chars().take(MAX_ERROR).collect() }),
            (digest, "") if crate::names::is_digest(digest) => {
                Ok(Self::Succeeded { result_digest: outcome.result_digest })
            }
            (_, "") => {
                Err(Error::invalid("outcome.result_digest", "must be sha256: and 64 hexadecimal digits"))
            }
            _ => Err(Error::invalid("outcome", "must not have both result_digest and error")),
        }
    }
}

/// Whose a job is, by its request's metadata; those that don't say are one tenant's, without a name.
pub(crate) fn tenant(metadata: &MetadataMap) -> Result<String, Error> {
    let Some(value) = metadata.get(TENANT) else { return Ok(String::new()) };
    let name = value.to_str().ok().filter(|name| name.parse::<Id>().is_ok());
    name.map(str::to_owned).ok_or_else(|| bad_id(TENANT))
}

/// The job's id out of a request's `name`.
pub(crate) fn job_id(name: &str) -> Result<JobId, Error> {
    JobId::from_name(name).ok_or_else(|| Error::invalid("name", "must be trainingJobs/{id}"))
}

/// The event id of a request's `after_event_id`.
pub(crate) fn after_event_id(id: i64) -> Result<i64, Error> {
    if id < 0 { Err(Error::invalid("after_event_id", "must not be negative")) } else { Ok(id) }
}

fn bad_id(field: &str) -> Error {
    Error::invalid(field, "must match [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
}

impl From<State> for proto::TrainingJobState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
            State::Paused => Self::Paused,
            State::Pausing => Self::Pausing,
        }
    }
}

impl From<Job> for proto::TrainingJob {
    fn from(job: Job) -> Self {
        Self {
            name: job.id.to_string(),
            spec: Some(job.spec),
            state: proto::TrainingJobState::from(job.state).into(),
            progress: job.progress,
            result_digest: job.result_digest,
            error: job.error,
            create_time: Some(timestamp(job.create_micros)),
            start_time: job.start_micros.map(timestamp),
            end_time: job.end_micros.map(timestamp),
            attempts: i32::try_from(job.attempts).unwrap_or(i32::MAX),
            queue_position: job.queue_position,
            data_ready: job.data_ready,
            publication_result: job.publication,
        }
    }
}

impl From<Lease> for proto::LeaseJobResponse {
    fn from(lease: Lease) -> Self {
        let (resume_step, resume_digest) = lease.resume.unwrap_or_default();
        let resolved = lease.job.resolved.clone();
        let mut job = proto::TrainingJob::from(lease.job);
        if let Some(publication) = job.spec.as_mut().and_then(|spec| spec.publication.as_mut()) {
            publication.dataset = resolved.publication_digest;
        }
        Self {
            training_job: Some(job),
            dataset_digest: resolved.dataset_digest,
            mix_digests: resolved.mix_digests,
            validation_dataset_digest: resolved.validation_dataset_digest,
            base_digest: resolved.base_digest,
            adapter_digest: resolved.adapter_digest,
            fisher_digest: resolved.fisher_digest,
            replay_digest: resolved.replay_digest,
            retention_digest: resolved.retention_digest,
            optimizer_digest: resolved.optimizer_digest,
            tokenizer_artifact_digest: resolved.tokenizer_artifact_digest,
            tokenizer_digest: resolved.tokenizer_digest,
            resume_digest,
            resume_step,
        }
    }
}

const MICROS: i64 = 1_000_000;

/// Microseconds since 1970 as the contract writes a time.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    let nanos = (micros.rem_euclid(MICROS) * 1000) as i32;
    Timestamp { seconds: micros.div_euclid(MICROS), nanos }
}

#[cfg(test)]
pub(crate) mod tests;
