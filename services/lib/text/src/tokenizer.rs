//! A Hugging Face tokenizer that was checked before it was built: text to ids and back, its special
//! tokens, its chat template, and the digest that stands for all of them.

mod build;
mod check;
mod error;
mod extend;
mod file;
mod special;
mod table;

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

pub use error::{TokenizerError, UnknownId};
pub(crate) use file::{MAX_WORD_CHARS, shown};
pub use special::{SpecialToken, SpecialTokens};
pub(crate) use table::TokenTable;

use crate::chat::{ChatMessage, ChatTemplate, ChatTemplateError};
use crate::prompt::{EncodedPrompt, Prompt};
use crate::stream::{StreamDecoder, StripLeft, lossy};
use build::{guard, library};
use table::Alphabet;

/// The longest text that one call encodes, in bytes; the library needs some hundred times as much memory.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// Documents are encoded in pieces of about this many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The files of a tokenizer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenizerSources<'a> {
    /// The bytes of tokenizer.json.
    pub tokenizer_json: &'a [u8],
    /// The bytes of tokenizer_config.json.
    pub tokenizer_config: Option<&'a [u8]>,
    /// The bytes of chat_template.jinja; it goes before a template in tokenizer_config.json.
    pub chat_template: Option<&'a [u8]>,
}

/// The ids of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids, in order.
    pub ids: Vec<u32>,
    /// For each id, the bytes of the text that it stands for; `0..0` for a token that was added.
    pub offsets: Vec<Range<usize>>,
}

impl From<&tokenizers::Encoding> for Encoding {
    fn from(encoding: &tokenizers::Encoding) -> Self {
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| start..end).collect();
        Self { ids: encoding.get_ids().to_vec(), offsets }
    }
}

/// A tokenizer: byte-pair encoding over bytes or with byte fallback, as in the Llama family, BERT's WordPiece, or SentencePiece's Unigram.
#[derive(Debug)]
pub struct TextTokenizer {
    inner: Tokenizer,
    table: Arc<TokenTable>,
    special: SpecialTokens,
    chat_template: Result<ChatTemplate, ChatTemplateError>,
    digest: String,
    byte_level: bool,
    adds_space: bool,
}

impl TextTokenizer {
    /// Builds from tokenizer.json and tokenizer_config.json.
    ///
    /// # Errors
    /// As [`TextTokenizer::from_sources`].
    pub fn from_files(
        tokenizer_json: &[u8],
        tokenizer_config: Option<&[u8]>,
    ) -> Result<Self, TokenizerError> {
        Self::from_sources(&TokenizerSources { tokenizer_json, tokenizer_config, chat_template: None })
    }

    /// Builds from all files of a tokenizer. A chat template that can't be compiled is no error here, but
    /// of [`TextTokenizer::chat_template`].
    ///
    /// # Errors
    /// A file that is too large, not JSON, or holds what can't be applied; the message names the field.
    pub fn from_sources(sources: &TokenizerSources<'_>) -> Result<Self, TokenizerError> {
        let mut file = file::read_tokenizer(sources.tokenizer_json)?;
        let config = file::read_config(sources.tokenizer_config)?;
        let alphabet = Alphabet::parse(file.decoder.as_ref())?;
        let merges = check::check(&mut file, &alphabet)?;
        let special = SpecialTokens::resolve(&config, &file)?;
        let template = special::template_source(config.chat_template, sources.chat_template)?;
        let inner = build::build(file, merges, &special.texts())?;
        let table = Arc::new(token_table(&inner, &alphabet));
        let digest = digest(sources.tokenizer_json, template.as_deref(), &special);
        let chat_template = template.map_or(Err(ChatTemplateError::Absent), |t| ChatTemplate::new(&t));
        let byte_level = alphabet == Alphabet::ByteLevel;
        let mut tokenizer =
            Self { inner, table, special, chat_template, digest, byte_level, adds_space: false };
        tokenizer.adds_space = tokenizer.finds_space_added()?;
        Ok(tokenizer)
    }

    /// Encodes one text. `add_special` adds what the tokenizer's post-processor adds (often BOS).
    ///
    /// # Errors
    /// A text over [`MAX_TEXT_BYTES`]; a failure of the library.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Encoding, TokenizerError> {
        check_length(text)?;
        let encoding = guarded("encoding", || self.inner.encode(text, add_special))?;
        Ok(Encoding::from(&encoding))
    }

    /// Encodes one text to ids alone, which is faster than with offsets.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_ids(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerError> {
        check_length(text)?;
        let encoding = guarded("encoding", || self.inner.encode_fast(text, add_special))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Encodes several texts at once on the library's threads; results in order.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`], for the first text that fails.
    pub fn encode_batch(&self, texts: &[&str], add_special: bool) -> Result<Vec<Encoding>, TokenizerError> {
        texts.iter().try_for_each(|text| check_length(text))?;
        let encodings = guarded("encoding", || self.inner.encode_batch(texts.to_vec(), add_special))?;
        Ok(encodings.iter().map(Encoding::from).collect())
    }

    /// Encodes a document of any length, without special tokens. Over bytes it goes by pieces that end at
    /// line ends, where no token crosses; memory is then bounded by the piece and not by the document.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`], for a piece with no line end in [`MAX_TEXT_BYTES`].
    pub fn encode_document(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if !self.byte_level {
            return self.encode_ids(text, false);
        }
        let mut ids = Vec::with_capacity(text.len() / 4);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(piece_end(rest));
            ids.extend(self.encode_ids(piece, false)?);
            rest = after;
        }
        Ok(ids)
    }

    /// Encodes text that goes on from a prompt: without special tokens, and without the space that some
    /// tokenizers put before each text, where the text brings one.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match text.strip_prefix(' ') {
            Some(rest) if self.adds_space => self.encode_ids(rest, false),
            _ => self.encode_ids(text, false),
        }
    }

    /// Encodes a prompt, and tells which of its tokens are the user's words rather than the template's.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<EncodedPrompt, TokenizerError> {
        Ok(EncodedPrompt::locate(prompt, self.encode(&prompt.text, prompt.add_special)?))
    }

    /// What `add_special` puts before a text, and what after it.
    ///
    /// # Errors
    /// A failure of the library.
    pub fn frame(&self) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        let (plain, framed) = (self.encode_ids("a", false)?, self.encode_ids("a", true)?);
        let before = framed.windows(plain.len().max(1)).position(|part| part == plain).unwrap_or(0);
        Ok((framed[..before].to_vec(), framed[before + plain.len()..].to_vec()))
    }

    /// The number of tokens in a text.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn count(&self, text: &str, add_special: bool) -> Result<usize, TokenizerError> {
        self.encode_ids(text, add_special).map(|ids| ids.len())
    }

    /// Decodes ids. Bytes that are not UTF-8 become U+FFFD; ids outside the vocabulary stand for nothing
    /// (a model may have more rows than its tokenizer has tokens): see [`TextTokenizer::check_ids`].
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let kept = ids.iter().filter(|&&id| !(skip_special && self.table.is_special(id)));
        let bytes: Vec<u8> = kept.flat_map(|&id| self.table.bytes(id)).copied().collect();
        let text = lossy(&bytes);
        match self.table.strip_left {
            Some((c, count)) => StripLeft::new(c, count).apply(&text).to_owned(),
            None => text,
        }
    }

    /// A decoder for ids that come one by one.
    pub fn stream_decoder(&self, skip_special: bool) -> StreamDecoder {
        StreamDecoder::new(Arc::clone(&self.table), skip_special)
    }

    /// Checks that all ids are in the vocabulary.
    ///
    /// # Errors
    /// The first id that is not.
    pub fn check_ids(&self, ids: &[u32]) -> Result<(), UnknownId> {
        match ids.iter().position(|&id| !self.table.has(id)) {
            Some(position) => Err(UnknownId { position, id: ids[position], vocab_size: self.vocab_size() }),
            None => Ok(()),
        }
    }

    /// One more than the highest id: the rows that an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.table.len()
    }

    /// The id of a token's text, as it stands in the vocabulary.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A token's text, as it stands in the vocabulary.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The bytes of text that an id stands for; empty for an unknown id.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.table.bytes(id)
    }

    /// Whether an id is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.table.is_special(id)
    }

    /// The special tokens that tokenizer_config.json names.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// The chat template.
    ///
    /// # Errors
    /// There is none, or it can't be compiled.
    pub fn chat_template(&self) -> Result<&ChatTemplate, ChatTemplateError> {
        self.chat_template.as_ref().map_err(Clone::clone)
    }

    /// Renders messages with the chat template and this tokenizer's BOS and EOS. The text holds the special
    /// tokens: encode it without adding them.
    ///
    /// # Errors
    /// As [`TextTokenizer::chat_template`] and [`ChatTemplate::render`].
    pub fn render_chat(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, ChatTemplateError> {
        let text = |token: &Option<SpecialToken>| token.as_ref().map_or(String::new(), |t| t.text.clone());
        let (bos, eos) = (text(&self.special.bos), text(&self.special.eos));
        self.chat_template()?.render(messages, add_generation_prompt, &bos, &eos)
    }

    /// SHA-256 over tokenizer.json, the chat template and the special tokens, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn finds_space_added(&self) -> Result<bool, TokenizerError> {
        let ids = self.encode_ids("a", false)?;
        let first = ids.first().and_then(|&id| self.inner.id_to_token(id));
        Ok(first.is_some_and(|token| token.starts_with('▁') || token.starts_with('Ġ')))
    }
}

/// Runs a call into the library whose error is a boxed one; errors and panics come back typed.
pub(crate) fn guarded<T>(
    stage: &'static str,
    call: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T, TokenizerError> {
    guard(stage, || call().map_err(|error| library(stage, &error)))
}

fn check_length(text: &str) -> Result<(), TokenizerError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(TokenizerError::TextTooLong { bytes: text.len(), limit: MAX_TEXT_BYTES });
    }
    Ok(())
}

/// Where a piece of at least `PIECE_BYTES` ends: after a line end, before something that is not a space.
/// Every pre-tokenizer in use ends a word there, so the ids are those of the whole text.
fn piece_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends =
        |&at: &usize| bytes[at - 1] == b'\n' && text[at..].chars().next().is_some_and(|c| !c.is_whitespace());
    (PIECE_BYTES..bytes.len()).find(ends).unwrap_or(bytes.len())
}

fn token_table(inner: &Tokenizer, alphabet: &Alphabet) -> TokenTable {
    let added = inner.get_added_tokens_decoder();
    let highest = inner.get_vocab(true).into_values().max().unwrap_or(0);
    TokenTable::build(alphabet, highest as usize + 1, |id| {
        let special = added.get(&id).is_some_and(|token| token.special);
        inner.id_to_token(id).map(|token| (token, special))
    })
}

/// Each part goes in with its length, so that no two sets of files run into one another.
fn digest(tokenizer_json: &[u8], chat_template: Option<&str>, special: &SpecialTokens) -> String {
    let mut hash = Sha256::new();
    let mut part = |name: &str, bytes: Option<&[u8]>| {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update([u8::from(bytes.is_some())]);
        let bytes = bytes.unwrap_or_default();
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part("tokenizer.json", Some(tokenizer_json));
    part("chat_template", chat_template.map(str::as_bytes));
    for (name, token) in special.named() {
        part(name, token.as_ref().map(|t| t.text.as_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
