//! `rootstock fill-mask`: the tokens that may stand in place of a text's masks.
use clap::Args;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::{FillMaskRequest, FillMaskResponse, FilledMask};
use serde::Serialize;
use serde_json::json;

use crate::encoded::Binding;
use crate::table::Tabular;
use crate::{CliError, Context, names};

/// Arguments of `fill-mask`.
#[derive(Debug, Args)]
pub struct FillMaskArgs {
    /// The encoder: its name or a digest
    #[arg(long, value_name = "M")]
    model: String,
    /// The text, with the mask token (often [MASK]) where tokens are asked for
    text: String,
    /// Tokens to tell for each mask
    #[arg(long, value_name = "K", default_value_t = 5, allow_negative_numbers = true)]
    top_k: i32,
    /// Print one JSON object, with digests
    #[arg(long)]
    json: bool,
}

/// A token in place of a mask.
#[derive(Debug, Serialize)]
struct Token {
    position: i32,
    id: u32,
    text: String,
    probability: f64,
}

impl Tabular for Token {
    const HEADER: &'static [&'static str] = &["POSITION", "ID", "TEXT", "PROBABILITY"];

    fn cells(&self) -> Vec<String> {
        let (text, probability) = (format!("{:?}", self.text), format!("{:.4}", self.probability));
        vec![self.position.to_string(), self.id.to_string(), text, probability]
    }
}

pub(crate) async fn run(args: FillMaskArgs, context: &Context) -> Result<(), CliError> {
    let model = names::artifact(Kind::BaseModel, &args.model)?;
    let request = FillMaskRequest { model, text: args.text, top_k: args.top_k };
    let FillMaskResponse { binding, masks, tokens } = context.clients().encoders().fill_mask(request).await?;
    let filled: Vec<Token> = masks.into_iter().flat_map(candidates).collect();
    if args.json {
        let binding = binding.map(Binding::from);
        return context.json(&json!({"tokens": tokens, "masks": filled, "binding": binding}));
    }
    context.list(&filled, false)
}

fn candidates(mask: FilledMask) -> impl Iterator<Item = Token> {
    let position = mask.position;
    mask.tokens.into_iter().map(move |token| Token {
        position,
        id: token.id,
        text: token.text,
        probability: token.probability,
    })
}
