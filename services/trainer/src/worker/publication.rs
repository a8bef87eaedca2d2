//! The last phase of a job that publishes: its adapter is tried, evaluated, and published if it passes. What the service knows of it is
//! enough to go on from: a worker that is killed leaves nothing that the next one doesn't find.

mod evaluation;
mod trial;

use std::time::Duration;

use rootstock_client::Clients;
use rootstock_proto::training::v1::{self as proto, training_event::Event};

use super::{
    fault::Fault,
    link::Link,
    reporter::Reporter,
    stop::{Ended, Stop},
};
use crate::{
    canary::take_back,
    spec::{Publication, Spec},
};

/// Tries before the worker gives up, on top of those that clients make by themselves.
const TRIES: u32 = 8;
/// Pause after the first failed try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// A result on its way to an alias.
pub(super) struct Publishing {
    clients: Clients,
    reporter: Reporter,
    link: Link,
    /// `trainingJobs/{id}`.
    job: String,
    publication: Publication,
    /// Of the adapter, and of its base model.
    digest: String,
    base: String,
    /// Whether the service knows of it.
    stored: bool,
    /// What has been reported.
    result: proto::PublicationResult,
}

impl Publishing {
    /// What a job publishes of the result that it has stored, where it publishes.
    pub(super) fn of(
        lease: proto::LeaseJobResponse,
        digest: &str,
        clients: &Clients,
        reporter: &Reporter,
        link: &Link,
    ) -> Result<Option<Self>, Fault> {
        let job = lease.training_job.unwrap_or_default();
        let spec = Spec::try_from(&job.spec.unwrap_or_default());
        let spec = spec.map_err(|error| Fault::Job(error.to_string()))?;
        Ok(spec.publication.map(|publication| Self {
            clients: clients.clone(),
            reporter: reporter.clone(),
            link: link.clone(),
            stored: !job.result_digest.is_empty(),
            job: job.name,
            publication,
            digest: digest.to_owned(),
            base: lease.base_digest,
            result: job.publication_result.unwrap_or_default(),
        }))
    }

    /// Publishes the result or says why not; ends early when the worker shall stop.
    pub(super) async fn run(mut self, stop: &Stop) -> Result<(), Fault> {
        // At a pause too: the result needs no other training any more.
        stop.unless(self.begin()).await?;
        let decided = stop.unless_paused(self.decide()).await;
        match stop.check() {
            // A cancelled job is the service's to tidy up.
            Err(Fault::Stop(Ended::Paused)) if decided.is_err() => stop.unless(self.rest()).await,
            _ => decided,
        }
    }

    async fn decide(&mut self) -> Result<(), Fault> {
        let mut tried = 1;
        loop {
            match self.attempt().await {
                Err(Fault::Passing(reason)) if tried < TRIES => {
                    tracing::warn!(reason, "the publication can't go on; trying again");
                    tokio::time::sleep(PAUSE * 2_u32.pow(tried - 1)).await;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// Tells the service of the result, which it must know before anything is moved.
    async fn begin(&self) -> Result<(), Fault> {
        if !self.stored {
            let stored = proto::TrainingResultStored { digest: self.digest.clone() };
            self.reporter.event(Event::ResultStored(stored)).await?;
        }
        self.reporter.phase(proto::TrainingPhase::Publishing).await?;
        self.reporter.flush().await
    }

    /// Goes on from wherever the publication stands, to its end.
    async fn attempt(&mut self) -> Result<(), Fault> {
        if self.result.published {
            return Ok(());
        }
        let published = self.publish().await;
        self.settle(published).await
    }

    async fn settle(&mut self, published: Result<(), Fault>) -> Result<(), Fault> {
        match published {
            Err(Fault::Job(reason)) => self.refuse(reason).await,
            done => done,
        }
    }

    /// A fault of the job is why nothing is published.
    async fn publish(&mut self) -> Result<(), Fault> {
        if !self.result.reason.is_empty() {
            return Err(Fault::Job(self.result.reason.clone()));
        }
        let evaluation = match self.begun().await? {
            Some(begun) => begun,
            None => {
                self.stand_trial().await?;
                self.evaluate().await?
            }
        };
        let ended = self.ended(evaluation).await?;
        self.conclude(ended).await
    }

    /// Nothing is published: that is said first, so that whoever goes on from here does the same.
    async fn refuse(&mut self, reason: String) -> Result<(), Fault> {
        tracing::warn!(reason, "the adapter is not published");
        self.result.reason = reason;
        self.report().await?;
        if self.publication.canary.is_none() {
            return Ok(());
        }
        let name = self.publication.name.to_string();
        let taken = take_back(&self.clients, &name, &self.digest, 0).await;
        taken.map_err(|error| Fault::Passing(format!("the canary can't be taken back: {error}")))
    }

    /// Tells the service how far the publication has come; returns once it knows.
    async fn report(&self) -> Result<(), Fault> {
        self.reporter.event(Event::Publication(self.result.clone())).await?;
        self.reporter.flush().await
    }
}
