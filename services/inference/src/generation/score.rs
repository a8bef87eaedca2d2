//! Scores of a request: each continuation of its prompt is a sequence of its own, bound to the same versions.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use rootstock_artifacts::ArtifactName;

use super::{Caller, Generation, Input, Prompt, Started, check_ids};
use crate::{
    adapters::Applied,
    bind::{Bound, Known, Wanted},
    engine::{Event, Job, Priority, Score, Work},
    error::Error,
    models::Model,
};

/// Most tokens of a continuation.
const MAX_TOKENS: usize = 4096;
/// Continuations of a request that are in the engine at once, so that no request fills a queue.
const AT_ONCE: usize = 4;

/// A request whose every value is within the contract's range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScoreRequest {
    pub(crate) model: Option<ArtifactName>,
    pub(crate) adapter: Wanted,
    pub(crate) input: Input,
    /// At least one.
    pub(crate) continuations: Vec<Input>,
    /// Decides between an adapter's version and its canary.
    pub(crate) routing_key: String,
}

/// A continuation's tokens, and the log-probability of each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    pub(crate) ids: Vec<u32>,
    pub(crate) logprobs: Vec<f64>,
}

/// What a request is bound to, and its continuations in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) started: Started,
    pub(crate) continuations: Vec<Scored>,
}

impl Generation {
    /// Says what a request is bound to, and how likely its continuations are. Dropping the future ends the work within a step.
    pub(crate) async fn score(&self, request: ScoreRequest, caller: Caller) -> Result<Scores, Error> {
        let ScoreRequest { model, adapter, input, continuations, routing_key } = request;
        let bound = self
            .binder
            .bind(model.as_ref(), &adapter, (&routing_key, &mut Known::default()), &caller.tenant)
            .await?;
        let model = bound.model.clone();
        let prompt = Prompt::new(input, &model, &self.tasks).await?;
        let bytes = prompt.bytes() + continuations.iter().map(text_bytes).sum::<usize>();
        let encode = move || {
            let continuations = (0..).zip(continuations).map(|(index, input)| encode(index, input, &model));
            Ok::<_, Error>((prompt.tokens(&model)?, continuations.collect::<Result<Vec<_>, _>>()?))
        };
        let encoded = self.tasks.spawn_by_size("inference-encode", bytes, encode).await??;
        let (prompt, continuations) = encoded;
        let started = Started::new(&bound, 0, prompt.len());
        started.log();
        let mut ids = continuations.into_iter();
        let one = |ids| self.score_one(&bound, &prompt, ids, &caller);
        let mut scored = Vec::with_capacity(ids.len());
        // The first leaves the keys and values of the prompt for the others.
        if let Some(first) = ids.next() {
            scored.push(one(first).await?);
        }
        let at_once = AT_ONCE.min(self.engine.limits().max_queued_per_tenant);
        let others: Vec<Scored> = stream::iter(ids).map(one).buffered(at_once).try_collect().await?;
        scored.extend(others);
        Ok(Scores { started, continuations: scored })
    }

    async fn score_one(
        &self,
        bound: &Bound,
        prompt: &[u32],
        ids: Vec<u32>,
        caller: &Caller,
    ) -> Result<Scored, Error> {
        let score = Score { ids: [prompt, &ids].concat(), from: prompt.len() };
        let mut output = self.engine.submit(Job {
            model: bound.model.clone(),
            adapter: bound.adapter.as_ref().map(Applied::again),
            work: Work::Score(score),
            priority: Priority::Interactive,
            order: 0,
            tenant: Arc::clone(&caller.tenant),
            received: caller.received,
            deadline: caller.deadline,
        })?;
        match output.next().await {
            Some(Event::Scored(logprobs)) => Ok(Scored { ids, logprobs }),
            Some(Event::Failed(error)) => Err(error),
            _ => Err(Error::Internal("the engine dropped a sequence".into())),
        }
    }
}

/// Bytes of a continuation to tokenize.
fn text_bytes(continuation: &Input) -> usize {
    if let Input::Text(text) = continuation { text.len() } else { 0 }
}

/// The tokens of a continuation.
fn encode(index: usize, input: Input, model: &Model) -> Result<Vec<u32>, Error> {
    let field = format!("continuations[{index}]");
    let ids = match input {
        Input::Ids(ids) => check_ids(ids, model, &format!("{field}.ids"))?,
        Input::Text(text) => {
            let without = || Error::invalid(&field, "the base model has no tokenizer; send ids");
            let tokenizer = model.tokenizer().ok_or_else(without)?;
            let encoded = tokenizer.encode_ids(&text, false);
            encoded.map_err(|error| Error::invalid(&field, error.to_string()))?
        }
        Input::Chat(_) => return Err(Error::invalid(field, "must be text or ids, not a conversation")),
    };
    match ids.len() {
        1..=MAX_TOKENS => Ok(ids),
        tokens => Err(Error::invalid(field, format!("has {tokens} tokens; must have 1 to {MAX_TOKENS}"))),
    }
}
