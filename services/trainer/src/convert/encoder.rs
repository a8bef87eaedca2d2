//! What only jobs of encoders have: the shape of a new one, how tokens are hidden, and what can't go with them.

use rootstock_artifacts::Kind;
use rootstock_model::{EncoderConfig, Task};
use rootstock_proto::training::v1 as proto;

use super::{
    arguments,
    numbers::{Fields, or_default},
    spec::{
        INITIALIZER_RANGE, MAX_HEADS, MAX_INITIALIZER_RANGE, MAX_LAYERS, MAX_POSITIONS, MAX_WIDTH, reference,
    },
};
use crate::{
    error::Error,
    spec::{Classification, Full, MIN_ENCODER_TOKENS, Masked, Method, NewEncoder, Objective},
};

pub(super) const MASKED: Fields = Fields { path: "spec.masked" };
pub(super) const CLASSIFICATION: Fields = Fields { path: "spec.classification" };
const NEW_ENCODER: Fields = Fields { path: "spec.new_encoder" };

const MLM_PROBABILITY: f64 = 0.15;
/// Hugging Face's defaults for BERT.
const TYPES: usize = 2;
const DROPOUT: f64 = 0.1;
const LAYER_NORM_EPS: f64 = 1e-12;
const MAX_DROPOUT: f64 = 0.99;

/// Checks the objective; `block_size` is checked already.
pub(super) fn masked(from: &proto::MaskedObjective, block_size: usize) -> Result<Objective, Error> {
    let mlm_probability = MASKED.number(
        "mlm_probability",
        or_default(from.mlm_probability, MLM_PROBABILITY),
        f64::MIN_POSITIVE..=1.0 - f64::EPSILON,
        "between 0 and 1",
    )?;
    let block_size = long_enough(MASKED, "block_size", block_size)?;
    Ok(Objective::Masked(Masked { mlm_probability, whole_word_mask: from.whole_word_mask, block_size }))
}

/// Checks the objective; `max_length` is checked already.
pub(super) fn classification(
    from: &proto::ClassificationObjective,
    max_length: usize,
) -> Result<Objective, Error> {
    let max_length = long_enough(CLASSIFICATION, "max_length", max_length)?;
    Ok(Objective::Classification(Classification { max_length, freeze_encoder: from.freeze_encoder }))
}

/// Refuses to freeze random weights.
pub(super) fn check_frozen(objective: &Objective) -> Result<(), Error> {
    match objective {
        Objective::Classification(Classification { freeze_encoder: true, .. }) => Err(CLASSIFICATION
            .invalid("freeze_encoder", "would freeze the random weights of new_encoder; set base_model")),
        _ => Ok(()),
    }
}

fn long_enough(fields: Fields, field: &str, tokens: usize) -> Result<usize, Error> {
    if tokens >= MIN_ENCODER_TOKENS {
        return Ok(tokens);
    }
    Err(fields.invalid(field, format!("is {tokens}, but must be at least {MIN_ENCODER_TOKENS}")))
}

/// Checks the shape of a new encoder, and that it can hold the rows.
pub(super) fn new_encoder(from: &proto::NewEncoder) -> Result<NewEncoder, Error> {
    let fields = NEW_ENCODER;
    let heads = fields.required_size("num_attention_heads", from.num_attention_heads, MAX_HEADS)?;
    let hidden_size = fields.required_size("hidden_size", from.hidden_size, MAX_WIDTH)?;
    if !hidden_size.is_multiple_of(heads) {
        let message = format!("is {hidden_size}, but must be a multiple of num_attention_heads = {heads}");
        return Err(fields.invalid("hidden_size", message));
    }
    Ok(NewEncoder {
        tokenizer: reference(fields, "tokenizer", &[Kind::Tokenizer, Kind::BaseModel], &from.tokenizer)?,
        hidden_size,
        intermediate_size: fields.required_size("intermediate_size", from.intermediate_size, MAX_WIDTH)?,
        num_hidden_layers: fields.required_size("num_hidden_layers", from.num_hidden_layers, MAX_LAYERS)?,
        num_attention_heads: heads,
        max_position_embeddings: fields.required_size(
            "max_position_embeddings",
            from.max_position_embeddings,
            MAX_POSITIONS,
        )?,
        type_vocab_size: fields.size("type_vocab_size", from.type_vocab_size, TYPES, MAX_WIDTH)?,
        hidden_dropout_prob: fields.number(
            "hidden_dropout_prob",
            from.hidden_dropout_prob.unwrap_or(DROPOUT),
            0.0..=MAX_DROPOUT,
            "from 0 to 0.99",
        )?,
        initializer_range: fields.number(
            "initializer_range",
            or_default(from.initializer_range, INITIALIZER_RANGE),
            0.0..=MAX_INITIALIZER_RANGE,
            "from 0 to 10",
        )?,
        layer_norm_eps: fields.number(
            "layer_norm_eps",
            or_default(from.layer_norm_eps, LAYER_NORM_EPS),
            f64::MIN_POSITIVE..1.0,
            "0 or between 0 and 1",
        )?,
    })
}

/// Refuses what jobs of encoders can't have.
pub(super) fn check_method(method: &Method) -> Result<(), Error> {
    if *method == Method::Full(Full::default()) || matches!(method, Method::Fisher(_)) {
        return Ok(());
    }
    Err(Error::invalid(
        "spec.method",
        "is not for encoders, which learn with all their weights; set full, without more",
    ))
}

/// Refuses arguments that would do nothing.
pub(super) fn check_arguments(from: &proto::TrainingArguments) -> Result<(), Error> {
    let foreign = [
        ("label_smoothing_factor", from.label_smoothing_factor != 0.0),
        ("neftune_noise_alpha", from.neftune_noise_alpha != 0.0),
        ("gradient_checkpointing", from.gradient_checkpointing),
        ("activation_memory_bytes", from.activation_memory_bytes != 0),
    ];
    match foreign.into_iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(arguments::FIELDS.invalid(field, "is not for encoders; take it out")),
        None => Ok(()),
    }
}

/// The configuration of a new encoder with a tokenizer of `vocab_size` ids.
pub(crate) fn encoder_config(
    model: &NewEncoder,
    vocab_size: usize,
    pad_token_id: Option<u32>,
) -> EncoderConfig {
    EncoderConfig {
        task: Task::MaskedLm,
        vocab_size,
        hidden_size: model.hidden_size,
        intermediate_size: model.intermediate_size,
        num_hidden_layers: model.num_hidden_layers,
        num_attention_heads: model.num_attention_heads,
        max_position_embeddings: model.max_position_embeddings,
        type_vocab_size: model.type_vocab_size,
        layer_norm_eps: model.layer_norm_eps,
        initializer_range: model.initializer_range,
        hidden_dropout_prob: model.hidden_dropout_prob,
        attention_probs_dropout_prob: 0.0,
        classifier_dropout: None,
        pad_token_id,
        torch_dtype: Some("float32".to_owned()),
    }
}
