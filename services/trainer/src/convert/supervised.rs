//! Learning of answers: the template, how long rows may be, and how questions change each time they are seen.

use rootstock_proto::training::v1 as proto;
use rootstock_text::{PromptTemplate, Truncation};

use super::numbers::Fields;
use crate::{error::Error, spec::Objective};

pub(super) const SUPERVISED: Fields = Fields { path: "spec.supervised" };

/// Largest probability that a token of an instruction is left out, or a span moved.
const MAX_PROBABILITY: f64 = 0.9;
/// Most columns with other wordings.
const MAX_PARAPHRASE_COLUMNS: usize = 16;

pub(super) fn supervised(from: &proto::SupervisedObjective, max_length: usize) -> Result<Objective, Error> {
    let template = PromptTemplate::parse(&from.prompt_template);
    let probability = |field, value| SUPERVISED.number(field, value, 0.0..=MAX_PROBABILITY, "from 0 to 0.9");
    Ok(Objective::Supervised {
        prompt_template: template
            .map_err(|error| SUPERVISED.invalid("prompt_template", error.to_string()))?,
        max_length,
        truncation: truncation(from.truncation)?,
        instruction_token_dropout: probability("instruction_token_dropout", from.instruction_token_dropout)?,
        span_shuffle: probability("span_shuffle", from.span_shuffle)?,
        paraphrase_columns: paraphrase_columns(&from.paraphrase_columns)?,
    })
}

fn truncation(written: i32) -> Result<Truncation, Error> {
    match proto::Truncation::try_from(written) {
        Ok(proto::Truncation::Unspecified | proto::Truncation::Drop) => Ok(Truncation::Drop),
        Ok(proto::Truncation::TruncateLeft) => Ok(Truncation::Left),
        Ok(proto::Truncation::TruncateRight) => Ok(Truncation::Right),
        Ok(proto::Truncation::Error) => Ok(Truncation::Error),
        Err(_) => Err(SUPERVISED.invalid("truncation", format!("is {written}, which no truncation is"))),
    }
}

fn paraphrase_columns(names: &[String]) -> Result<Vec<String>, Error> {
    let refuse = |problem: String| Err(SUPERVISED.invalid("paraphrase_columns", problem));
    if names.len() > MAX_PARAPHRASE_COLUMNS {
        return refuse(format!("has {} names, but must have at most {MAX_PARAPHRASE_COLUMNS}", names.len()));
    }
    match names.iter().enumerate().find(|(i, name)| name.is_empty() || names[..*i].contains(name)) {
        Some((i, name)) if name.is_empty() => refuse(format!("has an empty name at {i}; take it out")),
        Some((_, name)) => refuse(format!("names {name} twice; take one out")),
        None => Ok(names.to_vec()),
    }
}
