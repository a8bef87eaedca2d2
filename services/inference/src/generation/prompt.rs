//! A prompt on its way to tokens: a conversation becomes text first, because only then it is known how much there is to tokenize.

use std::sync::Arc;

use rootstock_runtime::Tasks;
use rootstock_text::{ChatTemplateError, TextTokenizer};

use super::{Input, check_ids};
use crate::{error::Error, models::Model};

/// What becomes tokens.
#[derive(Debug)]
pub(super) enum Prompt {
    Text(String),
    Ids(Vec<u32>),
    /// A conversation up to where the answer begins; the template has written the special tokens.
    Chat(String),
}

impl Prompt {
    pub(super) async fn new(input: Input, model: &Arc<Model>, tasks: &Tasks) -> Result<Self, Error> {
        let messages = match input {
            Input::Text(text) => return Ok(Self::Text(text)),
            Input::Ids(ids) => return Ok(Self::Ids(ids)),
            Input::Chat(messages) => messages,
        };
        let model = Arc::clone(model);
        let render = move || {
            let rendered = tokenizer(&model, "messages")?.render_chat(&messages, true);
            rendered.map_err(|error| match error {
                ChatTemplateError::Overloaded => Error::Overloaded(error.to_string()),
                _ => Error::invalid("messages", error.to_string()),
            })
        };
        tasks.spawn_blocking("inference-chat", render).await?.map(Self::Chat)
    }

    /// Bytes of text to tokenize.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Chat(text) => text.len(),
            Self::Ids(_) => 0,
        }
    }

    /// At least one token.
    pub(super) fn tokens(self, model: &Model) -> Result<Vec<u32>, Error> {
        let (text, special, field, empty) = match self {
            Self::Ids(ids) => return check_ids(ids, model, "prompt_ids"),
            Self::Text(text) => (
                text,
                true,
                "prompt",
                "is empty, and the tokenizer adds no token of its own; write something",
            ),
            Self::Chat(text) => (text, false, "messages", "the chat template makes an empty prompt of them"),
        };
        let ids = tokenizer(model, field)?.encode_ids(&text, special);
        let ids = ids.map_err(|error| Error::invalid(field, error.to_string()))?;
        if ids.is_empty() { Err(Error::invalid(field, empty)) } else { Ok(ids) }
    }
}

fn tokenizer<'a>(model: &'a Model, field: &str) -> Result<&'a TextTokenizer, Error> {
    let without = || Error::invalid(field, "the base model has no tokenizer; send prompt_ids");
    model.tokenizer().ok_or_else(without)
}
