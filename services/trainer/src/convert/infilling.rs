//! The infilling objective: what is cut out, each denoiser within its ranges.

use proto::denoiser::Corruption as Written;
use rootstock_proto::training::v1 as proto;
use rootstock_text::Corruption;

use super::numbers::{Fields, or_default};
use crate::{
    error::Error,
    spec::{Denoiser, MIN_INFILLING_TOKENS, Objective},
};

pub(super) const INFILLING: Fields = Fields { path: "spec.infilling" };

const MAX_DENOISERS: usize = 16;
const MAX_WEIGHT: f64 = 1e6;
const MAX_SPAN_LENGTH: f64 = 1e6;
/// Longest name of a prefix token.
const MAX_PREFIX: usize = 64;
const RATE: f64 = 0.15;
const SPAN_LENGTH: f64 = 3.0;

/// Checks the objective; `max_length` is checked already.
pub(super) fn infilling(from: &proto::InfillingObjective, max_length: usize) -> Result<Objective, Error> {
    if max_length < MIN_INFILLING_TOKENS {
        let message = format!("is {max_length}, but must be at least {MIN_INFILLING_TOKENS}");
        return Err(INFILLING.invalid("max_length", message));
    }
    if from.denoisers.len() > MAX_DENOISERS {
        return Err(INFILLING.invalid("denoisers", format!("must be at most {MAX_DENOISERS}")));
    }
    let default = [proto::Denoiser {
        corruption: Some(Written::Spans(proto::SpanCorruption::default())),
        ..proto::Denoiser::default()
    }];
    let written = if from.denoisers.is_empty() { default.as_slice() } else { &from.denoisers };
    let denoisers =
        written.iter().enumerate().map(|(i, from)| denoiser(i, from)).collect::<Result<_, _>>()?;
    Ok(Objective::Infilling { max_length, denoisers })
}

fn denoiser(index: usize, from: &proto::Denoiser) -> Result<Denoiser, Error> {
    let number = |field: &str, value, range, allowed| {
        INFILLING.number(&format!("denoisers[{index}].{field}"), value, range, allowed)
    };
    let corruption = match &from.corruption {
        None => {
            let field = format!("denoisers[{index}].corruption");
            return Err(INFILLING.invalid(&field, "is missing; set spans or continuation"));
        }
        Some(Written::Continuation(_)) => Corruption::Continuation,
        Some(Written::Spans(spans)) => Corruption::Spans {
            rate: number(
                "spans.corruption_rate",
                or_default(spans.corruption_rate, RATE),
                f64::MIN_POSITIVE..=1.0 - f64::EPSILON,
                "between 0 and 1",
            )?,
            mean_length: number(
                "spans.mean_span_length",
                or_default(spans.mean_span_length, SPAN_LENGTH),
                1.0..=MAX_SPAN_LENGTH,
                "from 1 to 1e6",
            )?,
        },
    };
    let weight = or_default(from.weight, 1.0);
    if from.prefix_token.chars().count() > MAX_PREFIX {
        let field = format!("denoisers[{index}].prefix_token");
        return Err(INFILLING.invalid(&field, format!("must have at most {MAX_PREFIX} characters")));
    }
    Ok(Denoiser {
        corruption,
        weight: number("weight", weight, f64::MIN_POSITIVE..=MAX_WEIGHT, "above 0 and at most 1e6")?,
        prefix_token: Some(from.prefix_token.clone()).filter(|token| !token.is_empty()),
    })
}
