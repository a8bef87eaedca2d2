//! `added_tokens`: what a tokenizer may be given beside its own tokens, and in which jobs.

use rootstock_proto::training::v1 as proto;

use super::spec::SPEC;
use crate::{
    error::Error,
    spec::{Method, Objective, Start},
};

/// Most tokens added to a tokenizer.
const MAX_ADDED_TOKENS: usize = 1024;
const MAX_BYTES: usize = 128;

/// Tokens can be added where embedding and head are trained.
pub(super) fn added_tokens(
    from: &proto::TrainingSpec,
    start: &Start,
    method: &Method,
    objective: &Objective,
) -> Result<Vec<String>, Error> {
    const FIELD: &str = "added_tokens";
    let tokens = &from.added_tokens;
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let full = matches!((start, method), (Start::Base(_), Method::Full(_)));
    if !full || objective.is_of_encoders() {
        let message = "needs full with a decoder as base_model: their rows must be trained with the others; take it out";
        return Err(SPEC.invalid(FIELD, message));
    }
    if tokens.len() > MAX_ADDED_TOKENS {
        let message = format!("has {} entries, but must have at most {MAX_ADDED_TOKENS}", tokens.len());
        return Err(SPEC.invalid(FIELD, message));
    }
    for (i, token) in tokens.iter().enumerate() {
        let at = format!("{FIELD}[{i}]");
        if token.is_empty() || token.len() > MAX_BYTES {
            return Err(SPEC.invalid(&at, format!("must have 1 to {MAX_BYTES} bytes")));
        }
        if tokens[..i].contains(token) {
            return Err(SPEC.invalid(&at, "is there already; take it out"));
        }
    }
    Ok(tokens.clone())
}
