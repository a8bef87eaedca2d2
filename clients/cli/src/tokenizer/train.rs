//! `rootstock tokenizer train`: a byte-level BPE learned from a data set, under a name of its own.
use std::path::PathBuf;

use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::proto::tokenization::v1::TrainTokenizerRequest;

use super::described::Described;
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Arguments of `tokenizer train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to call the tokenizer
    #[arg(long, value_name = "N")]
    name: String,
    /// The text to learn from: a data set
    #[arg(long, value_name = "D")]
    dataset: String,
    /// Number of token ids, the 256 bytes and the special tokens included
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    vocab_size: i32,
    /// A pair must occur this often to become a token [default: 2]
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    min_frequency: i32,
    /// The longest token, in bytes [default: no limit]
    #[arg(
        long,
        value_name = "B",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    max_token_length: i32,
    /// A special token beside <|endoftext|>; may be repeated
    #[arg(long = "special-token", value_name = "TEXT")]
    special_tokens: Vec<String>,
    /// A file with a chat template (Jinja)
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
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
