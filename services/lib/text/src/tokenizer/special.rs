//! What tokenizer_config.json adds to a tokenizer: its special tokens and its chat template.

use super::TokenizerError;
use super::file::{ChatTemplateField, ConfigFile, Kind, TOKENIZER_CONFIG, TokenField, TokenizerFile, shown};

/// Name of the separate template file in messages.
const CHAT_TEMPLATE_FILE: &str = "chat_template.jinja";
/// The template that is used where there are several.
const DEFAULT_TEMPLATE: &str = "default";

/// A special token: its id and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialToken {
    /// Its id.
    pub id: u32,
    /// Its text, such as `<|endoftext|>`.
    pub text: String,
}

/// The special tokens that tokenizer_config.json names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begins a text.
    pub bos: Option<SpecialToken>,
    /// Ends a text: generation stops at it.
    pub eos: Option<SpecialToken>,
    /// Fills up the shorter rows of a batch.
    pub pad: Option<SpecialToken>,
    /// Stands where a token is hidden.
    pub mask: Option<SpecialToken>,
}

impl SpecialTokens {
    /// Finds the tokens of the configuration in the vocabulary. Where it names none, a WordPiece has BERT's padding and mask, as in
    /// transformers: BERT's own configuration leaves them out.
    ///
    /// # Errors
    /// A token that is not there: transformers would make up a new id for it, which no model has a row for.
    pub(crate) fn resolve(config: &ConfigFile, file: &TokenizerFile) -> Result<Self, TokenizerError> {
        let bert = matches!(file.model.kind, Kind::WordPiece { .. });
        let default = |name: &str| match name {
            "pad_token" if bert => Some("[PAD]").filter(|&text| file.model.vocab.contains_key(text)),
            "mask_token" if bert => Some("[MASK]").filter(|&text| file.model.vocab.contains_key(text)),
            _ => None,
        };
        let find = |name: &str, field: &Option<TokenField>| {
            let named = field.as_ref().map(TokenField::text);
            let Some(text) = named.or_else(|| default(name)) else { return Ok(None) };
            let added = file.added_tokens.iter().find(|token| token.content == text).map(|token| token.id);
            match added.or_else(|| file.model.vocab.get(text).copied()) {
                Some(id) => Ok(Some(SpecialToken { id, text: text.to_owned() })),
                None => Err(TokenizerError::Field {
                    file: TOKENIZER_CONFIG,
                    field: name.to_owned(),
                    problem: format!("\"{}\" is not a token of tokenizer.json", shown(text)),
                }),
            }
        };
        Ok(Self {
            bos: find("bos_token", &config.bos_token)?,
            eos: find("eos_token", &config.eos_token)?,
            pad: find("pad_token", &config.pad_token)?,
            mask: find("mask_token", &config.mask_token)?,
        })
    }

    /// Each token with its name in tokenizer_config.json; a mask only where there is one, so that the digests of those without stay.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &Option<SpecialToken>)> {
        let all = [("bos_token", &self.bos), ("eos_token", &self.eos), ("pad_token", &self.pad)];
        all.into_iter().chain(self.mask.is_some().then_some(("mask_token", &self.mask)))
    }

    /// The texts of those that are set.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.named().filter_map(|(_, token)| token.as_ref()).map(|t| t.text.as_str()).collect()
    }
}

/// The source of the chat template, from its own file or from the configuration.
///
/// # Errors
/// A file that is not UTF-8; several templates with none named `default`.
pub(crate) fn template_source(
    field: Option<ChatTemplateField>,
    file: Option<&[u8]>,
) -> Result<Option<String>, TokenizerError> {
    if let Some(bytes) = file {
        let text = std::str::from_utf8(bytes).map_err(|error| TokenizerError::Json {
            file: CHAT_TEMPLATE_FILE,
            problem: format!("not UTF-8 from byte {} on", error.valid_up_to()),
        })?;
        return Ok(Some(text.to_owned()));
    }
    match field {
        None => Ok(None),
        Some(ChatTemplateField::One(text)) => Ok(Some(text)),
        Some(ChatTemplateField::Named(list)) => named_template(list),
    }
}

fn named_template(list: Vec<super::file::NamedTemplate>) -> Result<Option<String>, TokenizerError> {
    let names = list.iter().map(|t| shown(&t.name)).collect::<Vec<_>>().join(", ");
    match list.into_iter().find(|t| t.name == DEFAULT_TEMPLATE) {
        Some(template) => Ok(Some(template.template)),
        None => Err(TokenizerError::Field {
            file: TOKENIZER_CONFIG,
            field: "chat_template".to_owned(),
            problem: format!("has no template named \"{DEFAULT_TEMPLATE}\", only: {names}"),
        }),
    }
}
