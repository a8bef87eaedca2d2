//! Whether a job can be computed in this machine's memory, told when it is created and not when its worker is killed.
//!
//! What a worker holds follows from the configuration: frozen weights, those in training with gradients and moments, what layers keep
//! for the backward pass, and copies of what is saved. Rows are taken to be as long as they may be.

mod trained;

use rootstock_model::{AnyConfig, Config, Format, activation_bytes};
use rootstock_proto::tokenization::v1::Tokenizer;

use crate::{
    convert::{encoder_config, frozen_format, model_config, product_format},
    error::Error,
    spec::{Arguments, Method, Optim, Spec, Start},
};
use trained::{Trained, encoder_layer_bytes, trained};

/// Bytes of an f32: what is trained, gradients, moments, activations.
const BYTES: u64 = 4;
/// What a worker has without a job: code, runtime, connections, tokenizer.
const PROCESS: u64 = 64 << 20;
/// What a pass needs beside what layers keep: so many times the activations of a layer.
const PASSING_LAYERS: u64 = 2;
/// Where Linux says how much memory there is; elsewhere nothing is checked.
const MEMINFO: &str = "/proc/meminfo";

/// Bytes that a job takes, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Estimate {
    /// Frozen weights.
    frozen: u64,
    /// Weights in training, their gradients, and what the optimizer keeps of them.
    training: u64,
    /// What layers keep of a batch for the backward pass, and what passes through them.
    activations: u64,
    /// Copies of weights and moments: a state being saved, and the best weights.
    copies: u64,
}

impl Estimate {
    fn total(self) -> u64 {
        [self.frozen, self.training, self.activations, self.copies]
            .into_iter()
            .fold(PROCESS, u64::saturating_add)
    }
}

/// Refuses a job that takes more memory than it may, or than this machine has where the limit is 0. `base` is the configuration of the
/// model that it starts from.
pub(crate) fn check(
    spec: &Spec,
    base: Option<&AnyConfig>,
    tokenizer: &Tokenizer,
    limit: u64,
) -> Result<(), Error> {
    let machine = || std::fs::read_to_string(MEMINFO).ok().and_then(|text| total(&text));
    match Some(limit).filter(|limit| *limit > 0).or_else(machine) {
        Some(total) => within(spec, base, tokenizer, total),
        None => Ok(()),
    }
}

fn within(spec: &Spec, base: Option<&AnyConfig>, tokenizer: &Tokenizer, total: u64) -> Result<(), Error> {
    let vocab_size = usize::try_from(tokenizer.vocab_size).unwrap_or_default();
    let config = match (&spec.start, base) {
        (Start::New(model), _) => AnyConfig::Decoder(model_config(model, vocab_size, None, None)),
        (Start::NewEncoder(model), _) => AnyConfig::Encoder(encoder_config(model, vocab_size, None)),
        (Start::Base(_) | Start::Adapter(_), Some(base)) => base.clone(),
        (Start::Base(_) | Start::Adapter(_), None) => return Ok(()),
    };
    let estimate = estimate(spec, &config)?;
    if estimate.total() <= total {
        return Ok(());
    }
    let mib = |bytes: u64| bytes >> 20;
    let message = format!(
        "takes {} MiB ({} MiB of frozen weights, {} MiB of weights in training with gradients and moments, {} MiB of \
         activations, {} MiB of copies to be saved), but there are {} MiB; {}",
        mib(estimate.total()),
        mib(estimate.frozen),
        mib(estimate.training),
        mib(estimate.activations),
        mib(estimate.copies),
        mib(total),
        advice(spec, estimate)
    );
    Err(Error::invalid(spec.start.field(), message))
}

/// What to change about the largest part.
fn advice(spec: &Spec, estimate: Estimate) -> &'static str {
    let largest =
        [estimate.frozen, estimate.training, estimate.activations, estimate.copies].into_iter().max();
    match largest {
        Some(part) if part == estimate.activations => {
            "set gradient_checkpointing, or lower per_device_train_batch_size (raising gradient_accumulation_steps) or \
             the length of rows"
        }
        Some(part) if part == estimate.frozen => "take weight_dtype bf16 or a smaller model",
        _ if matches!(spec.method, Method::Full(_)) => {
            "train an adapter, take optim adafactor, or a smaller model"
        }
        _ => "take a lower rank, fewer modules, or a smaller model",
    }
}

/// Of the stage that takes most.
fn estimate(spec: &Spec, config: &AnyConfig) -> Result<Estimate, Error> {
    let stages = trained(spec, config)?.into_iter().map(|trained| of_stage(spec, config, trained));
    Ok(stages.max_by_key(|stage| stage.total()).unwrap_or_default())
}

fn of_stage(spec: &Spec, config: &AnyConfig, trained: Trained) -> Estimate {
    let (arguments, Trained { parameters, gradients, saved }) = (&spec.arguments, trained);
    let bytes = |numbers: u64| numbers.saturating_mul(BYTES);
    let moments = parameters.saturating_mul(moments(&arguments.optim));
    let best = if arguments.early_stopping.is_some() { saved } else { 0 };
    let saved = if arguments.save_steps.is_some() { saved.saturating_add(moments) } else { 0 };
    Estimate {
        frozen: frozen(spec, config, parameters),
        training: bytes(
            parameters.saturating_add(gradients).saturating_add(parameters.saturating_mul(kept(spec))),
        ),
        activations: activations(spec, config),
        copies: bytes(saved.saturating_add(best)),
    }
}

/// Weights that are not trained, in the format that they are multiplied in; those that are have none beside them.
fn frozen(spec: &Spec, config: &AnyConfig, trained: u64) -> u64 {
    let all = parameters(config);
    match (&spec.method, config) {
        (Method::Full(_) | Method::Fisher(_), _) => all.saturating_sub(trained).saturating_mul(BYTES),
        (_, AnyConfig::Decoder(config)) => {
            match frozen_format(spec.arguments.weight_dtype, config.torch_dtype.as_deref()) {
                Format::Bf16 => all.saturating_mul(2),
                _ => all.saturating_mul(BYTES),
            }
        }
        (_, AnyConfig::Encoder(_)) => all.saturating_mul(BYTES),
    }
}

fn parameters(config: &AnyConfig) -> u64 {
    match config {
        AnyConfig::Decoder(config) => config.parameters() as u64,
        AnyConfig::Encoder(config) => config.parameters() as u64,
    }
}

/// What layers keep of the longest batch, what passes through them, and the head's packed copy where it is trained.
fn activations(spec: &Spec, config: &AnyConfig) -> u64 {
    let longest = spec.objective.longest().0.min(config.max_position_embeddings());
    let tokens = spec.arguments.batch_size.saturating_mul(longest + spec.method.virtual_tokens());
    match config {
        AnyConfig::Decoder(config) => {
            let one = Config { num_hidden_layers: 1, ..config.clone() };
            let layer = activation_bytes(&one, tokens, rootstock_model::Recompute::Never) as u64;
            let kept = activation_bytes(config, tokens, spec.arguments.recompute) as u64;
            kept.saturating_add(layer.saturating_mul(PASSING_LAYERS)).saturating_add(head(spec, config))
        }
        AnyConfig::Encoder(config) => {
            let layer = encoder_layer_bytes(config, tokens);
            layer.saturating_mul(config.num_hidden_layers as u64 + PASSING_LAYERS)
        }
    }
}

/// A head in training is packed anew for each step.
fn head(spec: &Spec, config: &Config) -> u64 {
    let numbers = (config.vocab_size as u64).saturating_mul(config.hidden_size as u64);
    match (&spec.method, product_format(spec.arguments.weight_dtype)) {
        (Method::Full(_) | Method::Fisher(_), Format::Bf16) => numbers.saturating_mul(2),
        (Method::Full(_) | Method::Fisher(_), _) => numbers.saturating_mul(BYTES),
        _ => 0,
    }
}

/// Numbers that are kept beside each parameter: by the optimizer and by what holds weights, or sums of squares.
fn kept(spec: &Spec) -> u64 {
    match spec.method {
        Method::Fisher(_) => 1,
        _ => moments(&spec.arguments.optim) + if spec.elastic.is_some() { 2 } else { 0 },
    }
}

/// Numbers that an optimizer keeps for each parameter; what Adafactor keeps for rows and columns is little beside them.
fn moments(optim: &Optim) -> u64 {
    match optim {
        Optim::AdamW(_) => 2,
        Optim::Lion(_) => 1,
        Optim::Sgd(options) => u64::from(options.momentum > 0.0),
        Optim::Adafactor => 0,
    }
}

/// Rows of an embedding that no step's tokens can fill; one that is the output projection too has gradients in all of them.
fn rows_without_gradient(config: &Config, arguments: &Arguments) -> u64 {
    let rows = arguments.batch_size.saturating_mul(arguments.accumulation);
    let tokens = rows.saturating_mul(config.max_position_embeddings);
    let rows = if config.tie_word_embeddings { 0 } else { config.vocab_size.saturating_sub(tokens) };
    rows as u64
}

/// Bytes of memory, of what the system says.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests;
