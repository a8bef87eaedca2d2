//! tokenizer.json and tokenizer_config.json as typed structures: read once, checked, then built from.

mod model;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::TokenizerError;
pub(crate) use model::{Kind, MAX_WORD_CHARS, MergeFile, ModelFile};
use model::{UnigramFile, WordPieceFile};

/// Name of the tokenizer file in messages.
pub(crate) const TOKENIZER_JSON: &str = "tokenizer.json";
/// Name of the configuration file in messages.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The largest tokenizer.json accepted: four times the largest one published with a Llama model.
pub(crate) const MAX_TOKENIZER_JSON_BYTES: usize = 64 << 20;
/// The largest tokenizer_config.json accepted.
pub(crate) const MAX_TOKENIZER_CONFIG_BYTES: usize = 8 << 20;

/// What is used of tokenizer.json. Truncation and padding are left out on purpose: a setting in the file
/// must not cut a text without a word, and transformers ignores both as well.
#[derive(Deserialize)]
pub(crate) struct TokenizerFile<M = ModelFile> {
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) added_tokens: Vec<AddedTokenFile>,
    pub(crate) normalizer: Option<Value>,
    pub(crate) pre_tokenizer: Option<Value>,
    pub(crate) post_processor: Option<Value>,
    pub(crate) decoder: Option<Value>,
    pub(crate) model: M,
}

impl<M> TokenizerFile<M>
where
    ModelFile: TryFrom<M, Error = TokenizerError>,
{
    fn checked(self) -> Result<TokenizerFile, TokenizerError> {
        Ok(TokenizerFile {
            version: self.version,
            added_tokens: self.added_tokens,
            normalizer: self.normalizer,
            pre_tokenizer: self.pre_tokenizer,
            post_processor: self.post_processor,
            decoder: self.decoder,
            model: self.model.try_into()?,
        })
    }
}

/// One entry of `added_tokens`.
#[derive(Deserialize)]
pub(crate) struct AddedTokenFile {
    pub(crate) id: u32,
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    #[serde(default)]
    pub(crate) normalized: bool,
    #[serde(default)]
    pub(crate) special: bool,
}

/// What is used of tokenizer_config.json.
#[derive(Default, Deserialize)]
pub(crate) struct ConfigFile {
    pub(crate) bos_token: Option<TokenField>,
    pub(crate) eos_token: Option<TokenField>,
    pub(crate) pad_token: Option<TokenField>,
    pub(crate) mask_token: Option<TokenField>,
    pub(crate) chat_template: Option<ChatTemplateField>,
}

/// A special token: its text, or the object that transformers writes for one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum TokenField {
    Text(String),
    Object { content: String },
}

impl TokenField {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Object { content: text } => text,
        }
    }
}

/// `chat_template`: one template, or several with names.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ChatTemplateField {
    One(String),
    Named(Vec<NamedTemplate>),
}

/// One of several chat templates.
#[derive(Deserialize)]
pub(crate) struct NamedTemplate {
    pub(crate) name: String,
    pub(crate) template: String,
}

/// Only the model's type, so that another kind of model is refused by name and not by its first odd field.
#[derive(Deserialize)]
struct Probe {
    model: ProbeModel,
}

#[derive(Deserialize)]
struct ProbeModel {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Reads tokenizer.json.
///
/// # Errors
/// Too large, not JSON, a model of a kind that is not known, or one beyond the bounds of its kind.
pub(crate) fn read_tokenizer(bytes: &[u8]) -> Result<TokenizerFile, TokenizerError> {
    check_size(TOKENIZER_JSON, bytes, MAX_TOKENIZER_JSON_BYTES)?;
    let probe: Probe = from_json(TOKENIZER_JSON, bytes)?;
    let file: TokenizerFile = match probe.model.kind.as_deref() {
        None | Some("BPE") => from_json(TOKENIZER_JSON, bytes)?,
        Some("WordPiece") => from_json::<TokenizerFile<WordPieceFile>>(TOKENIZER_JSON, bytes)?.checked()?,
        Some("Unigram") => from_json::<TokenizerFile<UnigramFile>>(TOKENIZER_JSON, bytes)?.checked()?,
        Some(other) => {
            return Err(TokenizerError::Field {
                file: TOKENIZER_JSON,
                field: "model.type".to_owned(),
                problem: format!("\"{}\" is not supported; supported: BPE, WordPiece, Unigram", shown(other)),
            });
        }
    };
    match file.version.as_deref() {
        None | Some("1.0") => Ok(file),
        Some(other) => Err(TokenizerError::Field {
            file: TOKENIZER_JSON,
            field: "version".to_owned(),
            problem: format!("\"{}\" is not supported; supported: 1.0", shown(other)),
        }),
    }
}

/// Reads tokenizer_config.json; none is an empty one.
///
/// # Errors
/// Too large or not JSON of the expected form.
pub(crate) fn read_config(bytes: Option<&[u8]>) -> Result<ConfigFile, TokenizerError> {
    let Some(bytes) = bytes else { return Ok(ConfigFile::default()) };
    check_size(TOKENIZER_CONFIG, bytes, MAX_TOKENIZER_CONFIG_BYTES)?;
    from_json(TOKENIZER_CONFIG, bytes)
}

fn check_size(file: &'static str, bytes: &[u8], limit: usize) -> Result<(), TokenizerError> {
    if bytes.len() > limit {
        return Err(TokenizerError::TooLarge { file, bytes: bytes.len(), limit });
    }
    Ok(())
}

fn from_json<T: DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, TokenizerError> {
    serde_json::from_slice(bytes).map_err(|error| TokenizerError::Json { file, problem: error.to_string() })
}

/// At most 64 characters of foreign text for a message, with control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 64;
    let mut cut: String = text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        cut.push('…');
    }
    cut
}
