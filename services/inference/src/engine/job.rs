//! What the engine is given, and what it gives back.

use std::{sync::Arc, time::Instant};

use rootstock_model::KvCache;

use crate::{
    adapters::Applied,
    constraint::Matcher,
    error::Error,
    follower::Bound,
    models::Model,
    sampling::{Sampling, Token},
};

/// Which queue a sequence waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Somebody waits for it.
    Interactive,
    /// An evaluation's.
    Background,
}

/// One sequence to compute, with all that it is bound to.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) model: Arc<Model>,
    pub(crate) adapter: Option<Applied>,
    pub(crate) work: Work,
    pub(crate) priority: Priority,
    /// Those of a tenant with a lower number begin first.
    pub(crate) order: i32,
    /// Whose it is: tenants share what is computed, and nothing else.
    pub(crate) tenant: Arc<str>,
    /// When the request was received.
    pub(crate) received: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// What to compute.
#[derive(Debug)]
pub(crate) enum Work {
    /// Go on from a prompt.
    Generate(Generate),
    /// Tell how likely given tokens are.
    Score(Score),
}

/// A prompt and how to go on from it.
#[derive(Clone, Debug)]
pub(crate) struct Generate {
    /// At least one id, all below the vocabulary size.
    pub(crate) prompt: Vec<u32>,
    pub(crate) sampling: Sampling,
    /// None is empty.
    pub(crate) stop: Vec<String>,
    /// What the text is held to.
    pub(crate) constraint: Option<Matcher>,
    /// Tell how likely the prompt is, with so many of the most likely tokens at each place.
    pub(crate) prompt_logprobs: Option<usize>,
}

impl Generate {
    /// Several completions of the prompt, each with a seed of its own: the first one's and its index. The first alone tells of the prompt.
    pub(crate) fn completions(self, count: usize) -> Vec<Self> {
        let mut all = vec![self; count];
        for (index, one) in (0..).zip(&mut all) {
            one.sampling.seed = one.sampling.seed.wrapping_add(index);
            one.prompt_logprobs = one.prompt_logprobs.filter(|_| index == 0);
        }
        all
    }
}

/// A text, and from where on its tokens are scored.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    /// All below the vocabulary size.
    pub(crate) ids: Vec<u32>,
    /// The first that is scored: at least one is before it, and it is there itself.
    pub(crate) from: usize,
}

/// What a sequence tells its client.
#[derive(Debug)]
pub(crate) enum Event {
    /// The prompt's tokens from the second on, with how likely they are: before the first delta, if it was asked for.
    Prompt(Vec<Token>),
    /// A token was chosen.
    Delta(Delta),
    /// The last: the text has ended.
    Finished(Finished),
    /// The last: the log-probabilities of the tokens that were to be scored.
    Scored(Vec<f64>),
    /// The last: it can't go on.
    Failed(Error),
}

/// A token, and the text that is certain since.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delta {
    pub(crate) text: String,
    pub(crate) token: Token,
    /// Set where the token is the first of another version.
    pub(crate) switched: Option<Switched>,
}

/// From where on another version of the adapter computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    pub(crate) to: Bound,
    /// Number of the first generated token that comes from it.
    pub(crate) at_token: usize,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinishReason {
    Eos,
    Stop,
    Length,
}

/// How a text ended, and what it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finished {
    pub(crate) reason: FinishReason,
    pub(crate) prompt_tokens: usize,
    /// Of these, those that were computed for an earlier request.
    pub(crate) cached_tokens: usize,
    pub(crate) completion_tokens: usize,
    pub(crate) queue_ms: f64,
    pub(crate) prefill_ms: f64,
    pub(crate) decode_ms: f64,
}

impl Job {
    /// Checks that the sequence can ever run.
    pub(super) fn check(&self, cache_bytes: u64) -> Result<(), Error> {
        let (prompt, more) = match &self.work {
            Work::Generate(generate) => (generate.prompt.len(), generate.sampling.max_tokens),
            Work::Score(score) => (score.from, score.ids.len() - score.from),
        };
        let too_long = |what, limit| Error::ContextTooLong { prompt, more, what, limit };
        let tokens = prompt.saturating_add(more);
        let virtual_tokens = self.adapter.as_ref().map_or(0, Applied::virtual_tokens);
        let context = self.model.context().saturating_sub(virtual_tokens);
        if tokens > context {
            let what = match virtual_tokens {
                0 => "the model's context",
                _ => "what the adapter's virtual tokens leave of the model's context",
            };
            return Err(too_long(what, context));
        }
        let per_block = self.model.cache_block_bytes();
        // Blocks that are full of virtual tokens are the adapter's own.
        let lead = virtual_tokens % KvCache::BLOCK;
        let needed = per_block.saturating_mul((lead + tokens).div_ceil(KvCache::BLOCK) as u64);
        if needed > cache_bytes {
            let blocks = usize::try_from(cache_bytes / per_block.max(1)).unwrap_or(usize::MAX);
            let limit = blocks.saturating_mul(KvCache::BLOCK).saturating_sub(lead);
            return Err(too_long("this server's key/value cache", limit));
        }
        Ok(())
    }
}
