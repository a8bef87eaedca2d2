//! A text under way: which tokens it has, what of them is certain text, and when it ends.

use std::time::{Duration, Instant};

use super::{FinishReason, Finished, text::TextStream};
use crate::{
    metrics::Times,
    models::Model,
    sampling::{Sampler, Sampling, Token},
    stop::Filtered,
};

/// A text under way.
#[derive(Debug)]
pub(super) struct Decoding {
    pub(super) sampler: Sampler,
    pub(super) text: TextStream,
    pub(super) generated: usize,
    pub(super) prompt_tokens: usize,
    pub(super) cached_tokens: usize,
    pub(super) times: Times,
    pub(super) queued: Duration,
    pub(super) prefill: Duration,
    pub(super) prefilled_at: Instant,
}

impl Decoding {
    /// Counts a token; gives the text that is certain since, and why it was the last, if it was.
    pub(super) fn note(&mut self, token: &Token, model: &Model) -> (String, Option<FinishReason>) {
        self.generated += 1;
        let sampling = self.sampler.sampling();
        let eos = !sampling.ignore_eos && model.is_eos(token.id);
        let stop_token = sampling.stop_token_ids.contains(&token.id);
        let length = self.generated >= sampling.max_tokens;
        let complete = self.sampler.is_complete();
        let stops = self.generated > sampling.min_tokens;
        // A token that ends the text is no part of it, even where the tokenizer has characters for it.
        let mut filtered =
            if eos || stop_token { Filtered::default() } else { self.text.push(token.id, stops) };
        if (eos || stop_token || complete || length) && !filtered.stopped {
            let rest = self.text.finish();
            filtered.text.push_str(&rest.text);
            filtered.stopped = rest.stopped;
        }
        let reason = match (filtered.stopped || stop_token, eos || complete, length) {
            (true, _, _) => Some(FinishReason::Stop),
            (false, true, _) => Some(FinishReason::Eos),
            (false, false, true) => Some(FinishReason::Length),
            (false, false, false) => None,
        };
        (filtered.text, reason)
    }

    pub(super) fn finished(&self, reason: FinishReason) -> Finished {
        let took = self.prefilled_at.elapsed();
        self.times.tokens(self.generated - 1, took);
        Finished {
            reason,
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            completion_tokens: self.generated,
            queue_ms: milliseconds(self.queued),
            prefill_ms: milliseconds(self.prefill),
            decode_ms: milliseconds(took),
        }
    }
}

/// The tokens that end a text.
pub(super) fn ends(sampling: &Sampling, model: &Model) -> Vec<u32> {
    let eos = if sampling.ignore_eos { &[] } else { model.eos() };
    [eos, &sampling.stop_token_ids].concat()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
