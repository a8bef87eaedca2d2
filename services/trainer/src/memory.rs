//! Whether a new model can be trained in this machine's memory, told when the job is created and not when it is killed.

use rootstock_model::Config;
use rootstock_proto::tokenization::v1::Tokenizer;

use crate::{
    convert::{encoder_config, model_config},
    error::Error,
    spec::{Arguments, Optim, Spec, Start},
};

/// Bytes of a number: weights, gradients and moments are f32.
const BYTES: u64 = 4;
/// Where Linux says how much memory there is; elsewhere nothing is checked.
const MEMINFO: &str = "/proc/meminfo";

/// Refuses a new model that this machine has no memory for.
pub(crate) fn check(spec: &Spec, tokenizer: &Tokenizer) -> Result<(), Error> {
    let total = std::fs::read_to_string(MEMINFO).ok().and_then(|text| total(&text));
    match total {
        Some(total) => within(spec, tokenizer, total),
        None => Ok(()),
    }
}

fn within(spec: &Spec, tokenizer: &Tokenizer, total: u64) -> Result<(), Error> {
    let vocab_size = usize::try_from(tokenizer.vocab_size).unwrap_or_default();
    let (field, parameters, needed) = match &spec.start {
        Start::Base(_) | Start::Adapter(_) => return Ok(()),
        Start::New(model) => {
            let config = model_config(model, vocab_size, None, None);
            ("spec.new_model", config.parameters(), needed(&config, &spec.arguments))
        }
        Start::NewEncoder(model) => {
            let parameters = encoder_config(model, vocab_size, None).parameters();
            ("spec.new_encoder", parameters, bytes(parameters, &spec.arguments))
        }
    };
    if needed <= total {
        return Ok(());
    }
    let message = format!(
        "has {parameters} parameters, whose weights, gradients and moments take {} MiB, but this machine has {} MiB; \
         make it smaller",
        needed >> 20,
        total >> 20
    );
    Err(Error::invalid(field, message))
}

/// Bytes of weights, gradients and moments.
fn needed(config: &Config, arguments: &Arguments) -> u64 {
    let spared = rows_without_gradient(config, arguments).saturating_mul(config.hidden_size) as u64;
    bytes(config.parameters(), arguments).saturating_sub(spared.saturating_mul(BYTES))
}

/// The same where every parameter has a gradient.
fn bytes(parameters: usize, arguments: &Arguments) -> u64 {
    let each = 2 + moments(&arguments.optim); // the weight, its gradient
    (parameters as u64).saturating_mul(each * BYTES)
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
fn rows_without_gradient(config: &Config, arguments: &Arguments) -> usize {
    let rows = arguments.batch_size.saturating_mul(arguments.accumulation);
    let tokens = rows.saturating_mul(config.max_position_embeddings);
    if config.tie_word_embeddings { 0 } else { config.vocab_size.saturating_sub(tokens) }
}

/// Bytes of memory, of what the system says.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tests::causal;

    #[test]
    fn a_new_model_that_cannot_fit_is_refused_with_the_figures() {
        let total = total("MemTotal:       1024 kB\nMemFree:  12 kB\n").unwrap();
        assert_eq!(total, 1 << 20);
        let spec = Spec::try_from(&causal()).unwrap();
        let tokenizer = |vocab_size| Tokenizer { vocab_size, ..Tokenizer::default() };
        within(&spec, &tokenizer(256), total).unwrap();
        match within(&spec, &tokenizer(4096), total) {
            Err(Error::Invalid { field, message }) => {
                assert_eq!(field, "spec.new_model");
                assert!(message.contains("MiB"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_embedding_apart_from_the_head_has_gradients_for_the_tokens_of_a_step() {
        const VOCAB: usize = 10_000;
        let spec = Spec::try_from(&causal()).unwrap();
        let Start::New(model) = &spec.start else { panic!("{spec:?}") };
        let bytes = |tie_word_embeddings, batch_size| {
            let config = Config { tie_word_embeddings, ..model_config(model, VOCAB, None, None) };
            needed(&config, &Arguments { batch_size, accumulation: 2, ..spec.arguments.clone() })
        };
        let (row, tokens) = (model.hidden_size * 4, 3 * 2 * model.max_position_embeddings);
        let head = bytes(false, 3) - bytes(true, 3);
        assert_eq!(head as usize, row * (3 * VOCAB + tokens));
        assert_eq!((bytes(false, 1000) - bytes(true, 1000)) as usize, row * 4 * VOCAB);
    }

    #[test]
    fn optimizers_that_keep_less_need_less() {
        let spec = Spec::try_from(&causal()).unwrap();
        let Start::New(model) = &spec.start else { panic!("{spec:?}") };
        let config = Config { tie_word_embeddings: true, ..model_config(model, 256, None, None) };
        let bytes = |optim| needed(&config, &Arguments { optim, ..spec.arguments.clone() });
        let (least, adamw) = (bytes(Optim::Adafactor), bytes(spec.arguments.optim));
        assert_eq!((least, adamw), (8 * config.parameters() as u64, 16 * config.parameters() as u64));
    }
}
