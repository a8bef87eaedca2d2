//! Supervised examples: a prompt and its answer as ids, with the loss on the answer alone. What does not
//! fit is cut or left out, as is chosen, and counted.

use std::ops::Range;

use crate::augment::{TokenDropout, drop_tokens, shuffle_spans};
use crate::prompt::{EncodedPrompt, PromptError, PromptTemplate};
use crate::rows::Row;
use crate::tokenizer::TextTokenizer;

/// The label of a position without loss, as in PyTorch and transformers.
pub const IGNORE_INDEX: i64 = -100;

/// What is done with an example that is too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Truncation {
    /// It is left out whole: half an answer teaches to stop anywhere.
    #[default]
    Drop,
    /// Its beginning is cut: of the prompt, and where the answer alone is too long, of the answer.
    Left,
    /// Its end is cut: of the answer, with EOS. Where the prompt leaves no room for an answer it is left out.
    Right,
    /// It is refused.
    Error,
}

/// One example.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SupervisedExample {
    /// Prompt, answer, EOS.
    pub input_ids: Vec<u32>,
    /// As long as `input_ids`: the id where there is loss, else [`IGNORE_INDEX`]. Not shifted.
    pub labels: Vec<i64>,
    /// How many of `input_ids` are the prompt.
    pub prompt_len: usize,
    /// The positions in the prompt that are the user's words and not the template's.
    pub user: Vec<Range<usize>>,
}

/// An example, or the word that it did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supervised {
    /// The example, whole or cut.
    Kept {
        /// The example.
        example: SupervisedExample,
        /// Tokens cut off, EOS included.
        cut: usize,
    },
    /// It is left out.
    Dropped {
        /// Tokens of prompt and answer, EOS included.
        tokens: usize,
    },
}

/// What became of many examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SupervisedCounts {
    /// Examples kept, cut ones among them.
    pub kept: u64,
    /// Examples kept with a part cut off.
    pub cut: u64,
    /// Examples left out.
    pub dropped: u64,
    /// Tokens in the kept examples.
    pub tokens_kept: u64,
    /// Tokens cut off, and of dropped examples.
    pub tokens_cut: u64,
}

impl SupervisedCounts {
    /// Counts one more.
    pub fn record(&mut self, outcome: &Supervised) {
        match outcome {
            Supervised::Kept { example, cut } => {
                self.kept += 1;
                self.cut += u64::from(*cut > 0);
                self.tokens_kept += example.input_ids.len() as u64;
                self.tokens_cut += *cut as u64;
            }
            Supervised::Dropped { tokens } => {
                self.dropped += 1;
                self.tokens_cut += *tokens as u64;
            }
        }
    }
}

impl Supervised {
    /// The example, if one was kept.
    pub fn into_example(self) -> Option<SupervisedExample> {
        match self {
            Self::Kept { example, .. } => Some(example),
            Self::Dropped { .. } => None,
        }
    }
}

/// Makes an example of at most `max_length` ids: prompt, answer, EOS. One that must not be longer ([`Truncation::Error`]) is
/// dropped here, and refused by whoever knows which it is.
pub fn supervised_example(
    prompt: &EncodedPrompt,
    answer_ids: &[u32],
    eos: u32,
    (max_length, truncation): (usize, Truncation),
) -> Supervised {
    let tokens = prompt.ids.len() + answer_ids.len() + 1;
    let cut = tokens.saturating_sub(max_length);
    let range = match truncation {
        _ if cut == 0 => 0..tokens,
        Truncation::Left if max_length > 0 => cut..tokens,
        Truncation::Right if prompt.ids.len() < max_length => 0..max_length,
        _ => return Supervised::Dropped { tokens },
    };
    let whole = prompt.ids.iter().chain(answer_ids).copied().chain([eos]);
    let input_ids: Vec<u32> = whole.skip(range.start).take(range.len()).collect();
    let prompt_len = prompt.ids.len().saturating_sub(range.start);
    let moved =
        |user: &Range<usize>| user.start.saturating_sub(range.start)..user.end.saturating_sub(range.start);
    let user = prompt.user.iter().map(moved).filter(|user| !user.is_empty()).collect();
    let labels = labels(&input_ids, prompt_len);
    Supervised::Kept { example: SupervisedExample { input_ids, labels, prompt_len, user }, cut }
}

/// Renders, encodes and joins one row.
///
/// # Errors
/// A prompt that can't be made or encoded; a tokenizer without EOS.
pub fn encode_row(
    tokenizer: &TextTokenizer,
    template: PromptTemplate,
    row: &Row,
    length: (usize, Truncation),
) -> Result<Supervised, PromptError> {
    let eos = tokenizer.special_tokens().eos.as_ref().ok_or(PromptError::NoEos)?.id;
    let prompt = tokenizer.encode_prompt(&template.render(row, tokenizer)?)?;
    let answer = tokenizer.encode_continuation(&template.answer(row, tokenizer)?)?;
    Ok(supervised_example(&prompt, &answer, eos, length))
}

impl SupervisedExample {
    /// Positions with loss.
    pub fn answer_len(&self) -> usize {
        self.input_ids.len() - self.prompt_len
    }

    /// The example with some of the user's tokens dropped, the answer unchanged; see
    /// [`token_dropout`](crate::token_dropout) for `uniform`.
    #[must_use]
    pub fn augmented(&self, dropout: &TokenDropout, uniform: impl FnMut(u64) -> f64) -> Self {
        let (prompt, answer) = self.input_ids.split_at(self.prompt_len);
        let (mut input_ids, user) = drop_tokens(prompt, &self.user, dropout, uniform);
        let prompt_len = input_ids.len();
        input_ids.extend_from_slice(answer);
        let labels = labels(&input_ids, prompt_len);
        Self { input_ids, labels, prompt_len, user }
    }

    /// The example with spans of three of the user's tokens moved, each with `probability`, the answer unchanged. `uniform(n)` gives the
    /// `n`-th number of 0..1 of a counter-based generator that the caller has keyed by seed, epoch and example.
    #[must_use]
    pub fn shuffled(&self, probability: f64, uniform: impl FnMut(u64) -> f64) -> Self {
        let (prompt, answer) = self.input_ids.split_at(self.prompt_len);
        let mut input_ids = shuffle_spans(prompt, &self.user, probability, uniform);
        input_ids.extend_from_slice(answer);
        Self { input_ids, ..self.clone() }
    }
}

fn labels(input_ids: &[u32], prompt_len: usize) -> Vec<i64> {
    let label = |(i, &id): (usize, &u32)| if i < prompt_len { IGNORE_INDEX } else { i64::from(id) };
    input_ids.iter().enumerate().map(label).collect()
}
