//! What a text must be, as far as its size: whether it can be held to is seen when it is compiled.

use rootstock_proto::inference::v1::{self as proto, output_constraint::Kind};

use crate::{constraint::Constraint, error::Error};

const MAX_SCHEMA_BYTES: usize = 32 << 10;
/// The work to compile one grows with the square of its length.
const MAX_REGEX_BYTES: usize = 2048;
const MAX_CHOICES: usize = 256;
const MAX_CHOICE_BYTES: usize = 256;

pub(super) fn constraint(constraint: proto::OutputConstraint) -> Result<Constraint, Error> {
    match constraint.kind {
        Some(Kind::Json(schema)) => {
            sized("json", schema.len(), MAX_SCHEMA_BYTES).map(|()| Constraint::Json(schema))
        }
        Some(Kind::Regex(regex)) => {
            sized("regex", regex.len(), MAX_REGEX_BYTES).map(|()| Constraint::Regex(regex))
        }
        Some(Kind::Choice(choices)) => choice(choices.texts),
        None => Err(Error::invalid("sampling.constraint", "is empty; set json, regex or choice")),
    }
}

fn choice(texts: Vec<String>) -> Result<Constraint, Error> {
    if texts.is_empty() || texts.len() > MAX_CHOICES {
        let message = format!("has {} entries; must have 1 to {MAX_CHOICES}", texts.len());
        return Err(Error::invalid("sampling.constraint.choice.texts", message));
    }
    for (index, text) in texts.iter().enumerate() {
        sized(&format!("choice.texts[{index}]"), text.len(), MAX_CHOICE_BYTES)?;
    }
    Ok(Constraint::Choice(texts))
}

fn sized(field: &str, bytes: usize, limit: usize) -> Result<(), Error> {
    if (1..=limit).contains(&bytes) {
        return Ok(());
    }
    let message = format!("has {bytes} bytes; must have 1 to {limit}");
    Err(Error::invalid(format!("sampling.constraint.{field}"), message))
}
