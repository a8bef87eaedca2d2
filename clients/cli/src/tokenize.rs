//! `rootstock tokenize`: the tokens of a text, with the piece of text that each stands for.
use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::proto::tokenization::v1::{EncodeRequest, Encoding};
use serde::Serialize;

use crate::table::Tabular;
use crate::{CliError, Context, names};

/// Arguments of `tokenize`.
#[derive(Debug, Args)]
pub struct TokenizeArgs {
    /// The tokenizer: its name, baseModels/NAME for a model's own, or a digest
    #[arg(long, value_name = "T")]
    tokenizer: String,
    /// The text
    text: String,
    /// Add the special tokens that the tokenizer puts around a text
    #[arg(long)]
    special: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
struct Token {
    id: u32,
    start: u32,
    end: u32,
    text: String,
}

impl Tabular for Token {
    const HEADER: &'static [&'static str] = &["ID", "START", "END", "TEXT"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.to_string(), self.start.to_string(), self.end.to_string(), format!("{:?}", self.text)]
    }
}

pub(crate) async fn run(args: TokenizeArgs, context: &Context) -> Result<(), CliError> {
    let request = EncodeRequest {
        tokenizer: names::artifact(Kind::Tokenizer, &args.tokenizer)?,
        texts: vec![args.text.clone()],
        add_special_tokens: args.special,
        return_offsets: true,
    };
    let encoded = context.clients().tokenization().encode(request).await?;
    let encoding = encoded.encodings.into_iter().next().unwrap_or_default();
    context.list(&tokens(&encoding, &args.text), args.json)
}

fn tokens(encoding: &Encoding, text: &str) -> Vec<Token> {
    let offsets = encoding.start_offsets.iter().zip(&encoding.end_offsets);
    encoding
        .ids
        .iter()
        .zip(offsets)
        .map(|(&id, (&start, &end))| {
            let bytes = text.as_bytes().get(start as usize..end as usize).unwrap_or_default();
            Token { id, start, end, text: String::from_utf8_lossy(bytes).into_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_its_piece_even_of_a_character() {
        let encoding = Encoding { ids: vec![5, 9], start_offsets: vec![0, 1], end_offsets: vec![1, 3] };
        let shown = tokens(&encoding, "a问");
        assert_eq!((shown[0].id, shown[0].text.as_str()), (5, "a"));
        assert_eq!(shown[1].text, "\u{FFFD}");
    }
}
