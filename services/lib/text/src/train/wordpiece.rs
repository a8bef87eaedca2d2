//! Trains BERT's WordPiece: words are split off first, and a piece that goes on a word is marked with `##`.

use std::collections::BTreeSet;

use tokenizers::decoders::wordpiece::WordPiece as Decoder;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer, Trainer};

use super::words::words;
use super::{TokenizerFiles, TrainError, TrainOptions, added, check, files, fits, frame};
use crate::tokenizer::{MAX_WORD_CHARS, guarded};

/// What stands for a word that has no pieces.
pub const WORDPIECE_UNKNOWN: &str = "[UNK]";
/// What marks a piece that goes on a word.
const PREFIX: &str = "##";

/// What BERT does to a text before it is taken apart (`BertNormalizer` of tokenizers), and which words it takes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordPieceOptions {
    /// Makes all letters small.
    pub lowercase: bool,
    /// Takes the accents off letters; none does so where letters are made small.
    pub strip_accents: Option<bool>,
    /// Longer words, in characters, are unknown; 1 to 256.
    pub max_input_chars_per_word: usize,
}

impl Default for WordPieceOptions {
    fn default() -> Self {
        Self { lowercase: true, strip_accents: None, max_input_chars_per_word: 100 }
    }
}

/// Trains a WordPiece; `[UNK]` must be among the special tokens. The same texts and options give the same bytes.
/// Source: Devlin et al., 2019, as tokenizers' `BertWordPieceTokenizer` trains it.
///
/// # Errors
/// As [`super::train_byte_level_bpe`]; a vocabulary with no room for each character, at the beginning and inside of words.
pub fn train_wordpiece<I, S>(
    texts: I,
    wordpiece: WordPieceOptions,
    options: &TrainOptions,
) -> Result<TokenizerFiles, TrainError>
where
    I: Iterator<Item = S> + Send + Clone,
    S: AsRef<str> + Send,
{
    let longest = wordpiece.max_input_chars_per_word;
    if !(1..=MAX_WORD_CHARS).contains(&longest) {
        return Err(TrainError::WordChars { given: longest, most: MAX_WORD_CHARS });
    }
    check(options, Some(WORDPIECE_UNKNOWN), options.special_tokens.len() + 1)?;
    let normalizer = BertNormalizer::new(true, true, wordpiece.strip_accents, wordpiece.lowercase);
    let split = |text: &str| words(text, &normalizer, &BertPreTokenizer);
    let model = guarded("training", || {
        let mut inside = BTreeSet::new();
        for text in texts.clone() {
            inside.extend(split(text.as_ref())?.iter().flat_map(|word| word.chars().skip(1)));
        }
        let mut trainer = trainer(&inside, options);
        trainer.feed(texts, split)?;
        let builder = WordPiece::builder().unk_token(WORDPIECE_UNKNOWN.to_owned());
        let mut model = builder.max_input_chars_per_word(longest).build()?;
        trainer.train(&mut model).map(|_| model)
    })?;
    fits(&model, options)?;
    let mut tokenizer = Tokenizer::new(model);
    guarded("building", || tokenizer.with_normalizer(Some(normalizer)).map(|_| ()))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(Decoder::default()));
    tokenizer.with_post_processor(frame(options));
    files(tokenizer, Some(WORDPIECE_UNKNOWN), options)
}

/// The library numbers the characters inside of words in the order of a hash map. As special tokens, which only the trainer sees, they
/// have theirs from the start.
fn trainer(inside: &BTreeSet<char>, options: &TrainOptions) -> WordPieceTrainer {
    let inside = inside.iter().map(|c| AddedToken::from(format!("{PREFIX}{c}"), false));
    WordPieceTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .continuing_subword_prefix(PREFIX.to_owned())
        .special_tokens(added(options).into_iter().chain(inside).collect())
        .build()
}
