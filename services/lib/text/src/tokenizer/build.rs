//! Builds the Hugging Face tokenizer from checked parts, with a net under what no check foresees.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{AddedToken, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer};

use super::TokenizerError;
use super::check::refuse;
use super::file::{AddedTokenFile, Kind, ModelFile, TokenizerFile, shown};

/// How many words each thread's cache keeps per tokenizer.
const WORD_CACHE: usize = 10_000;

/// Builds from a checked file; `merges` are its merges, checked and as pairs.
///
/// # Errors
/// What the library refuses, and ids that it would give out differently.
pub(crate) fn build(
    file: TokenizerFile,
    merges: Vec<(String, String)>,
    special: &[&str],
) -> Result<Tokenizer, TokenizerError> {
    guard("building", || {
        let mut tokenizer = Tokenizer::new(model(file.model, merges)?);
        let normalizer: Option<NormalizerWrapper> = part(file.normalizer, "normalizer")?;
        tokenizer.with_normalizer(normalizer).map_err(|error| library("building", &error))?;
        tokenizer.with_pre_tokenizer(part::<PreTokenizerWrapper>(file.pre_tokenizer, "pre_tokenizer")?);
        tokenizer.with_post_processor(part::<PostProcessorWrapper>(file.post_processor, "post_processor")?);
        tokenizer
            .add_tokens(file.added_tokens.iter().map(added_token))
            .map_err(|error| library("adding tokens", &error))?;
        for (i, token) in file.added_tokens.iter().enumerate() {
            let got = tokenizer.token_to_id(&token.content);
            if got != Some(token.id) {
                let problem = format!(
                    "\"{}\" can't be given id {}: ids must follow on each other",
                    shown(&token.content),
                    token.id
                );
                return Err(refuse(format!("added_tokens[{i}].id"), problem));
            }
        }
        // A special token of tokenizer_config.json is special whether or not tokenizer.json says so.
        let known = |text: &&&str| !file.added_tokens.iter().any(|t| t.content == **text && t.special);
        let missing = special.iter().filter(known).filter(|text| tokenizer.token_to_id(text).is_some());
        let missing: Vec<AddedToken> = missing.map(|text| AddedToken::from(*text, true)).collect();
        tokenizer.add_special_tokens(missing).map_err(|error| library("adding tokens", &error))?;
        Ok(tokenizer)
    })
}

/// Runs a call into the library; a panic becomes a typed error.
pub(crate) fn guard<T>(
    stage: &'static str,
    call: impl FnOnce() -> Result<T, TokenizerError>,
) -> Result<T, TokenizerError> {
    // Nothing of ours is half-changed by a panic in there: every call builds a new value.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        Err(TokenizerError::Library { stage, problem: panic_message(panic.as_ref()) })
    })
}

/// The library's error as ours.
pub(crate) fn library(stage: &'static str, error: &dyn std::fmt::Display) -> TokenizerError {
    TokenizerError::Library { stage, problem: error.to_string() }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    shown(text.unwrap_or("it panicked"))
}

fn model(mut model: ModelFile, merges: Vec<(String, String)>) -> Result<ModelWrapper, TokenizerError> {
    match std::mem::take(&mut model.kind) {
        Kind::Bpe => bpe(model, merges).map(ModelWrapper::from),
        Kind::WordPiece { max_input_chars_per_word } => {
            wordpiece(model, max_input_chars_per_word).map(ModelWrapper::from)
        }
        Kind::Unigram { pieces, unk_id } => {
            let built = Unigram::from(pieces, Some(unk_id), model.byte_fallback.unwrap_or(false));
            built.map(ModelWrapper::from).map_err(|error| library("building the model", &error))
        }
    }
}

fn wordpiece(model: ModelFile, max_input_chars_per_word: usize) -> Result<WordPiece, TokenizerError> {
    let vocab: Vocab = model.vocab.into_iter().collect();
    let builder = WordPiece::builder()
        .vocab(vocab)
        .unk_token(model.unk_token.unwrap_or_default())
        .continuing_subword_prefix(model.continuing_subword_prefix.unwrap_or_default())
        .max_input_chars_per_word(max_input_chars_per_word);
    builder.build().map_err(|error| library("building the model", &error))
}

fn bpe(model: ModelFile, merges: Vec<(String, String)>) -> Result<BPE, TokenizerError> {
    let vocab: Vocab = model.vocab.into_iter().collect();
    let mut builder = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .cache_capacity(WORD_CACHE)
        .fuse_unk(model.fuse_unk.unwrap_or(false))
        .byte_fallback(model.byte_fallback.unwrap_or(false))
        .ignore_merges(model.ignore_merges.unwrap_or(false));
    if let Some(unk) = model.unk_token {
        builder = builder.unk_token(unk);
    }
    if let Some(prefix) = model.continuing_subword_prefix.filter(|p| !p.is_empty()) {
        builder = builder.continuing_subword_prefix(prefix);
    }
    if let Some(suffix) = model.end_of_word_suffix.filter(|s| !s.is_empty()) {
        builder = builder.end_of_word_suffix(suffix);
    }
    builder.build().map_err(|error| library("building the model", &error))
}

fn part<T: DeserializeOwned>(value: Option<Value>, field: &str) -> Result<Option<T>, TokenizerError> {
    value
        .map(|value| serde_json::from_value(value).map_err(|error| refuse(field, error.to_string())))
        .transpose()
}

fn added_token(token: &AddedTokenFile) -> AddedToken {
    AddedToken::from(token.content.as_str(), token.special)
        .single_word(token.single_word)
        .lstrip(token.lstrip)
        .rstrip(token.rstrip)
        .normalized(token.normalized)
}
