//! Generation: binds a request, turns its prompt into tokens, and queues it.

mod prompt;
mod score;

use std::{sync::Arc, time::Instant};

use rootstock_artifacts::{ArtifactName, Digest};
use rootstock_runtime::Tasks;
use rootstock_text::ChatMessage;
use uuid::Uuid;

use crate::{
    adapters::{AdapterLease, Applied, Part},
    bind::{Binder, Bound, Known, Wanted},
    constraint::{Compiler, Constraint},
    engine::{Engine, Generate, Job, Output, Priority, Work},
    error::Error,
    models::Model,
    sampling::Sampling,
};

use prompt::Prompt;
pub(crate) use score::{ScoreRequest, Scored, Scores};

/// A prompt as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Text(String),
    Ids(Vec<u32>),
    /// Rendered with the model's own chat template.
    Chat(Vec<ChatMessage>),
}

/// How often a request of several completions is bound anew because its adapter moves meanwhile.
const BINDINGS: usize = 8;

/// Tokens of a prompt whose log-probabilities are told, so that a message holds them.
const MAX_SCORED_PROMPT: usize = 4096;

/// A request whose every value is within the contract's range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) model: Option<ArtifactName>,
    pub(crate) adapter: Wanted,
    pub(crate) input: Input,
    pub(crate) sampling: Sampling,
    pub(crate) stop: Vec<String>,
    pub(crate) constraint: Option<Constraint>,
    /// Tell how likely the prompt is, with so many of the most likely tokens at each place.
    pub(crate) prompt_logprobs: Option<usize>,
    /// How many; at least one.
    pub(crate) completions: usize,
    /// Decides between an adapter's version and its canary.
    pub(crate) routing_key: String,
    /// Those of a tenant with a lower number begin first.
    pub(crate) order: i32,
}

/// Whose a request is, when it came, and when its time is up.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<str>,
    pub(crate) received: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// What a request is bound to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Started {
    pub(crate) request_id: String,
    pub(crate) base: Digest,
    pub(crate) adapter: Option<Digest>,
    pub(crate) adapter_generation: i64,
    pub(crate) canary: bool,
    /// What is summed up, where it is more than one adapter.
    pub(crate) adapters: Vec<Part>,
    pub(crate) tokenizer: String,
    pub(crate) seed: u64,
    pub(crate) prompt_tokens: usize,
    /// What the base model's weights are in memory.
    pub(crate) weights: &'static str,
}

/// What the handlers call.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    pub(crate) binder: Binder,
    pub(crate) engine: Engine,
    compiler: Compiler,
    tasks: Tasks,
}

impl Generation {
    pub(crate) fn new(binder: Binder, engine: Engine, tasks: &Tasks) -> Self {
        Self { binder, engine, compiler: Compiler::new(tasks.clone()), tasks: tasks.clone() }
    }

    /// Admits a request: says what it is bound to and gives the events of each completion.
    pub(crate) async fn generate(
        &self,
        request: Request,
        caller: Caller,
    ) -> Result<(Started, Vec<Output>), Error> {
        let all = self.bind_all(&request, &caller.tenant).await?;
        let Request { input, sampling, stop, constraint, prompt_logprobs, order, .. } = request;
        let Some(bound) = all.first() else {
            return Err(Error::Internal("a request for no completion was let through".into()));
        };
        check_sampling(&sampling, &stop, &bound.model)?;
        let constraint = match constraint {
            Some(constraint) => Some(self.compiler.compile(constraint, Arc::clone(&bound.model)).await?),
            None => None,
        };
        let model = bound.model.clone();
        let prompt = Prompt::new(input, &model, &self.tasks).await?;
        let bytes = prompt.bytes();
        let encode = move || prompt.tokens(&model);
        let prompt = self.tasks.spawn_by_size("inference-encode", bytes, encode).await??;
        if prompt_logprobs.is_some() && prompt.len() > MAX_SCORED_PROMPT {
            let tokens = prompt.len();
            let message =
                format!("is for prompts of at most {MAX_SCORED_PROMPT} tokens, and this one has {tokens}");
            return Err(Error::invalid("sampling.prompt_logprobs", message));
        }
        let started = Started::new(bound, sampling.seed, prompt.len());
        let work = Generate { prompt, sampling, stop, constraint, prompt_logprobs };
        let job = |(work, bound): (Generate, Bound)| Job {
            model: bound.model,
            adapter: bound.adapter,
            work: Work::Generate(work),
            priority: Priority::Interactive,
            order,
            tenant: Arc::clone(&caller.tenant),
            received: caller.received,
            deadline: caller.deadline,
        };
        let works = work.completions(all.len());
        let outputs = self.engine.submit_all(works.into_iter().zip(all).map(job).collect())?;
        started.log();
        Ok((started, outputs))
    }

    /// Binds every completion to the same versions; each hears of the moves of its alias by itself. One that moves meanwhile is bound
    /// anew.
    async fn bind_all(&self, request: &Request, tenant: &Arc<str>) -> Result<Vec<Bound>, Error> {
        let Request { model, adapter, routing_key, .. } = request;
        let mut known = Known::default();
        let mut bind =
            async || self.binder.bind(model.as_ref(), adapter, (routing_key, &mut known), tenant).await;
        for _ in 0..BINDINGS {
            let mut all = vec![bind().await?];
            while all.len() < request.completions
                && let Some(bound) = Some(bind().await?).filter(|bound| bound.is_like(&all[0]))
            {
                all.push(bound);
            }
            if all.len() == request.completions {
                return Ok(all);
            }
        }
        Err(Error::Overloaded(
            "the adapter is published faster than a request can be bound to it; retry".into(),
        ))
    }
}

impl Started {
    fn new(bound: &Bound, seed: u64, prompt_tokens: usize) -> Self {
        let one = bound.adapter.as_ref().and_then(Applied::one).map(AdapterLease::bound);
        Self {
            request_id: Uuid::now_v7().to_string(),
            base: *bound.model.digest(),
            adapter: one.map(|bound| bound.digest),
            adapter_generation: one.map_or(0, |bound| bound.generation),
            canary: one.is_some_and(|bound| bound.canary),
            adapters: bound.adapter.as_ref().map(Applied::parts).unwrap_or_default(),
            tokenizer: bound.model.tokenizer_digest(),
            seed,
            prompt_tokens,
            weights: bound.model.decoder().format().name(),
        }
    }

    fn log(&self) {
        tracing::info!(
            request_id = self.request_id,
            base = %self.base,
            adapter = self.adapter.map(tracing::field::display),
            generation = self.adapter_generation,
            canary = self.canary,
            summed = self.adapters.len(),
            prompt_tokens = self.prompt_tokens,
            "request admitted"
        );
    }
}

fn check_ids(ids: Vec<u32>, model: &Model, field: &str) -> Result<Vec<u32>, Error> {
    for (position, &id) in ids.iter().enumerate() {
        check_id(id, model, || format!("{field}.ids[{position}]"))?;
    }
    Ok(ids)
}

/// What only the model can tell: whether the tokens that are named exist, and whether there is a text to stop.
fn check_sampling(sampling: &Sampling, stop: &[String], model: &Model) -> Result<(), Error> {
    if !stop.is_empty() && model.tokenizer().is_none() {
        let message = "is for text, and the base model has no tokenizer; name stop_token_ids";
        return Err(Error::invalid("sampling.stop", message));
    }
    for (index, &id) in sampling.stop_token_ids.iter().enumerate() {
        check_id(id, model, || format!("sampling.stop_token_ids[{index}]"))?;
    }
    for (index, &(id, _)) in sampling.logit_bias.iter().enumerate() {
        check_id(id, model, || format!("sampling.logit_bias[{index}].token_id"))?;
    }
    Ok(())
}

fn check_id(id: u32, model: &Model, field: impl FnOnce() -> String) -> Result<(), Error> {
    let vocab_size = model.vocab_size();
    if (id as usize) < vocab_size {
        return Ok(());
    }
    Err(Error::invalid(field(), format!("{id} is not below the model's vocabulary size {vocab_size}")))
}
