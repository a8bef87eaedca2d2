//! Prompt templates: how a row becomes the text that a model is asked with, and which part of it is the
//! user's own words.

use std::{ops::Range, sync::Arc};

use thiserror::Error;

use crate::chat::{ChatMessage, ChatTemplateError};
use crate::rows::Row;
use crate::tokenizer::{Encoding, TextTokenizer, TokenizerError};

/// Stands for the user's words while the chat template's own text is found out: private-use characters
/// that no template has reason to touch.
const MARK: &str = "\u{F5A1}\u{F5A2}\u{F5A3}";

const ALPACA: &str = "Below is an instruction that describes a task. \
    Write a response that appropriately completes the request.\n\n";
const ALPACA_WITH_INPUT: &str = "Below is an instruction that describes a task, \
    paired with an input that provides further context. \
    Write a response that appropriately completes the request.\n\n";

/// The templates by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptTemplate {
    /// `问题: …\n回答:`
    QaZh,
    /// `Question: …\nAnswer:`
    QaEn,
    /// Stanford Alpaca's.
    Alpaca,
    /// The tokenizer's own chat template.
    Chat,
}

/// Why a prompt could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// There is no template of that name.
    #[error("prompt_template \"{0}\" is unknown; known: qa_zh, qa_en, alpaca, chat")]
    UnknownTemplate(String),
    /// The chat template can't be used.
    #[error(transparent)]
    Chat(#[from] ChatTemplateError),
    /// The prompt can't be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Only a chat template has a place for what was said before.
    #[error(
        "the row is a conversation of several turns or with a system message, for which prompt_template must be chat"
    )]
    Conversation,
    /// Answers need an end.
    #[error("the tokenizer has no eos_token; name one in tokenizer_config.json so that answers end")]
    NoEos,
}

/// A prompt, ready to be encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The whole text.
    pub text: String,
    /// The bytes of `text` that are the user's words, in order.
    pub user: Vec<Range<usize>>,
    /// Whether the tokenizer adds its special tokens; not where a chat template has put them in.
    pub add_special: bool,
}

/// The ids of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedPrompt {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The positions in `ids` that stand for the user's words, in order and apart from each other.
    pub user: Vec<Range<usize>>,
}

impl PromptTemplate {
    /// All templates.
    pub const ALL: [Self; 4] = [Self::QaZh, Self::QaEn, Self::Alpaca, Self::Chat];

    /// Finds a template by its name.
    ///
    /// # Errors
    /// An unknown name.
    pub fn parse(name: &str) -> Result<Self, PromptError> {
        let found = Self::ALL.into_iter().find(|template| template.name() == name);
        found.ok_or_else(|| PromptError::UnknownTemplate(crate::tokenizer::shown(name)))
    }

    /// The template's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::QaZh => "qa_zh",
            Self::QaEn => "qa_en",
            Self::Alpaca => "alpaca",
            Self::Chat => "chat",
        }
    }

    /// Makes the prompt of a row; its output is not looked at. Space around instruction and input goes.
    ///
    /// # Errors
    /// A chat template that is missing or fails; a conversation for another template.
    pub fn render(self, row: &Row, tokenizer: &TextTokenizer) -> Result<Prompt, PromptError> {
        let (instruction, input) = (row.instruction.trim(), row.input.trim());
        match self {
            Self::QaZh | Self::QaEn | Self::Alpaca if !row.history.is_empty() => {
                Err(PromptError::Conversation)
            }
            Self::QaZh => Ok(question("问题: ", instruction, input, "\n回答:")),
            Self::QaEn => Ok(question("Question: ", instruction, input, "\nAnswer:")),
            Self::Alpaca => Ok(alpaca(instruction, input)),
            Self::Chat => chat(&row.history, &user_content(instruction, input), tokenizer),
        }
    }

    /// The text that follows the prompt of a row: its answer as the template joins it on, without EOS.
    ///
    /// # Errors
    /// As [`PromptTemplate::render`].
    pub fn answer(self, row: &Row, tokenizer: &TextTokenizer) -> Result<String, PromptError> {
        let output = row.output.trim();
        match self {
            Self::QaZh | Self::QaEn => Ok(format!(" {output}")),
            Self::Alpaca => Ok(output.to_owned()),
            Self::Chat => chat_answer(row, output, tokenizer),
        }
    }
}

impl EncodedPrompt {
    /// A prompt in which nothing is known to be the user's.
    pub fn opaque(ids: Vec<u32>) -> Self {
        Self { ids, user: Vec::new() }
    }

    /// Maps the user's bytes to tokens. A token is the user's if all of it but space is.
    pub(crate) fn locate(prompt: &Prompt, encoding: Encoding) -> Self {
        let mut user: Vec<Range<usize>> = Vec::new();
        for (i, bytes) in encoding.offsets.iter().enumerate() {
            if !is_user(prompt, bytes) {
                continue;
            }
            match user.last_mut() {
                Some(last) if last.end == i => last.end = i + 1,
                _ => user.push(i..i + 1),
            }
        }
        Self { ids: encoding.ids, user }
    }
}

fn is_user(prompt: &Prompt, bytes: &Range<usize>) -> bool {
    let Some(text) = prompt.text.get(bytes.clone()) else { return false };
    let start = bytes.start + (text.len() - text.trim_start().len());
    let end = start + text.trim().len();
    // A token of nothing but space has to lie within as a whole.
    let (start, end) = if start >= end { (bytes.start, bytes.end) } else { (start, end) };
    start < end && prompt.user.iter().any(|user| user.start <= start && end <= user.end)
}

/// Puts together a text and remembers where the user's words are.
#[derive(Default)]
struct Parts(Prompt);

impl Parts {
    fn fixed(mut self, text: &str) -> Self {
        self.0.text.push_str(text);
        self
    }

    fn user(mut self, text: &str) -> Self {
        let start = self.0.text.len();
        self.0.text.push_str(text);
        if !text.is_empty() {
            self.0.user.push(start..self.0.text.len());
        }
        self
    }

    fn done(mut self, add_special: bool) -> Prompt {
        self.0.add_special = add_special;
        self.0
    }
}

fn question(before: &str, instruction: &str, input: &str, after: &str) -> Prompt {
    let between = if input.is_empty() { "" } else { "\n" };
    Parts::default().fixed(before).user(instruction).fixed(between).user(input).fixed(after).done(true)
}

fn alpaca(instruction: &str, input: &str) -> Prompt {
    let parts = Parts::default();
    let parts = if input.is_empty() {
        parts.fixed(ALPACA).fixed("### Instruction:\n").user(instruction)
    } else {
        let parts = parts.fixed(ALPACA_WITH_INPUT).fixed("### Instruction:\n").user(instruction);
        parts.fixed("\n\n### Input:\n").user(input)
    };
    parts.fixed("\n\n### Response:\n").done(true)
}

fn user_content(instruction: &str, input: &str) -> String {
    if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") }
}

fn chat(
    history: &[Arc<ChatMessage>],
    content: &str,
    tokenizer: &TextTokenizer,
) -> Result<Prompt, PromptError> {
    let render = |content: &str| tokenizer.render_chat(&asked(history, content), true);
    let text = render(content)?;
    // Where the marked rendering differs is where the user's words are. A template that looks into them
    // gives another text around them; then nothing is known to be the user's.
    let marked = render(MARK).ok();
    let around = marked.as_deref().and_then(|marked| marked.split_once(MARK));
    let user = around.and_then(|(before, after)| {
        let inside = text.strip_prefix(before)?.strip_suffix(after)?;
        (inside == content).then(|| before.len()..before.len() + inside.len())
    });
    Ok(Prompt { text, user: user.into_iter().collect(), add_special: false })
}

/// All that was said, with the user's words last.
fn asked(history: &[Arc<ChatMessage>], content: &str) -> Vec<ChatMessage> {
    let before = history.iter().map(|message| ChatMessage::clone(message));
    before.chain([ChatMessage::new("user", content)]).collect()
}

/// What the chat template writes for the answer after the prompt, less the EOS at its end.
fn chat_answer(row: &Row, output: &str, tokenizer: &TextTokenizer) -> Result<String, PromptError> {
    let mut messages = asked(&row.history, &user_content(row.instruction.trim(), row.input.trim()));
    let prompt = tokenizer.render_chat(&messages, true)?;
    messages.push(ChatMessage::new("assistant", output));
    let whole = tokenizer.render_chat(&messages, false)?;
    let eos = tokenizer.special_tokens().eos.as_ref().map_or("", |eos| eos.text.as_str());
    let answer = whole.strip_prefix(&prompt).map(|rest| {
        let end = rest.trim_end();
        if eos.is_empty() { end } else { end.strip_suffix(eos).unwrap_or(end) }
    });
    // A template that renders a past answer in another way than one to come: the answer as it stands.
    Ok(answer.filter(|text| text.contains(output)).unwrap_or(output).to_owned())
}
