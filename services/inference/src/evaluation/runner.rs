//! Runs one evaluation after the other: each row through the engine, the results together, the evidence into the store.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use rootstock_artifacts::Digest;
use rootstock_runtime::Shutdown;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Comparison, Evaluation, Evaluations, Gate, TargetResult, compare::compare, item::Target};
use crate::{adapters::Binding, error::Error, store::EvidenceDraft};

/// Rows of an evaluation under way at once: as many as share a step of the engine, and some whose texts are being prepared.
const ROWS_IN_FLIGHT: usize = 24;
/// How often an evaluation is tried while something it needs is away.
const MAX_ATTEMPTS: u32 = 6;
/// How long the first retry waits; each further one twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// How long the runner waits when its own database fails.
const BOOK_RETRY: Duration = Duration::from_secs(2);

/// What is stored as an EVALUATION artifact.
#[derive(Serialize)]
struct Evidence<'a> {
    name: String,
    dataset_digest: String,
    base_digest: String,
    tokenizer_digest: &'a str,
    prompt_template: &'static str,
    max_tokens: usize,
    results: &'a [TargetResult],
    comparisons: &'a [Comparison],
}

/// What a whole evaluation found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) results: Vec<TargetResult>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) evidence: Digest,
}

pub(super) async fn run(evaluations: Evaluations, shutdown: Shutdown) {
    loop {
        let step = async {
            match evaluations.claim().await {
                Ok(Some((evaluation, cancelled))) => evaluations.run_one(evaluation, cancelled).await,
                Ok(None) => evaluations.wake.notified().await,
                Err(error) => {
                    tracing::error!(%error, "the next evaluation can't be read");
                    tokio::time::sleep(BOOK_RETRY).await;
                }
            }
        };
        // What is dropped here is still RUNNING in the book and begins again after the restart.
        if shutdown.unless_requested(step).await.is_none() {
            if let Err(error) = evaluations.book.give_back().await {
                tracing::warn!(%error, "an interrupted evaluation counts as one that took the server down");
            }
            return;
        }
    }
}

impl Evaluations {
    /// The next evaluation, and what tells that it is cancelled from now on.
    async fn claim(&self) -> Result<Option<(Evaluation, CancellationToken)>, Error> {
        let _changing = self.changing.lock().await;
        let Some(claimed) = self.book.claim_next().await? else { return Ok(None) };
        let cancelled = self.active.publish(&claimed);
        Ok(Some((claimed, cancelled)))
    }

    async fn run_one(&self, evaluation: Evaluation, cancelled: CancellationToken) {
        tracing::info!(name = evaluation.name(), rows = evaluation.total_rows, "evaluation begins");
        let Some(outcome) = cancelled.run_until_cancelled(self.compute_patiently(&evaluation)).await else {
            tracing::info!(name = evaluation.name(), "evaluation cancelled");
            return;
        };
        // Held while a gate publishes as well: a cancel comes before that, or too late.
        let _changing = self.changing.lock().await;
        let ended = match outcome {
            Ok(_) if cancelled.is_cancelled() => return,
            Ok(found) => {
                let gate = self.release(&evaluation, &found).await;
                self.book.succeed(&evaluation.id, &found, gate.as_ref()).await
            }
            // It begins again after the restart.
            Err(Error::ShuttingDown) => return,
            Err(error) => self.book.fail(&evaluation.id, &error.to_string()).await,
        };
        match ended {
            Ok(ended) => {
                tracing::info!(name = ended.name(), state = ?ended.state, error = ended.error, "evaluation ended");
                self.active.end(&ended);
            }
            Err(error) => {
                tracing::error!(name = evaluation.name(), %error, "an evaluation's end can't be stored");
            }
        }
    }

    async fn compute_patiently(&self, evaluation: &Evaluation) -> Result<Found, Error> {
        let mut delay = FIRST_RETRY;
        for _ in 1..MAX_ATTEMPTS {
            match self.compute(evaluation).await {
                Err(error) if error.is_transient() && !matches!(error, Error::ShuttingDown) => {
                    tracing::warn!(name = evaluation.name(), %error, ?delay, "evaluation interrupted; retrying");
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
                done => return done,
            }
        }
        self.compute(evaluation).await
    }

    async fn compute(&self, evaluation: &Evaluation) -> Result<Found, Error> {
        let pinned = &evaluation.pinned;
        let questions = self.rows(&pinned.dataset).await?;
        let model = self.binder.models.get(pinned.model).await?;
        let mut judged = Vec::with_capacity(pinned.adapters.len());
        for (name, digest) in evaluation.spec.targets.iter().zip(&pinned.adapters) {
            let adapter = match digest {
                Some(digest) => {
                    let binding = Binding { digest: *digest, generation: 0, alias: None, base: pinned.model };
                    Some(self.binder.adapters.lease(&binding, &model).await?)
                }
                None => None,
            };
            let target = Arc::new(Target {
                engine: self.engine.clone(),
                tasks: self.tasks.clone(),
                model: Arc::clone(&model),
                adapter,
                template: evaluation.spec.template,
                max_tokens: evaluation.spec.max_tokens,
                questions: Arc::clone(&questions),
            });
            let items = self.judge_all(evaluation, target, judged.len() * questions.len()).await?;
            judged.push((name.to_string(), *digest, items));
        }
        let gated = evaluation.spec.gate.as_ref().and_then(Gate::pair);
        let summarise = move || {
            let targets = judged.into_iter();
            let results: Vec<TargetResult> =
                targets.map(|(name, digest, items)| TargetResult::of(name, digest, items)).collect();
            let comparisons = compare(&results, gated);
            (results, comparisons)
        };
        let (results, comparisons) = self.tasks.spawn_blocking("inference-statistics", summarise).await?;
        let evidence =
            self.store_evidence(evaluation, &model.tokenizer_digest(), &results, &comparisons).await?;
        Ok(Found { results, comparisons, evidence })
    }

    async fn judge_all(
        &self,
        evaluation: &Evaluation,
        target: Arc<Target>,
        done_before: usize,
    ) -> Result<Vec<super::Item>, Error> {
        let rows = 0..target.questions.len();
        let judged =
            stream::iter(rows.map(|index| Arc::clone(&target).judge(index))).buffered(ROWS_IN_FLIGHT);
        judged
            .inspect_ok(|item| self.active.progress(&evaluation.id, done_before + item.row + 1))
            .try_collect()
            .await
    }

    async fn store_evidence(
        &self,
        evaluation: &Evaluation,
        tokenizer_digest: &str,
        results: &[TargetResult],
        comparisons: &[Comparison],
    ) -> Result<Digest, Error> {
        let evidence = Evidence {
            name: evaluation.name(),
            dataset_digest: evaluation.pinned.dataset.to_string(),
            base_digest: evaluation.pinned.model.to_string(),
            tokenizer_digest,
            prompt_template: evaluation.spec.template.name(),
            max_tokens: evaluation.spec.max_tokens,
            results,
            comparisons,
        };
        let json = serde_json::to_vec(&evidence).map_err(|error| Error::internal("evidence", error))?;
        let draft = EvidenceDraft {
            parent: evaluation.name(),
            base: evaluation.pinned.model,
            tokenizer: tokenizer_digest.to_owned(),
            json,
        };
        self.store.put_evidence(draft).await
    }
}
