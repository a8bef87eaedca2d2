//! The evaluation that decides about an adapter. Its gate publishes it, so that judging and publishing can't come apart.

use futures::StreamExt;
use rootstock_client::ErrorReason;
use rootstock_proto::inference::v1::{
    CreateEvaluationRequest, Evaluation, EvaluationGate, EvaluationSpec, EvaluationState,
};

use super::Publishing;
use crate::{
    canary::standing,
    worker::{fault::Fault, stop::Ended},
};

/// What an evaluation's name starts with, and a job's.
const EVALUATIONS: &str = "evaluations/";
const JOBS: &str = "trainingJobs/";
/// Characters of a job's id that its evaluations' ids begin with; what follows makes an id of at most 63.
const JOB_CHARS: usize = 30;

impl Publishing {
    /// The evaluation that was begun, unless a pause has ended it.
    pub(super) async fn begun(&mut self) -> Result<Option<Evaluation>, Fault> {
        if self.result.evaluation.is_empty() {
            return Ok(None);
        }
        match self.clients.evaluation().get_evaluation(&self.result.evaluation).await {
            Ok(begun) if begun.state() != EvaluationState::Cancelled => return Ok(Some(begun)),
            Ok(_) => self.result.evaluation.clear(),
            Err(error) if error.is(ErrorReason::NotFound) => {}
            Err(error) => return Err(Fault::remote("the evaluation", &error)),
        }
        Ok(None)
    }

    /// Begins the evaluation, whose name the service knows before there is one.
    pub(super) async fn evaluate(&mut self) -> Result<Evaluation, Fault> {
        if self.result.evaluation.is_empty() {
            self.result.evaluation = format!("{EVALUATIONS}{}", fresh_id(&self.job));
            self.report().await?;
        }
        self.link.check().await?;
        let id = self.result.evaluation.trim_start_matches(EVALUATIONS).to_owned();
        let spec = Some(self.asked().await?);
        let request = CreateEvaluationRequest { evaluation_id: id.clone(), spec, request_id: id };
        let created = self.clients.evaluation().create_evaluation(request).await;
        created.map_err(|error| Fault::remote("the adapter can't be evaluated", &error))
    }

    async fn asked(&self) -> Result<EvaluationSpec, Fault> {
        let wanted = &self.publication;
        let baseline = self.baseline().await?;
        let improvement = wanted.improvement.as_ref();
        let gate = EvaluationGate {
            metric: wanted.metric.into(),
            candidate: 0,
            threshold: wanted.threshold,
            baseline: baseline.as_ref().map(|_| 1),
            min_improvement: improvement.map(|improvement| improvement.least),
            max_p_value: improvement.and_then(|improvement| improvement.max_p_value),
        };
        Ok(EvaluationSpec {
            dataset: wanted.dataset.to_string(),
            model: self.base.clone(),
            targets: [self.digest.clone()].into_iter().chain(baseline).collect(),
            prompt_template: wanted.prompt_template.name().to_owned(),
            max_tokens: wanted.max_tokens,
            gate: Some(gate),
            publish: wanted.name.to_string(),
        })
    }

    /// What the adapter is compared with, if with anything.
    async fn baseline(&self) -> Result<Option<String>, Fault> {
        if self.publication.improvement.is_none() {
            return Ok(None);
        }
        let name = self.publication.name.to_string();
        let alias = standing(&self.clients, &name).await.map_err(|error| Fault::remote(&name, &error))?;
        // No name is the base model.
        Ok(Some(alias.map(|_| name).unwrap_or_default()))
    }

    /// Waits for the end of an evaluation.
    pub(super) async fn ended(&self, begun: Evaluation) -> Result<Evaluation, Fault> {
        let mut states = self.clients.evaluation().watch_evaluation(&begun.name);
        let mut latest = begun;
        while let Some(state) = states.next().await {
            latest = state.map_err(|error| Fault::remote("the evaluation", &error))?;
        }
        Ok(latest)
    }

    /// What an evaluation means that has ended.
    pub(super) async fn conclude(&mut self, ended: Evaluation) -> Result<(), Fault> {
        match ended.state() {
            EvaluationState::Succeeded => {}
            EvaluationState::Failed => {
                return Err(Fault::Job(format!("the evaluation failed: {}", ended.error)));
            }
            EvaluationState::Cancelled => return Err(Fault::Job("the evaluation was cancelled".to_owned())),
            _ => return Err(Fault::Passing("the evaluation can't be watched to its end".to_owned())),
        }
        let gate = ended.gate.unwrap_or_default();
        self.result.gate = Some(gate.clone());
        if gate.published_generation > 0 {
            self.result.published = true;
            return self.report().await;
        }
        Err(Fault::Job(match gate.passed {
            true => format!("it passed the gate, but could not be published: {}", gate.publish_error),
            false => format!("it did not pass the gate: {}", gate.reason),
        }))
    }

    /// Ends the evaluation of a job that is to be paused; one that has ended already decides.
    pub(super) async fn rest(&mut self) -> Result<(), Fault> {
        let paused = Err(Fault::Stop(Ended::Paused));
        if self.result.evaluation.is_empty() {
            return paused;
        }
        let name = self.result.evaluation.clone();
        match self.clients.evaluation().cancel_evaluation(&name).await {
            Err(error) if error.is(ErrorReason::WrongState) => {}
            Err(error) if !error.is(ErrorReason::NotFound) => {
                tracing::warn!(%error, "the evaluation of a paused job goes on");
                return paused;
            }
            _ => return paused,
        }
        match self.begun().await? {
            Some(ended) => {
                let published = self.conclude(ended).await;
                self.settle(published).await
            }
            None => paused,
        }
    }
}

/// An id that nobody has and that tells of the job.
fn fresh_id(job: &str) -> String {
    let id = job.trim_start_matches(JOBS);
    // An id is of ASCII characters.
    format!("{}-{}", &id[..id.len().min(JOB_CHARS)], uuid::Uuid::new_v4().simple())
}
