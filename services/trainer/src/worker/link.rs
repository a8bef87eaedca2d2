//! The worker's side of TrainingWorkerService.

use rootstock_client::{ClientError, Clients, ErrorReason, WorkerClient};
use rootstock_proto::training::v1 as proto;

use super::{args::WorkerArgs, fault::Fault, stop::Ended};

/// Speaks for one worker.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: WorkerClient,
    name: String,
    token: String,
}

/// What the service wants of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Work,
    /// The job is to be paused.
    Rest,
    /// The job was cancelled.
    End,
}

impl Link {
    pub(super) fn new(clients: &Clients, args: &WorkerArgs) -> Self {
        let client = clients.with_deadline(args.lease_timeout / 2).worker();
        Self { client, name: args.job.clone(), token: args.token.clone() }
    }

    pub(super) async fn lease(&self) -> Result<proto::LeaseJobResponse, Fault> {
        let request = proto::LeaseJobRequest { name: self.name.clone(), lease_token: self.token.clone() };
        self.client.lease_job(request).await.map_err(fault)
    }

    /// Says that the worker lives, and hears what it shall do.
    pub(super) async fn heartbeat(&self) -> Result<Wish, Fault> {
        let request = proto::HeartbeatRequest { name: self.name.clone(), lease_token: self.token.clone() };
        let answer = self.client.heartbeat(request).await.map_err(fault)?;
        Ok(match (answer.cancel, answer.pause) {
            (true, _) => Wish::End,
            (false, true) => Wish::Rest,
            (false, false) => Wish::Work,
        })
    }

    /// That the job is still this worker's to finish.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        match self.heartbeat().await? {
            Wish::End => Err(Fault::Stop(Ended::Cancelled)),
            // A pause comes with the heartbeats, and finds what is to be saved.
            Wish::Work | Wish::Rest => Ok(()),
        }
    }

    pub(super) async fn report(
        &self,
        first_sequence: i64,
        events: Vec<proto::TrainingEvent>,
        outcome: Option<proto::JobOutcome>,
    ) -> Result<(), Fault> {
        let (name, lease_token) = (self.name.clone(), self.token.clone());
        let request = proto::ReportEventsRequest { name, lease_token, first_sequence, events, outcome };
        match self.client.report_events(request).await.map_err(fault) {
            Ok(_) => Ok(()),
            // A cancelled job takes no reports either; only a heartbeat tells the two apart.
            Err(Fault::Stop(ended)) => {
                self.check().await?;
                Err(Fault::Stop(ended))
            }
            Err(fault) => Err(fault),
        }
    }
}

fn fault(error: ClientError) -> Fault {
    match error.reason {
        Some(ErrorReason::WrongState | ErrorReason::NotFound) => Fault::Stop(Ended::LeaseLost),
        Some(ErrorReason::InvalidField) => {
            Fault::Job(format!("the training service refused a report: {error}"))
        }
        _ => Fault::passing("the training service", error),
    }
}
