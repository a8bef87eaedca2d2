//! Chooses the next token from logits: vLLM's and Hugging Face's processors in their order, and a draw that can be replayed.

mod processors;

use std::borrow::Cow;

use rootstock_kernels::{Random, argmax};

use processors::Processors;

use crate::constraint::{Matcher, Unmatched};

/// The stream of the counter-based generator that sampling draws from.
const STREAM: u64 = 0x5341_4d50;

/// How to choose tokens; every value is within the contract's range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// Most tokens to generate.
    pub(crate) max_tokens: usize,
    /// 0 is greedy.
    pub(crate) temperature: f64,
    /// 0 is all.
    pub(crate) top_k: usize,
    /// In (0, 1].
    pub(crate) top_p: f64,
    /// In [0, 1].
    pub(crate) min_p: f64,
    /// In (0, 100]; 1 changes nothing.
    pub(crate) repetition_penalty: f32,
    /// In [-2, 2].
    pub(crate) presence_penalty: f32,
    /// In [-2, 2].
    pub(crate) frequency_penalty: f32,
    /// Added to logits, each id once.
    pub(crate) logit_bias: Vec<(u32, f32)>,
    /// Nothing ends the text before so many tokens are chosen; at most `max_tokens`.
    pub(crate) min_tokens: usize,
    /// These end the text.
    pub(crate) stop_token_ids: Vec<u32>,
    /// Seed of the draws.
    pub(crate) seed: u64,
    /// Report log-probabilities, and of so many of the most likely tokens.
    pub(crate) logprobs: Option<usize>,
    /// Go on past the end-of-sequence token.
    pub(crate) ignore_eos: bool,
}

impl Sampling {
    /// The most likely token each time.
    pub(crate) fn greedy(max_tokens: usize) -> Self {
        Self {
            max_tokens,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            min_tokens: 0,
            stop_token_ids: Vec::new(),
            seed: 0,
            logprobs: None,
            ignore_eos: false,
        }
    }
}

/// A token that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// Its id.
    pub(crate) id: u32,
    /// Natural logarithm of its probability under the model, before biases, penalties, temperature and filters.
    pub(crate) logprob: Option<f64>,
    /// The most likely tokens with theirs, most likely first.
    pub(crate) top: Vec<(u32, f64)>,
}

/// There is nothing to choose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoChoice {
    /// The model's numbers can't be chosen from.
    #[error("the model's logits are not finite; its weights or the adapter's are damaged")]
    NotFinite,
    /// Every token is masked.
    #[error(
        "every token that the model finds possible is ruled out; ask for less with min_tokens or the constraint"
    )]
    AllMasked,
    /// What the text is held to takes too much work.
    #[error(transparent)]
    Unmatched(#[from] Unmatched),
}

/// A token that is given, with its log-probability under logits [vocab] and the `count` most likely tokens, as for one that is chosen.
pub(crate) fn measure(logits: &[f32], id: u32, count: usize) -> Result<Token, NoChoice> {
    likeliest(logits)?;
    let (logprob, top) = log_probabilities(logits, id, count);
    Ok(Token { id, logprob, top })
}

/// Chooses the tokens of one sequence. What it chooses depends on the logits, the parameters and the position alone.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Random,
    processors: Processors,
    /// What the text is held to.
    constraint: Option<Matcher>,
    /// Absolute position of the token to be chosen: the counter of the draw.
    position: u64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: u32,
    /// Logit over temperature, relative to the largest: 0 or less.
    score: f64,
}

impl Sampler {
    /// A sampler for a sequence that begins with `prompt`; what is in `ends` ends it.
    pub(crate) fn new(sampling: Sampling, prompt: &[u32], ends: &[u32]) -> Self {
        let random = Random::new(sampling.seed, STREAM);
        let processors = Processors::new(&sampling, prompt, ends);
        Self { sampling, random, processors, constraint: None, position: prompt.len() as u64 }
    }

    /// Holds the text to a constraint.
    pub(crate) fn hold_to(self, constraint: Option<Matcher>) -> Self {
        Self { constraint, ..self }
    }

    /// Whether the constraint lets nothing follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.constraint.as_ref().is_some_and(Matcher::is_complete)
    }

    /// The parameters.
    pub(crate) fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Chooses the next token from logits [vocab].
    pub(crate) fn choose(&mut self, logits: &[f32]) -> Result<Token, NoChoice> {
        let likeliest = likeliest(logits)?;
        let mut processed = self.processors.apply(logits);
        if let Some(constraint) = &mut self.constraint {
            constraint.mask(processed.to_mut())?;
        }
        let best = match &processed {
            Cow::Borrowed(_) => likeliest,
            Cow::Owned(processed) => largest(processed)?,
        };
        if best.1 == f32::NEG_INFINITY {
            return Err(NoChoice::AllMasked);
        }
        let id = self.pick(&processed, best).ok_or(NoChoice::NotFinite)?;
        let (logprob, top) = match self.sampling.logprobs {
            Some(count) => log_probabilities(logits, id, count),
            None => (None, Vec::new()),
        };
        if let Some(constraint) = &mut self.constraint {
            constraint.note(id)?;
        }
        self.processors.note(id);
        self.position += 1;
        Ok(Token { id, logprob, top })
    }

    /// A token, given the likeliest one and its logit.
    fn pick(&self, logits: &[f32], (id, largest): (u32, f32)) -> Option<u32> {
        if self.sampling.temperature == 0.0 {
            return Some(id);
        }
        let largest = f64::from(largest);
        // Subtracting the largest first keeps a tiny temperature from overflowing.
        let score = |logit: f32| (f64::from(logit) - largest) / self.sampling.temperature;
        let mut candidates: Vec<Candidate> =
            (0_u32..).zip(logits).map(|(id, &logit)| Candidate { id, score: score(logit) }).collect();
        keep_top_k(&mut candidates, self.sampling.top_k);
        keep_top_p(&mut candidates, self.sampling.top_p);
        keep_min_p(&mut candidates, self.sampling.min_p);
        self.draw(candidates)
    }

    /// Inverse transform over the candidates in the order of their ids.
    fn draw(&self, mut candidates: Vec<Candidate>) -> Option<u32> {
        candidates.sort_unstable_by_key(|candidate| candidate.id);
        let total: f64 = candidates.iter().map(|candidate| candidate.score.exp()).sum();
        let target = self.random.uniform(self.position) * total;
        let mut sum = 0.0;
        let mut last = None;
        for candidate in candidates {
            let weight = candidate.score.exp();
            sum += weight;
            // What has no weight must not be drawn, not even by rounding at the very end.
            if weight > 0.0 {
                last = Some(candidate.id);
            }
            if sum > target {
                break;
            }
        }
        last
    }
}

/// `TopKLogitsWarper`: what equals the k-th stays.
fn keep_top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k == 0 || k >= candidates.len() {
        return;
    }
    let (_, kth, _) = candidates.select_nth_unstable_by(k - 1, |a, b| b.score.total_cmp(&a.score));
    let threshold = kth.score;
    candidates.retain(|candidate| candidate.score >= threshold);
}

/// `TopPLogitsWarper`: a token stays while those more likely than it have less than `p` together.
fn keep_top_p(candidates: &mut Vec<Candidate>, p: f64) {
    if p >= 1.0 {
        return;
    }
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    let total: f64 = candidates.iter().map(|candidate| candidate.score.exp()).sum();
    let mut above = 0.0;
    let kept = candidates.iter().take_while(|candidate| {
        let stays = above < p * total;
        above += candidate.score.exp();
        stays
    });
    let kept = kept.count().max(1);
    candidates.truncate(kept);
}

/// `MinPLogitsWarper`: at least `p` times as likely as the most likely one, whose score is 0.
fn keep_min_p(candidates: &mut Vec<Candidate>, p: f64) {
    if p > 0.0 {
        candidates.retain(|candidate| candidate.score == 0.0 || candidate.score.exp() >= p);
    }
}

/// The likeliest token and its logit. A token must be possible, and none may be infinitely likely or no number at all.
fn likeliest(logits: &[f32]) -> Result<(u32, f32), NoChoice> {
    largest(logits).and_then(|best| if best.1.is_finite() { Ok(best) } else { Err(NoChoice::NotFinite) })
}

/// The lowest id that has the largest logit, and that.
fn largest(logits: &[f32]) -> Result<(u32, f32), NoChoice> {
    let best = argmax(logits).and_then(|(id, logit)| Some((u32::try_from(id).ok()?, logit)));
    best.ok_or(NoChoice::NotFinite)
}

fn log_probabilities(logits: &[f32], chosen: u32, count: usize) -> (Option<f64>, Vec<(u32, f64)>) {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum();
    let log_sum = largest + sum.ln();
    let logprob = logits.get(chosen as usize).map(|&logit| f64::from(logit) - log_sum);
    let mut order: Vec<u32> = (0_u32..).take(logits.len()).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let count = count.min(order.len());
    if count > 0 && count < order.len() {
        order.select_nth_unstable_by(count - 1, by_logit);
    }
    order.truncate(count);
    order.sort_unstable_by(by_logit);
    let top = order.into_iter().map(|id| (id, f64::from(logits[id as usize]) - log_sum)).collect();
    (logprob, top)
}

#[cfg(test)]
mod tests;
