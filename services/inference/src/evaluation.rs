//! Evaluations: what they are, and the calls on them. One runs at a time, through the same engine as everything else.

mod book;
mod compare;
mod gate;
mod item;
mod pin;
mod release;
mod rows;
mod runner;
mod score;
mod target;
mod watching;

use std::sync::Arc;

use rootstock_artifacts::{AliasName, ArtifactName, Digest, Id};
use rootstock_runtime::{Shutdown, Tasks};
use rootstock_text::{JudgedRow, PromptTemplate};
use tokio::sync::{Mutex, Notify, oneshot};

pub(crate) use book::Book;
pub(crate) use compare::{Comparison, PairedMean, PairedProportion};
pub(crate) use gate::{Gate, GateResult, Improvement, Metric};
pub(crate) use pin::Pinned;
pub(crate) use score::{Item, TargetResult};
pub(crate) use target::{PREVIOUS, TargetName};
pub(crate) use watching::Watching;

use crate::{bind::Binder, engine::Engine, error::Error, publish::Publisher, store::Store};
use book::{Created, NewEvaluation};
use watching::Active;

/// What an evaluation's name starts with.
const COLLECTION: &str = "evaluations/";

/// Where an evaluation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued = 1,
    Running = 2,
    Succeeded = 3,
    Failed = 4,
    Cancelled = 5,
}

impl State {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// What to evaluate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) dataset: ArtifactName,
    pub(crate) model: ArtifactName,
    pub(crate) targets: Vec<TargetName>,
    pub(crate) template: PromptTemplate,
    pub(crate) max_tokens: usize,
    pub(crate) gate: Option<Gate>,
    /// The alias under which the gate's candidate is published if it passes.
    pub(crate) publish: Option<AliasName>,
}

/// An evaluation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Counts the evaluations; decides the order of the queue and of lists.
    pub(crate) number: i64,
    pub(crate) id: Id,
    pub(crate) spec: Spec,
    pub(crate) pinned: Pinned,
    pub(crate) state: State,
    pub(crate) completed_rows: usize,
    pub(crate) total_rows: usize,
    /// Once it has succeeded.
    pub(crate) results: Vec<TargetResult>,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) gate: Option<GateResult>,
    pub(crate) evidence: Option<Digest>,
    pub(crate) error: String,
    pub(crate) create_micros: i64,
    pub(crate) end_micros: Option<i64>,
}

impl Evaluation {
    /// `evaluations/{id}`.
    pub(crate) fn name(&self) -> String {
        evaluation_name(&self.id)
    }
}

/// `evaluations/{id}`.
pub(crate) fn evaluation_name(id: &Id) -> String {
    format!("{COLLECTION}{id}")
}

/// The id in `evaluations/{id}`.
pub(crate) fn parse_evaluation_name(name: &str) -> Option<Id> {
    name.strip_prefix(COLLECTION)?.parse().ok()
}

/// The calls on evaluations; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Evaluations {
    book: Book,
    store: Arc<dyn Store>,
    binder: Binder,
    publisher: Publisher,
    engine: Engine,
    tasks: Tasks,
    active: Active,
    /// Held while the book and the active ones change together.
    changing: Arc<Mutex<()>>,
    /// There may be something to run.
    wake: Arc<Notify>,
}

/// What evaluations need.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) book: Book,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) binder: Binder,
    pub(crate) publisher: Publisher,
    pub(crate) engine: Engine,
    pub(crate) tasks: Tasks,
}

impl Evaluations {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { book, store, binder, publisher, engine, tasks } = parts;
        let (active, changing, wake) = (Active::default(), Arc::default(), Arc::default());
        Self { book, store, binder, publisher, engine, tasks, active, changing, wake }
    }

    /// Checks a specification, stores the evaluation and queues it; the same request id gives the one of the first call.
    pub(crate) async fn create(
        &self,
        id: Option<Id>,
        spec: Spec,
        request_id: Option<String>,
    ) -> Result<Evaluation, Error> {
        if let Some(request_id) = &request_id
            && let Some(existing) = self.book.of_request(request_id).await?
        {
            return Ok(existing);
        }
        let pinned = self.pin(&spec).await?;
        let rows = self.rows(&pinned.dataset).await?;
        check_metric(&spec, &rows)?;
        let total_rows = rows.len() * spec.targets.len();
        let id = match id {
            Some(id) => id,
            None => fresh_id()?,
        };
        let new = NewEvaluation { id, request_id, spec, pinned, total_rows };
        self.to_the_end(self.clone().enter(new)).await
    }

    async fn enter(self, new: NewEvaluation) -> Result<Evaluation, Error> {
        let _changing = self.changing.lock().await;
        match self.book.create(new).await? {
            Created::New(evaluation) => {
                self.active.publish(&evaluation);
                self.wake.notify_one();
                Ok(evaluation)
            }
            Created::Existing(evaluation) => Ok(evaluation),
        }
    }

    /// Changes the book and the active ones together, whether the caller waits for it or leaves: half of it would be an evaluation that
    /// nobody runs.
    async fn to_the_end(
        &self,
        change: impl Future<Output = Result<Evaluation, Error>> + Send + 'static,
    ) -> Result<Evaluation, Error> {
        let (done, changed) = oneshot::channel();
        self.tasks.spawn("inference-evaluations", async move {
            // The caller may have left.
            let _ = done.send(change.await);
        });
        changed.await.map_err(|error| Error::internal("an evaluation can't be changed", error))?
    }

    /// One evaluation, with its items.
    pub(crate) async fn get(&self, id: &Id) -> Result<Evaluation, Error> {
        // What is running has got further than the book knows.
        match self.active.latest(id) {
            Some(evaluation) => Ok((*evaluation).clone()),
            None => self.book.get(id).await,
        }
    }

    /// Up to `limit` evaluations, newest first, those before number `before`; without items.
    pub(crate) async fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<Evaluation>, Error> {
        let listed = self.book.list(before, limit).await?;
        let latest = |evaluation: Evaluation| match self.active.latest(&evaluation.id) {
            Some(latest) => (*latest).clone(),
            None => evaluation,
        };
        Ok(listed.into_iter().map(latest).collect())
    }

    /// Stops an evaluation that waits or runs.
    pub(crate) async fn cancel(&self, id: &Id) -> Result<Evaluation, Error> {
        self.to_the_end(self.clone().end(id.clone())).await
    }

    async fn end(self, id: Id) -> Result<Evaluation, Error> {
        let _changing = self.changing.lock().await;
        let cancelled = self.book.cancel(&id).await?;
        self.active.end(&cancelled);
        Ok(cancelled)
    }

    /// The evaluation as it stands, then its latest state after each change, until it has ended.
    pub(crate) async fn watch(&self, id: &Id) -> Result<Watching, Error> {
        if let Some(states) = self.active.subscribe(id) {
            return Ok(Watching::following(self.book.clone(), states));
        }
        // One that is being created is in the book before it is active.
        let _changing = self.changing.lock().await;
        match self.active.subscribe(id) {
            Some(states) => Ok(Watching::following(self.book.clone(), states)),
            None => Ok(Watching::ended(self.book.get(id).await?)),
        }
    }

    /// Takes up what a restart interrupted, so that it can be watched from the first call on.
    pub(crate) async fn recover(&self) -> Result<(), Error> {
        self.book.give_up_crashing().await?;
        for evaluation in &self.book.unfinished().await? {
            self.active.publish(evaluation);
        }
        Ok(())
    }

    /// Runs evaluations one after the other until shutdown. Those that a restart interrupted begin again.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        Box::pin(runner::run(self, shutdown)).await;
    }

    async fn rows(&self, dataset: &Digest) -> Result<Arc<Vec<JudgedRow>>, Error> {
        let fetched = self.store.fetch(dataset).await?;
        let parse = move || rows::read(&fetched).map(Arc::new);
        self.tasks.spawn_blocking("inference-rows", parse).await?
    }
}

/// Refuses a gate on keywords that no row has.
fn check_metric(spec: &Spec, rows: &[JudgedRow]) -> Result<(), Error> {
    let metric = spec.gate.as_ref().map(|gate| gate.metric);
    if metric == Some(Metric::KeywordAccuracy) && rows.iter().all(|row| row.keywords.is_empty()) {
        let message =
            "is keyword_accuracy, but no row of the data set has keywords; add some or take another metric";
        return Err(Error::invalid("spec.gate.metric", message));
    }
    Ok(())
}

fn fresh_id() -> Result<Id, Error> {
    let id = uuid::Uuid::now_v7().to_string();
    id.parse().map_err(|error| Error::internal("no id could be made", error))
}

#[cfg(test)]
mod tests;
