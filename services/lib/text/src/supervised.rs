//! Supervised examples: a prompt and its answer as ids, with the loss on the answer alone. What does not
//! fit is counted.

use std::ops::Range;

use crate::augment::{TokenDropout, drop_tokens};
use crate::prompt::{EncodedPrompt, PromptError, PromptTemplate};
use crate::rows::Row;
use crate::tokenizer::TextTokenizer;

/// The label of a position without loss, as in PyTorch and transformers.
pub const IGNORE_INDEX: i64 = -100;

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
    /// The example, whole or with the end of its answer cut.
    Kept {
        /// The example.
        example: SupervisedExample,
        /// Tokens cut from the end of the answer, EOS included.
        cut: usize,
    },
    /// The prompt leaves no room for an answer.
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
    /// Examples kept with a part of the answer cut.
    pub cut: u64,
    /// Examples left out.
    pub dropped: u64,
    /// Tokens in the kept examples.
    pub tokens_kept: u64,
    /// Tokens cut from answers, and of dropped examples.
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

/// Makes an example of at most `max_length` ids. Where it is longer the end of the answer is cut, with
/// EOS; where the prompt leaves no room it is dropped whole: half a question teaches nothing.
pub fn supervised_example(
    prompt: &EncodedPrompt,
    answer_ids: &[u32],
    eos: u32,
    max_length: usize,
) -> Supervised {
    let prompt_len = prompt.ids.len();
    let tokens = prompt_len + answer_ids.len() + 1;
    if prompt_len >= max_length {
        return Supervised::Dropped { tokens };
    }
    let mut input_ids = Vec::with_capacity(tokens.min(max_length));
    input_ids.extend_from_slice(&prompt.ids);
    input_ids.extend(answer_ids.iter().copied().chain([eos]).take(max_length - prompt_len));
    let labels = labels(&input_ids, prompt_len);
    let cut = tokens - input_ids.len();
    let example = SupervisedExample { input_ids, labels, prompt_len, user: prompt.user.clone() };
    Supervised::Kept { example, cut }
}

/// Renders, encodes and joins one row.
///
/// # Errors
/// A prompt that can't be made or encoded; a tokenizer without EOS.
pub fn encode_row(
    tokenizer: &TextTokenizer,
    template: PromptTemplate,
    row: &Row,
    max_length: usize,
) -> Result<Supervised, PromptError> {
    let eos = tokenizer.special_tokens().eos.as_ref().ok_or(PromptError::NoEos)?.id;
    let prompt = tokenizer.encode_prompt(&template.render(row, tokenizer)?)?;
    let answer = tokenizer.encode_continuation(&template.answer(row, tokenizer)?)?;
    Ok(supervised_example(&prompt, &answer, eos, max_length))
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
}

fn labels(input_ids: &[u32], prompt_len: usize) -> Vec<i64> {
    let label = |(i, &id): (usize, &u32)| if i < prompt_len { IGNORE_INDEX } else { i64::from(id) };
    input_ids.iter().enumerate().map(label).collect()
}
