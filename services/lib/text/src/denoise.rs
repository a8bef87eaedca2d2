//! Infilling: spans of a text are cut out and become what is predicted (T5: Raffel et al., 2020), alone or in a mixture of
//! denoisers (UL2: Tay et al., 2023), laid out for a decoder: first the text with a sentinel for each span, then the spans.

use thiserror::Error;

use crate::sampling::{choose, weighted};
use crate::supervised::IGNORE_INDEX;

/// The shortest text of which a part can be cut out.
pub const MIN_DENOISED: usize = 2;

/// What one denoiser cuts out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Corruption {
    /// Spans all over the text; both numbers are means, as in T5.
    Spans {
        /// Share of the tokens that are cut out.
        rate: f64,
        /// Tokens of a span.
        mean_length: f64,
    },
    /// All from some token on: the text is continued, as with UL2's S-denoiser.
    Continuation,
}

/// One denoiser of a mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Denoiser {
    /// What it cuts out.
    pub corruption: Corruption,
    /// The token that begins its rows and says how the text is to be read.
    pub prefix: Option<u32>,
    /// How often it is drawn, in proportion to the others.
    pub weight: f64,
}

/// A mixture of denoisers and the tokens that they write.
#[derive(Debug, Clone, PartialEq)]
pub struct Denoising {
    denoisers: Vec<Denoiser>,
    sentinels: Vec<u32>,
    eos: u32,
}

/// A mixture that can't work.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DenoiseError {
    /// There is nothing to draw from.
    #[error("there is no denoiser with a weight above 0")]
    NoDenoiser,
    /// A weight that is none.
    #[error("denoisers[{0}] has a weight that is not a number from 0 on")]
    Weight(usize),
    /// A rate or a length that is none.
    #[error("denoisers[{0}] must cut out a share between 0 and 1, in spans of at least 1 token")]
    Spans(usize),
    /// Spans have nothing to stand for them.
    #[error("there are no sentinel tokens to stand for the spans")]
    NoSentinels,
}

/// A text of which spans are cut out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denoised {
    /// Prefix, text with sentinels, then the spans after their sentinels, EOS.
    pub input_ids: Vec<u32>,
    /// How many of `input_ids` are given: all up to the first sentinel of the spans, or up to the continuation.
    pub prompt_len: usize,
}

impl Denoised {
    /// As long as `input_ids`: the id where there is loss, else [`IGNORE_INDEX`]. Not shifted.
    pub fn labels(&self) -> Vec<i64> {
        let label = |(i, id): (usize, &u32)| if i < self.prompt_len { IGNORE_INDEX } else { i64::from(*id) };
        self.input_ids.iter().enumerate().map(label).collect()
    }
}

impl Denoising {
    /// Denoisers, the sentinels of spans in the order they are used, and what ends a row.
    ///
    /// # Errors
    /// Numbers out of range, no denoiser, spans without sentinels.
    pub fn new(denoisers: Vec<Denoiser>, sentinels: Vec<u32>, eos: u32) -> Result<Self, DenoiseError> {
        for (i, denoiser) in denoisers.iter().enumerate() {
            if !(0.0..f64::INFINITY).contains(&denoiser.weight) {
                return Err(DenoiseError::Weight(i));
            }
            let Corruption::Spans { rate, mean_length } = denoiser.corruption else { continue };
            if !(rate > 0.0 && rate < 1.0 && mean_length >= 1.0) {
                return Err(DenoiseError::Spans(i));
            }
            if sentinels.is_empty() {
                return Err(DenoiseError::NoSentinels);
            }
        }
        if denoisers.iter().all(|denoiser| denoiser.weight == 0.0) {
            return Err(DenoiseError::NoDenoiser);
        }
        Ok(Self { denoisers, sentinels, eos })
    }

    /// Whether a text holds no sentinel and no prefix of its own, which nobody could tell from those that are put in.
    pub fn accepts(&self, ids: &[u32]) -> bool {
        !ids.iter().any(|id| self.sentinels.contains(id) || self.is_prefix(*id))
    }

    fn is_prefix(&self, id: u32) -> bool {
        self.denoisers.iter().any(|denoiser| denoiser.prefix == Some(id))
    }

    /// The ids that are put in: sentinels, prefixes, EOS.
    pub fn written(&self) -> impl Iterator<Item = u32> {
        let prefixes = self.denoisers.iter().filter_map(|denoiser| denoiser.prefix);
        self.sentinels.iter().copied().chain(prefixes).chain([self.eos])
    }

    /// The most ids that any denoiser makes of a text of `tokens` ids.
    pub fn longest(&self, tokens: usize) -> usize {
        let added = |denoiser: &Denoiser| {
            let marks = match denoiser.corruption {
                Corruption::Spans { rate, mean_length } => 2 * self.spans(tokens, rate, mean_length).1,
                Corruption::Continuation => 0,
            };
            marks + usize::from(denoiser.prefix.is_some()) + 1
        };
        tokens + self.denoisers.iter().map(added).max().unwrap_or(0)
    }

    /// The longest text of which no denoiser makes more than `max_length` ids; 0 if there is none.
    pub fn text_length(&self, max_length: usize) -> usize {
        (MIN_DENOISED..=max_length).rev().find(|tokens| self.longest(*tokens) <= max_length).unwrap_or(0)
    }

    /// Cuts spans out of a text of at least two ids, which are all kept: each is either in the prompt or in what is predicted.
    ///
    /// `uniform(n)` gives the `n`-th number of 0..1 of a counter-based generator that the caller has keyed by seed, epoch and
    /// row, so the result depends on these alone: number 0 draws the denoiser, 1 on what it cuts.
    pub fn denoise(&self, ids: &[u32], mut uniform: impl FnMut(u64) -> f64) -> Denoised {
        let chosen = weighted(self.denoisers.iter().map(|denoiser| denoiser.weight), uniform(0));
        let Some(denoiser) = self.denoisers.get(chosen) else { return Denoised::default() };
        let mut prompt: Vec<u32> = denoiser.prefix.into_iter().collect();
        let draw = |n: u64| uniform(n + 1);
        match denoiser.corruption {
            Corruption::Spans { rate, mean_length } => {
                let spans = self.cut(ids.len(), (rate, mean_length), draw);
                self.fill_in(prompt, ids, &spans)
            }
            Corruption::Continuation => {
                let given = 1 + choose(ids.len() - 1, 1, draw)[0];
                prompt.extend_from_slice(&ids[..given]);
                let prompt_len = prompt.len();
                prompt.extend(ids[given..].iter().copied().chain([self.eos]));
                Denoised { input_ids: prompt, prompt_len }
            }
        }
    }

    /// The text that a row was made of; `None` if it is none of this mixture's.
    pub fn restore(&self, row: &Denoised) -> Option<Vec<u32>> {
        let (prompt, answer) = row.input_ids.split_at_checked(row.prompt_len)?;
        let answer = answer.strip_suffix(&[self.eos])?;
        let prompt = if prompt.first().is_some_and(|id| self.is_prefix(*id)) { &prompt[1..] } else { prompt };
        let Some((first, text)) = prompt.split_last().filter(|(last, _)| self.sentinels.contains(last))
        else {
            return Some([prompt, answer].concat());
        };
        let mut spans =
            Spans { rest: [std::slice::from_ref(first), answer].concat(), sentinels: &self.sentinels };
        let mut restored = Vec::with_capacity(text.len() + answer.len());
        for id in text {
            if self.sentinels.contains(id) { restored.extend(spans.take(*id)?) } else { restored.push(*id) }
        }
        spans.rest.is_empty().then_some(restored)
    }

    /// Tokens that are cut out of a text, and in how many spans.
    fn spans(&self, tokens: usize, rate: f64, mean_length: f64) -> (usize, usize) {
        let cut = ((tokens as f64 * rate).round() as usize).clamp(1, tokens.saturating_sub(1).max(1));
        let most = self.sentinels.len().min(cut).min(tokens.saturating_sub(cut)).max(1);
        (cut, ((cut as f64 / mean_length).round() as usize).clamp(1, most))
    }

    /// The lengths of what is kept and what is cut out, by turns, beginning with what is kept: T5's `random_spans_noise_mask`, but
    /// that a text may also end with what is kept.
    fn cut(
        &self,
        tokens: usize,
        (rate, mean_length): (f64, f64),
        mut draw: impl FnMut(u64) -> f64,
    ) -> Vec<(usize, usize)> {
        let (cut, spans) = self.spans(tokens, rate, mean_length);
        let out = pieces(cut, spans, &mut draw);
        // One piece more than there are spans, the last of which may be empty.
        let kept = pieces(tokens - cut + 1, spans + 1, |n| draw(n + tokens as u64));
        kept.into_iter().zip(out).collect()
    }

    fn fill_in(&self, mut prompt: Vec<u32>, ids: &[u32], spans: &[(usize, usize)]) -> Denoised {
        let (mut answer, mut rest) = (Vec::new(), ids);
        for ((kept, cut), sentinel) in spans.iter().zip(&self.sentinels) {
            let (text, after) = rest.split_at(*kept);
            let (span, after) = after.split_at(*cut);
            prompt.extend(text.iter().chain([sentinel]));
            answer.extend([sentinel].into_iter().chain(span));
            rest = after;
        }
        prompt.extend(rest);
        // The first sentinel is given once more and asks for the spans.
        let prompt_len = prompt.len() + 1;
        prompt.extend(answer.into_iter().chain([self.eos]));
        Denoised { input_ids: prompt, prompt_len }
    }
}

/// Spans after their sentinels.
struct Spans<'s> {
    rest: Vec<u32>,
    sentinels: &'s [u32],
}

impl Spans<'_> {
    fn take(&mut self, sentinel: u32) -> Option<Vec<u32>> {
        let end = |ids: &[u32]| ids.iter().position(|id| self.sentinels.contains(id)).unwrap_or(ids.len());
        if self.rest.first() != Some(&sentinel) {
            return None;
        }
        let length = end(&self.rest[1..]);
        let rest = self.rest.split_off(1 + length);
        let mut span = std::mem::replace(&mut self.rest, rest);
        span.remove(0);
        Some(span)
    }
}

/// Cuts `tokens` into as many pieces of at least one token, all ways alike.
fn pieces(tokens: usize, count: usize, draw: impl FnMut(u64) -> f64) -> Vec<usize> {
    let mut ends: Vec<usize> = choose(tokens - 1, count - 1, draw).into_iter().map(|gap| gap + 1).collect();
    ends.push(tokens);
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(&ends).map(|(start, end)| end - start).collect()
}
