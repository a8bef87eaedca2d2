//! Tokenizers: files that can be built, and the digest that everything made with them is checked against.
use rootstock_artifacts::Digest;
use rootstock_text::{ChatTemplateError, TextTokenizer, TokenizerError, TokenizerSources};

use super::{AdmissionError, Inspection, MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES};

/// The tokenizer itself.
const TOKENIZER: &str = "tokenizer.json";
/// Its special tokens, and often its chat template.
const CONFIG: &str = "tokenizer_config.json";
/// The chat template, where it has a file of its own.
const TEMPLATE: &str = "chat_template.jinja";

impl Inspection {
    /// A tokenizer artifact.
    pub(super) fn own_tokenizer(mut self) -> Result<Option<Digest>, AdmissionError> {
        Ok(self.tokenizer()?.map(|(_, digest)| digest))
    }

    /// Builds the tokenizer, if there is one, and compares its digest with the one given. Returns the size of its
    /// vocabulary and its digest.
    pub(super) fn tokenizer(&mut self) -> Result<Option<(usize, Digest)>, AdmissionError> {
        let Some(tokenizer) = self.small(TOKENIZER, MAX_TOKENIZER_BYTES)? else { return Ok(None) };
        let config = self.small(CONFIG, MAX_TOKENIZER_BYTES)?;
        let template = self.small(TEMPLATE, MAX_CONFIG_BYTES)?;
        let sources = TokenizerSources {
            tokenizer_json: &tokenizer,
            tokenizer_config: config.as_deref(),
            chat_template: template.as_deref(),
        };
        let built = TextTokenizer::from_sources(&sources).map_err(refusal)?;
        match built.chat_template() {
            Ok(_) | Err(ChatTemplateError::Absent) => {}
            Err(error) => {
                let file = if template.is_some() { TEMPLATE } else { CONFIG };
                return Err(AdmissionError::file(file, format!("chat_template: {error}")));
            }
        }
        let digest = digest(built.digest())?;
        match self.tokenizer_digest {
            Some(given) if given != digest => Err(AdmissionError::Tokenizer(format!(
                "tokenizer_digest is {given}, but the tokenizer in the files has {digest}"
            ))),
            _ => Ok(Some((built.vocab_size(), digest))),
        }
    }
}

/// Reads the tokenizer's digest, with or without its prefix.
fn digest(text: &str) -> Result<Digest, AdmissionError> {
    let digest = text.parse().or_else(|_| Digest::from_hex(text));
    digest.map_err(|_| AdmissionError::file(TOKENIZER, "has no digest"))
}

fn refusal(error: TokenizerError) -> AdmissionError {
    match error {
        TokenizerError::Json { file, problem } => AdmissionError::file(file, problem),
        TokenizerError::Field { file, field, problem } => {
            AdmissionError::file(file, format!("{field}: {problem}"))
        }
        TokenizerError::TooLarge { file, bytes, limit } => {
            AdmissionError::file(file, format!("has {bytes} bytes, more than the {limit} allowed"))
        }
        other => AdmissionError::file(TOKENIZER, other),
    }
}
