//! Trains a byte-level byte-pair encoding: any text can be encoded with it, and comes back the same.

use serde_json::{Map, Value};
use thiserror::Error;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer};

use crate::chat::{ChatTemplate, ChatTemplateError};
use crate::tokenizer::{TextTokenizer, TokenizerError, guarded};

/// The symbols that a byte-level vocabulary starts with.
const BYTES: usize = 256;
/// BERT's special tokens. Where the first two are trained they stand around each text, and the last is named as the mask.
const CLS: &str = "[CLS]";
const SEP: &str = "[SEP]";
const MASK: &str = "[MASK]";
/// The largest vocabulary that is trained.
pub const MAX_TRAINED_VOCAB: usize = 1 << 20;

/// What to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BpeOptions {
    /// Size of the vocabulary with bytes and special tokens; fewer where the text gives no more pairs.
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
    /// clauses become tokens where this is not set; a character has three bytes.
    pub max_token_bytes: Option<usize>,
    /// A chat template to write into tokenizer_config.json.
    pub chat_template: Option<String>,
}

impl Default for BpeOptions {
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
        "vocab_size {vocab_size} is outside of {least}..={most} (256 bytes, the special tokens, and merges)"
    )]
    VocabSize {
        /// The size asked for.
        vocab_size: usize,
        /// The least that is accepted.
        least: usize,
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
pub fn train_byte_level_bpe<I, S>(texts: I, options: &BpeOptions) -> Result<TokenizerFiles, TrainError>
where
    I: Iterator<Item = S> + Send,
    S: AsRef<str> + Send,
{
    check(options)?;
    if let Some(template) = &options.chat_template {
        ChatTemplate::new(template)?;
    }
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
    let json = guarded("writing tokenizer.json", || tokenizer.to_string(false))?;
    let files = TokenizerFiles { tokenizer_json: json.into_bytes(), tokenizer_config_json: config(options) };
    // What is handed out has passed the same checks as a foreign file.
    TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json))?;
    Ok(files)
}

fn check(options: &BpeOptions) -> Result<(), TrainError> {
    let least = BYTES + options.special_tokens.len();
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
    let named = [&options.bos, &options.eos, &options.pad];
    match named.into_iter().flatten().find(|token| !options.special_tokens.contains(token)) {
        Some(token) => Err(TrainError::SpecialToken { token: token.clone(), problem: "not in the list" }),
        None => Ok(()),
    }
}

/// What puts BERT's tokens around a text, if there are both.
fn frame(options: &BpeOptions) -> Option<BertProcessing> {
    let token = |text: &str| {
        let id = options.special_tokens.iter().position(|token| token == text)?;
        Some((text.to_owned(), id as u32))
    };
    Some(BertProcessing::new(token(SEP)?, token(CLS)?))
}

fn trainer(options: &BpeOptions) -> BpeTrainer {
    BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(options.special_tokens.iter().map(|t| AddedToken::from(t.as_str(), true)).collect())
        // The library keeps merges strictly below its limit.
        .max_token_length(options.max_token_bytes.map(|n| n.max(1) + 1))
        .build()
}

fn config(options: &BpeOptions) -> Vec<u8> {
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
    for (key, token) in [("cls_token", CLS), ("sep_token", SEP), ("mask_token", MASK)] {
        if options.special_tokens.iter().any(|special| special == token) {
            set(key, Value::from(token));
        }
    }
    let mut text = format!("{:#}", Value::Object(config)).into_bytes();
    text.push(b'\n');
    text
}
