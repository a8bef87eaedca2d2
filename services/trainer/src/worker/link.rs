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

impl Link {
    pub(super) fn new(clients: &Clients, args: &WorkerArgs) -> Self {
        let client = clients.with_deadline(args.lease_timeout / 2).worker();
        Self { client, name: args.job.clone(), token: args.token.clone() }
    }

    pub(super) async fn lease(&self) -> Result<proto::LeaseJobResponse, Fault> {
        let request = proto::LeaseJobRequest { name: self.name.clone(), lease_token: self.token.clone() };
        self.client.lease_job(request).await.map_err(fault)
    }

    /// Whether the job was cancelled.
    pub(super) async fn heartbeat(&self) -> Result<bool, Fault> {
        let request = proto::HeartbeatRequest { name: self.name.clone(), lease_token: self.token.clone() };
        Ok(self.client.heartbeat(request).await.map_err(fault)?.cancel)
    }

    /// That the job is still this worker's to finish.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        if self.heartbeat().await? { Err(Fault::Stop(Ended::Cancelled)) } else { Ok(()) }
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
