//! The prompt of `rootstock generate`: as it is, or in the words in which a training template asks.
use std::io;

use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::{self as inference, TokenIds};
use rootstock_client::proto::tokenization::v1::ChatMessage;
use rootstock_text::{PromptTemplate, Row, TextTokenizer, TrainOptions, train_byte_level_bpe};

use crate::check::blocking;
use crate::{CliError, Context};

/// What stands for standard input.
const STDIN: &str = "-";
/// The role of who asks.
const USER: &str = "user";
/// Size of the smallest tokenizer: the bytes and the end of a text.
const SMALLEST_VOCABULARY: usize = 257;

/// What to ask, and of whom.
pub(super) struct Ask<'a> {
    pub(super) prompt: &'a str,
    /// Whether the server renders it as a message.
    pub(super) chat: bool,
    pub(super) template: Option<PromptTemplate>,
    /// Full names, or empty.
    pub(super) model: &'a str,
    pub(super) adapter: &'a str,
}

/// What clap reads a template with.
pub(super) fn template(name: &str) -> Result<PromptTemplate, String> {
    PromptTemplate::parse(name).map_err(|error| error.to_string())
}

/// What to send.
pub(super) async fn input(context: &Context, ask: &Ask<'_>) -> Result<Input, CliError> {
    let prompt = text(ask.prompt).await?;
    if ask.chat {
        let message = inference::ChatMessage { role: USER.to_owned(), content: prompt };
        return Ok(Input::Messages(inference::ChatMessages { messages: vec![message] }));
    }
    match ask.template {
        None => Ok(Input::Prompt(prompt)),
        Some(PromptTemplate::Chat) => {
            let tokenizer = model(context, ask).await?;
            let messages = vec![ChatMessage { role: USER.to_owned(), content: prompt.trim().to_owned() }];
            let rendered = context.clients().tokenization().render_chat(tokenizer, messages, true).await?;
            // As ids, because a text would get special tokens a second time.
            Ok(Input::PromptIds(TokenIds { ids: rendered.ids }))
        }
        Some(template) => Ok(Input::Prompt(fixed(template, prompt)?)),
    }
}

async fn text(prompt: &str) -> Result<String, CliError> {
    if prompt != STDIN {
        return Ok(prompt.to_owned());
    }
    let read = || io::read_to_string(io::stdin()).map_err(|source| CliError::io("standard input", source));
    let text = blocking(read).await?;
    // The line end that `echo` adds is not meant.
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

/// A prompt in a template that is the same for every tokenizer.
fn fixed(template: PromptTemplate, prompt: String) -> Result<String, CliError> {
    let failed = |error: String| CliError::refused(format!("--prompt-template {}: {error}", template.name()));
    let row = Row { instruction: prompt, ..Row::default() };
    // `render` takes a tokenizer for the sake of `chat`; the words of the others don't depend on it.
    let options = TrainOptions { vocab_size: SMALLEST_VOCABULARY, ..TrainOptions::default() };
    let files =
        train_byte_level_bpe(["-"].into_iter(), &options).map_err(|error| failed(error.to_string()))?;
    let any =
        TextTokenizer::from_files(&files.tokenizer_json, None).map_err(|error| failed(error.to_string()))?;
    template.render(&row, &any).map(|prompt| prompt.text).map_err(|error| failed(error.to_string()))
}

/// The model whose chat template is meant: the one named, the adapter's, or the only one there is.
async fn model(context: &Context, ask: &Ask<'_>) -> Result<String, CliError> {
    if !ask.model.is_empty() {
        return Ok(ask.model.to_owned());
    }
    let checkpoint = context.clients().checkpoint();
    if !ask.adapter.is_empty() {
        return Ok(checkpoint.get_artifact(ask.adapter).await?.base_digest);
    }
    let models = checkpoint.list_aliases(&format!("{}/", Kind::BaseModel.collection())).await?;
    match &models[..] {
        [only] => Ok(only.name.clone()),
        _ => Err(CliError::refused("--prompt-template chat needs to know the model; name it with --model")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_asked_as_in_training() {
        let asked = |template| fixed(template, " Who? ".to_owned()).unwrap();
        assert_eq!(asked(PromptTemplate::QaEn), "Question: Who?\nAnswer:");
        assert_eq!(asked(PromptTemplate::QaZh), "问题: Who?\n回答:");
        let alpaca = asked(PromptTemplate::Alpaca);
        assert!(alpaca.ends_with("### Instruction:\nWho?\n\n### Response:\n"), "{alpaca}");
        assert!(template("alpaka").unwrap_err().contains("known: qa_zh, qa_en, alpaca, chat"));
    }
}
