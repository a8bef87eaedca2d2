//! What changes logits before temperature and filters, in vLLM's order: mask, bias, repetition, frequency, presence.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::Sampling;

/// The processors of one sequence. They know its tokens, because penalties do.
#[derive(Debug)]
pub(super) struct Processors {
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    logit_bias: Vec<(u32, f32)>,
    min_tokens: usize,
    /// What ends the text, masked before `min_tokens` are chosen.
    ends: Vec<u32>,
    /// Tokens of prompt and answer, for the repetition penalty.
    seen: BTreeSet<u32>,
    /// How often each token was chosen, for the other penalties.
    counts: BTreeMap<u32, u16>,
    chosen: usize,
}

impl Processors {
    pub(super) fn new(sampling: &Sampling, prompt: &[u32], ends: &[u32]) -> Self {
        Self {
            repetition_penalty: sampling.repetition_penalty,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
            logit_bias: sampling.logit_bias.clone(),
            min_tokens: sampling.min_tokens,
            ends: ends.to_vec(),
            seen: prompt.iter().copied().collect(),
            counts: BTreeMap::new(),
            chosen: 0,
        }
    }

    /// Counts a token that was chosen.
    pub(super) fn note(&mut self, id: u32) {
        self.seen.insert(id);
        let count = self.counts.entry(id).or_default();
        *count = count.saturating_add(1);
        self.chosen += 1;
    }

    /// The logits to choose from; the model's own where nothing changes them.
    pub(super) fn apply<'a>(&self, logits: &'a [f32]) -> Cow<'a, [f32]> {
        let masks = self.chosen < self.min_tokens;
        let (repetition, additive) = (self.penalises_repetition(), self.penalises_choices());
        if !masks && self.logit_bias.is_empty() && !repetition && !additive {
            return Cow::Borrowed(logits);
        }
        let mut logits = logits.to_vec();
        if masks {
            each(&mut logits, self.ends.iter().map(|&id| (id, ())), |_, ()| f32::NEG_INFINITY);
        }
        each(&mut logits, self.logit_bias.iter().copied(), |logit, bias| logit + bias);
        if repetition {
            let seen = self.seen.iter().map(|&id| (id, self.repetition_penalty));
            // A tiny penalty must not make a logit infinite.
            let penalise =
                |logit: f32, by: f32| if logit < 0.0 { logit * by } else { (logit / by).min(f32::MAX) };
            each(&mut logits, seen, penalise);
        }
        if additive {
            let penalty = |count: u16| self.frequency_penalty * f32::from(count) + self.presence_penalty;
            let chosen = self.counts.iter().map(|(&id, &count)| (id, penalty(count)));
            each(&mut logits, chosen, |logit, penalty| logit - penalty);
        }
        Cow::Owned(logits)
    }

    fn penalises_repetition(&self) -> bool {
        (self.repetition_penalty - 1.0).abs() > 0.0
    }

    fn penalises_choices(&self) -> bool {
        self.presence_penalty.abs() > 0.0 || self.frequency_penalty.abs() > 0.0
    }
}

/// Changes the logits of some tokens.
fn each<T>(logits: &mut [f32], tokens: impl Iterator<Item = (u32, T)>, change: impl Fn(f32, T) -> f32) {
    for (id, by) in tokens {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = change(*logit, by);
        }
    }
}
