//! The passes through an encoder; all of it blocks.

use candle_core::Tensor;
use rootstock_model::{EncoderRow, ModelError};

use super::{Classified, Filled, Likely, MAX_ANSWER_BYTES, Mask, rank::likeliest};
use crate::{error::Error, models::EncoderModel, turns::Turn};

/// Texts of one pass.
const TEXTS_AT_ONCE: usize = 8;
/// Masks of a text.
const MAX_MASKS: usize = 512;
/// What a token takes in a message besides its text, at most.
const TOKEN_BYTES: usize = 32;

/// How likely the labels of the texts are.
pub(super) fn classify(
    model: &EncoderModel,
    texts: &[String],
    turn: &Turn,
) -> Result<Vec<Classified>, Error> {
    let names = model.labels()?;
    let rows = (0..).zip(texts).map(|(index, text)| {
        turn.check()?;
        row(model, text, format!("texts[{index}]"))
    });
    let rows: Vec<EncoderRow> = rows.collect::<Result<_, _>>()?;
    let mut classified = Vec::with_capacity(rows.len());
    for rows in rows.chunks(TEXTS_AT_ONCE) {
        turn.check()?;
        for (logits, row) in numbers(&model.encoder().logits(rows)?)?.iter().zip(rows) {
            let ranked = likeliest(logits, names.len())?.into_iter();
            let labels = ranked.map(|(label, probability)| (names[label].clone(), probability)).collect();
            classified.push(Classified { labels, tokens: row.ids.len() });
        }
    }
    Ok(classified)
}

/// The most likely tokens in place of each mask.
pub(super) fn fill_mask(
    model: &EncoderModel,
    mask: u32,
    (text, top_k): (&str, usize),
    turn: &Turn,
) -> Result<Filled, Error> {
    let row = row(model, text, "text".to_owned())?;
    let masks = (0..).zip(&row.ids).filter(|(_, id)| **id == mask);
    let positions: Vec<u32> = masks.map(|(position, _)| position).collect();
    check_masks(model, positions.len())?;
    turn.check()?;
    let logits = numbers(&model.encoder().logits_of(std::slice::from_ref(&row), &positions)?)?;
    let fill = |(position, logits): (u32, &Vec<f32>)| {
        let ranked = likeliest(logits, top_k)?.into_iter();
        let tokens = ranked.map(|(id, probability)| likely(model, id as u32, probability)).collect();
        Ok(Mask { position: position as usize, tokens })
    };
    let masks: Vec<Mask> = positions.into_iter().zip(&logits).map(fill).collect::<Result<_, Error>>()?;
    check_answer(&masks)?;
    Ok(Filled { masks, tokens: row.ids.len() })
}

fn likely(model: &EncoderModel, id: u32, probability: f64) -> Likely {
    Likely { id, text: model.tokenizer().decode(&[id], false), probability }
}

fn check_masks(model: &EncoderModel, masks: usize) -> Result<(), Error> {
    if (1..=MAX_MASKS).contains(&masks) {
        return Ok(());
    }
    let token = model.tokenizer().special_tokens().mask.as_ref().map_or("", |token| token.text.as_str());
    let message = format!("has {masks} masks; must have 1 to {MAX_MASKS}, each written {token}");
    Err(Error::invalid("text", message))
}

/// Refuses an answer that no message holds.
fn check_answer(masks: &[Mask]) -> Result<(), Error> {
    let tokens = masks.iter().flat_map(|mask| &mask.tokens);
    let bytes: usize = tokens.map(|token| token.text.len() + TOKEN_BYTES).sum();
    if bytes <= MAX_ANSWER_BYTES {
        return Ok(());
    }
    let message =
        format!("asks for {bytes} bytes of tokens, and an answer holds {MAX_ANSWER_BYTES}; ask for fewer");
    Err(Error::invalid("top_k", message))
}

fn numbers(logits: &Tensor) -> Result<Vec<Vec<f32>>, Error> {
    Ok(logits.to_vec2().map_err(ModelError::from)?)
}

/// A text's tokens, if the model has room for them; all are of the first kind.
fn row(model: &EncoderModel, text: &str, field: String) -> Result<EncoderRow, Error> {
    let encoded = model.tokenizer().encode_ids(text, true);
    let ids = encoded.map_err(|error| Error::invalid(&field, error.to_string()))?;
    let (tokens, limit) = (ids.len(), model.encoder().config().max_position_embeddings);
    match tokens {
        0 => Err(Error::invalid(
            field,
            "is empty, and the tokenizer adds no token of its own; write something",
        )),
        _ if tokens > limit => Err(Error::TextTooLong { field, tokens, limit }),
        _ => Ok(EncoderRow { ids, types: vec![0; tokens] }),
    }
}
