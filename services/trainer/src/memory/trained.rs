//! How many numbers a job trains, of every method, from its configuration alone.

use std::collections::BTreeSet;

use rootstock_model::{AnyConfig, Config, EncoderConfig};
use rootstock_peft::{AdapterConfig, VirtualTokensConfig, VirtualTokensKind};

use super::{BYTES, parameters, rows_without_gradient};
use crate::{
    convert::{lora_config, virtual_tokens_config},
    error::Error,
    spec::{Classification, Full, Method, Objective, Spec},
};

/// What a stage trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trained {
    /// Numbers in training.
    pub(super) parameters: u64,
    /// Numbers of their gradients: an embedding's has the rows of a step's tokens alone.
    pub(super) gradients: u64,
    /// Numbers in training in whatever stage, which saved states hold.
    pub(super) saved: u64,
}

/// The label of a base model that nobody asks for.
const UNNAMED: &str = "";

/// Of each stage, or once where all train the same.
pub(super) fn trained(spec: &Spec, config: &AnyConfig) -> Result<Vec<Trained>, Error> {
    let config = match config {
        AnyConfig::Encoder(config) => return Ok(all(of_encoder(spec, config))),
        AnyConfig::Decoder(config) => config,
    };
    let adapter = match &spec.method {
        Method::Full(_) => return Ok(of_full(spec, &spec.trained(config)?, config)),
        Method::Fisher(_) => return Ok(of_full(spec, &[Full::default().trained(config)?], config)),
        Method::Lora(lora) => AdapterConfig::Lora(lora_config(lora, UNNAMED)),
        Method::Bottleneck(bottleneck) => AdapterConfig::Bottleneck(bottleneck.clone()),
        Method::VirtualTokens(tokens) => {
            let tokens = virtual_tokens_config(tokens, config, UNNAMED);
            if let Some(numbers) = projected(&tokens, config) {
                return Ok(all(numbers));
            }
            AdapterConfig::VirtualTokens(tokens)
        }
    };
    let shapes = adapter.expected_shapes(config);
    let shapes = shapes.map_err(|error| Error::invalid("spec", error.to_string()))?;
    Ok(all(shapes.values().map(|shape| numbers(shape)).sum()))
}

fn all(parameters: u64) -> Vec<Trained> {
    vec![Trained { parameters, gradients: parameters, saved: parameters }]
}

fn numbers(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |product: u64, size| product.saturating_mul(*size as u64))
}

fn of_full(spec: &Spec, stages: &[BTreeSet<String>], config: &Config) -> Vec<Trained> {
    let tensors = config.tensors();
    let count = |wanted: &dyn Fn(&String) -> bool| {
        let wanted = tensors.iter().filter(|tensor| wanted(&tensor.name));
        wanted.map(|tensor| numbers(&tensor.shape)).sum::<u64>()
    };
    let saved = count(&|name| stages.iter().any(|stage| stage.contains(name)));
    let of_stage = |names: &BTreeSet<String>| {
        let parameters = count(&|name| names.contains(name));
        let embedded = names.contains(rootstock_model::EMBEDDING);
        let spared = if embedded { rows_without_gradient(config, &spec.arguments) } else { 0 };
        let gradients = parameters.saturating_sub(spared.saturating_mul(config.hidden_size as u64));
        Trained { parameters, gradients, saved }
    };
    stages.iter().map(of_stage).collect()
}

/// A head alone is a pooler and a few rows; everything is everything.
fn of_encoder(spec: &Spec, config: &EncoderConfig) -> u64 {
    match spec.objective {
        Objective::Classification(Classification { freeze_encoder: true, .. }) => {
            (config.hidden_size as u64).saturating_mul(config.hidden_size as u64)
        }
        _ => parameters(&AnyConfig::Encoder(config.clone())),
    }
}

/// A prefix's two layers in training and the table that they read, in the place of what they make.
fn projected(tokens: &VirtualTokensConfig, config: &Config) -> Option<u64> {
    let VirtualTokensKind::Prefix { encoder_hidden_size: Some(width) } = tokens.kind else { return None };
    let heads = config.num_key_value_heads.saturating_mul(config.head_dim);
    let made = heads.saturating_mul(2).saturating_mul(config.num_hidden_layers);
    let shapes = [[tokens.num_virtual_tokens, heads], [width, heads + 1], [made, width + 1]];
    Some(shapes.iter().map(|shape| numbers(shape)).sum())
}

/// What a layer of an encoder keeps of so many tokens: its input, queries, keys, values and output of the attention, both sums and both
/// norms, and the feed-forward block before and after its function.
pub(super) fn encoder_layer_bytes(config: &EncoderConfig, tokens: usize) -> u64 {
    let width = 9 * config.hidden_size + 2 * config.intermediate_size;
    (tokens as u64).saturating_mul(width as u64).saturating_mul(BYTES)
}
