//! Trains tokenizers: a byte-level byte-pair encoding, with which any text can be encoded and comes back the same, and the kinds of
//! BERT and SentencePiece beside it.

mod unigram;
mod wordpiece;
mod words;

use serde_json::{Map, Value};
use thiserror::Error;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Model, Tokenizer};

use crate::chat::{ChatTemplate, ChatTemplateError};
use crate::tokenizer::{TextTokenizer, TokenizerError, guarded};

pub use unigram::{UNIGRAM_UNKNOWN, train_unigram};
pub use wordpiece::{WORDPIECE_UNKNOWN, WordPieceOptions, train_wordpiece};

/// The symbols that a byte-level vocabulary starts with.
const BYTES: usize = 256;
/// BERT's special tokens. Where the first two are trained they stand around each text, and the last is named as the mask.
const CLS: &str = "[CLS]";
const SEP: &str = "[SEP]";
const MASK: &str = "[MASK]";
/// The largest vocabulary that is trained.
pub const MAX_TRAINED_VOCAB: usize = 1 << 20;

/// What to train, whatever the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOptions {
    /// Size of the vocabulary with bytes or characters and special tokens; fewer where the text gives no more pieces.
    pub vocab_size: usize,
    /// How often a pair must occur to be merged.
    pub min_frequency: u64,
    /// Special tokens; they get the first ids, in this order. With `[CLS]` and `[SEP]` among them these two stand around each text that
    /// is encoded with special tokens, as BERT has it; `[MASK]` is named as the mask.
    pub special_tokens: Vec<String>,
    /// The special token that begins a text. It is not added when encoding.
    pub bos: Option<String>,
    /// The special token that ends a text.
    pub eos: Option<String>,
    /// The special token that fills up a batch.
    pub pad: Option<String>,
    /// The longest token, in bytes; none for no limit. Chinese is written without spaces, so that whole
    /// clauses become tokens where this is not set; a character has three bytes. For a byte-pair encoding alone.
    pub max_token_bytes: Option<usize>,
    /// A chat template to write into tokenizer_config.json.
    pub chat_template: Option<String>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            vocab_size: 4096,
            min_frequency: 2,
            special_tokens: vec!["<|endoftext|>".to_owned()],
            bos: None,
            eos: Some("<|endoftext|>".to_owned()),
            pad: Some("<|endoftext|>".to_owned()),
            max_token_bytes: None,
            chat_template: None,
        }
    }
}

/// The files of a trained tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerFiles {
    /// The bytes of tokenizer.json.
    pub tokenizer_json: Vec<u8>,
    /// The bytes of tokenizer_config.json.
    pub tokenizer_config_json: Vec<u8>,
}

/// Why no tokenizer was trained.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrainError {
    /// The vocabulary has no room for what it must hold, or is too large.
    #[error(
        "vocab_size {vocab_size} is outside of {least}..={most} (the bytes or characters, the special tokens, and room for pieces)"
    )]
    VocabSize {
        /// The size asked for.
        vocab_size: usize,
        /// The least that is accepted.
        least: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The longest word that is taken apart is out of range.
    #[error("max_input_chars_per_word {given} is outside of 1..={most}")]
    WordChars {
        /// The characters asked for.
        given: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// A special token that can't be one.
    #[error("special_tokens: \"{token}\" is {problem}")]
    SpecialToken {
        /// The token.
        token: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The chat template can't be compiled.
    #[error(transparent)]
    ChatTemplate(#[from] ChatTemplateError),
    /// There was no text.
    #[error("there is no text to train on")]
    NoText,
    /// The trained tokenizer could not be made or read back.
    #[error("the tokenizer could not be trained: {0}")]
    Tokenizer(#[from] TokenizerError),
}

/// Trains a byte-level BPE with GPT-2's word pattern. The same texts and options give the same bytes.
///
/// # Errors
/// Options out of range, no text, or a failure of the library.
pub fn train_byte_level_bpe<I, S>(texts: I, options: &TrainOptions) -> Result<TokenizerFiles, TrainError>
where
    I: Iterator<Item = S> + Send,
    S: AsRef<str> + Send,
{
    check(options, None, BYTES + options.special_tokens.len())?;
    let mut trainer = TrainerWrapper::from(trainer(options));
    let mut tokenizer = Tokenizer::new(BPE::default());
    let byte_level = ByteLevel::default().add_prefix_space(false);
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    tokenizer.with_post_processor(frame(options));
    let mut bytes = 0_u64;
    let texts = texts.inspect(|text| bytes += text.as_ref().len() as u64);
    guarded("training", || tokenizer.train(&mut trainer, texts).map(|_| ()))?;
    if bytes == 0 {
        return Err(TrainError::NoText);
    }
    files(tokenizer, None, options)
}

/// Names the special tokens, and writes the files.
fn files(
    mut tokenizer: Tokenizer,
    unknown: Option<&str>,
    options: &TrainOptions,
) -> Result<TokenizerFiles, TrainError> {
    guarded("adding tokens", || tokenizer.add_special_tokens(added(options)).map(|_| ()))?;
    let json = guarded("writing tokenizer.json", || tokenizer.to_string(false))?;
    let config = config(unknown, options);
    let files = TokenizerFiles { tokenizer_json: json.into_bytes(), tokenizer_config_json: config };
    // What is handed out has passed the same checks as a foreign file.
    TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json))?;
    Ok(files)
}

/// Refuses a trained model with more pieces than were asked for: each character is one, however many there are.
fn fits(model: &impl Model, options: &TrainOptions) -> Result<(), TrainError> {
    let least = model.get_vocab_size();
    if least == options.special_tokens.len() {
        return Err(TrainError::NoText);
    }
    if least > options.vocab_size {
        return Err(TrainError::VocabSize { vocab_size: options.vocab_size, least, most: MAX_TRAINED_VOCAB });
    }
    Ok(())
}

/// Checks what can be told before training; `least` is the smallest vocabulary, `unknown` the token that must be there.
fn check(options: &TrainOptions, unknown: Option<&str>, least: usize) -> Result<(), TrainError> {
    if let Some(template) = &options.chat_template {
        ChatTemplate::new(template)?;
    }
    if options.vocab_size < least || options.vocab_size > MAX_TRAINED_VOCAB {
        return Err(TrainError::VocabSize { vocab_size: options.vocab_size, least, most: MAX_TRAINED_VOCAB });
    }
    for (i, token) in options.special_tokens.iter().enumerate() {
        let problem = match token.chars().count() {
            0 => "empty",
            1 => "a single character, which the alphabet may have as well",
            _ if options.special_tokens[..i].contains(token) => "given twice",
            _ => continue,
        };
        return Err(TrainError::SpecialToken { token: token.clone(), problem });
    }
    let named = [&options.bos, &options.eos, &options.pad].into_iter().flatten().map(String::as_str);
    let lacks = |token: &&str| !options.special_tokens.iter().any(|special| special == token);
    match named.chain(unknown).find(lacks) {
        Some(token) => Err(TrainError::SpecialToken { token: token.to_owned(), problem: "not in the list" }),
        None => Ok(()),
    }
}

/// What puts BERT's tokens around a text, if there are both.
fn frame(options: &TrainOptions) -> Option<BertProcessing> {
    let token = |text: &str| {
        let id = options.special_tokens.iter().position(|token| token == text)?;
        Some((text.to_owned(), id as u32))
    };
    Some(BertProcessing::new(token(SEP)?, token(CLS)?))
}

fn added(options: &TrainOptions) -> Vec<AddedToken> {
    options.special_tokens.iter().map(|token| AddedToken::from(token.as_str(), true)).collect()
}

fn trainer(options: &TrainOptions) -> BpeTrainer {
    BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(added(options))
        // The library keeps merges strictly below its limit.
        .max_token_length(options.max_token_bytes.map(|n| n.max(1) + 1))
        .build()
}

fn config(unknown: Option<&str>, options: &TrainOptions) -> Vec<u8> {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
    set("tokenizer_class", Value::from("PreTrainedTokenizerFast"));
    set("add_prefix_space", Value::from(false));
    set("clean_up_tokenization_spaces", Value::from(false));
    let named = [
        ("bos_token", &options.bos),
        ("eos_token", &options.eos),
        ("pad_token", &options.pad),
        ("chat_template", &options.chat_template),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            set(key, Value::from(value.as_str()));
        }
    }
    if let Some(unknown) = unknown {
        set("unk_token", Value::from(unknown));
    }
    for (key, token) in [("cls_token", CLS), ("sep_token", SEP), ("mask_token", MASK)] {
        if options.special_tokens.iter().any(|special| special == token) {
            set(key, Value::from(token));
        }
    }
    let mut text = format!("{:#}", Value::Object(config)).into_bytes();
    text.push(b'\n');
    text
}
