//! `rootstock tokenizer train`: a tokenizer learned from a data set, under a name of its own.
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use rootstock_artifacts::Kind;
use rootstock_client::proto::tokenization::v1::{TokenizerModel, TrainTokenizerRequest, WordPieceOptions};

use super::described::Described;
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// The kinds of tokenizer, by their names in Hugging Face `tokenizers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Model {
    /// Byte-level byte-pair encoding (GPT-2)
    #[value(name = "BPE")]
    Bpe,
    /// BERT's pieces of words, with [PAD], [UNK], [CLS], [SEP] and [MASK]
    #[value(name = "WordPiece")]
    WordPiece,
    /// SentencePiece's likeliest pieces, with <unk>
    #[value(name = "Unigram")]
    Unigram,
}

/// Arguments of `tokenizer train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to call the tokenizer
    #[arg(long, value_name = "N")]
    name: String,
    /// The text to learn from: a data set
    #[arg(long, value_name = "D")]
    dataset: String,
    /// The kind of tokenizer
    #[arg(long, value_enum, ignore_case = true, default_value = "BPE")]
    model: Model,
    /// Number of token ids, the special tokens and the 256 bytes (BPE) or all characters included
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    vocab_size: i32,
    /// A pair must occur this often to become a token; not for Unigram [default: 2]
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    min_frequency: i32,
    /// The longest token of a BPE, in bytes [default: no limit]
    #[arg(
        long,
        value_name = "B",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    max_token_length: i32,
    /// Whether a WordPiece makes all letters small [default: true]
    #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
    lowercase: Option<bool>,
    /// Whether a WordPiece takes the accents off letters [default: as --lowercase]
    #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
    strip_accents: Option<bool>,
    /// The longest word that a WordPiece takes apart, in characters [default: 100]
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    max_input_chars_per_word: Option<i32>,
    /// A special token beside those that the kind has; may be repeated
    #[arg(long = "special-token", value_name = "TEXT")]
    special_tokens: Vec<String>,
    /// A file with a chat template (Jinja)
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl TrainArgs {
    fn model(&self) -> TokenizerModel {
        match self.model {
            Model::Bpe => TokenizerModel::Bpe,
            Model::WordPiece => TokenizerModel::WordPiece,
            Model::Unigram => TokenizerModel::Unigram,
        }
    }

    /// The settings of a WordPiece, if one is given: the service refuses them for another kind.
    fn word_piece(&self) -> Option<WordPieceOptions> {
        let given = self.lowercase.is_some()
            || self.strip_accents.is_some()
            || self.max_input_chars_per_word.is_some();
        given.then(|| WordPieceOptions {
            lowercase: self.lowercase,
            strip_accents: self.strip_accents,
            max_input_chars_per_word: self.max_input_chars_per_word.unwrap_or_default(),
        })
    }
}

pub(crate) async fn run(args: TrainArgs, context: &Context) -> Result<(), CliError> {
    let chat_template = match &args.chat_template {
        None => String::new(),
        Some(path) => tokio::fs::read_to_string(path)
            .await
            .map_err(|source| CliError::io(path.display().to_string(), source))?,
    };
    let name = names::alias(Kind::Tokenizer, &args.name)?;
    let request = TrainTokenizerRequest {
        name: name.clone(),
        model: args.model().into(),
        word_piece: args.word_piece(),
        dataset: names::artifact(Kind::Dataset, &args.dataset)?,
        vocab_size: args.vocab_size,
        min_frequency: args.min_frequency,
        special_tokens: args.special_tokens,
        chat_template,
        max_token_length: args.max_token_length,
    };
    let meter = Meter::waiting(format!("training {name} on {}", request.dataset));
    let trained = context.clients().tokenization().train_tokenizer(request).await;
    meter.clear();
    context.show(&Described::from(trained?), args.json)
}
