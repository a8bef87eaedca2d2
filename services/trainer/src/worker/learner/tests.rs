//! Accumulation is one large batch, and weights come back as they were.

use std::collections::BTreeMap;

use candle_core::Device;
use rootstock_kernels::Gradient;
use rootstock_model::{Config, NonLinearity};
use rootstock_peft::{
    BottleneckAdapter, BottleneckConfig, LoraAdapter, LoraConfig, SavedModule, VirtualTokens,
    VirtualTokensConfig, VirtualTokensKind,
};

use super::*;
use crate::{
    spec::Full,
    worker::rows::{Example, batch},
};

const KEY: DropoutKey = DropoutKey { seed: 1, step: 0, micro: 0 };

/// The shape of a model that a test can train.
pub(in crate::worker) fn config() -> Config {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}"#;
    Config::from_json(json).unwrap()
}

/// A model of which all weights are trained.
pub(in crate::worker) fn full() -> Learner {
    Learner::full(Decoder::init(config(), 5, &Device::Cpu).unwrap(), Format::F32, |_| true).unwrap()
}

/// The same, multiplied in f16.
pub(in crate::worker) fn half() -> Learner {
    Learner::full(Decoder::init(config(), 5, &Device::Cpu).unwrap(), Format::F16, |_| true).unwrap()
}

/// A model of which these parts are trained.
pub(in crate::worker) fn partial(modules: &[&str]) -> Learner {
    let trainable_modules = modules.iter().map(|module| (*module).to_owned()).collect();
    let trained = Full { trainable_modules, ..Full::default() }.trained(&config()).unwrap();
    let decoder = Decoder::init(config(), 5, &Device::Cpu).unwrap();
    Learner::full(decoder, Format::F32, |name| trained.contains(name)).unwrap()
}

/// A model with an adapter beside it that rescales outputs and replaces the head.
pub(in crate::worker) fn dora(lora_dropout: f64) -> Learner {
    let decoder = Decoder::init(config(), 5, &Device::Cpu).unwrap();
    let modules_to_save = vec![SavedModule::Head];
    let settings =
        LoraConfig { r: 4, lora_dropout, use_dora: true, modules_to_save, ..LoraConfig::default() };
    let adapter = LoraAdapter::start(&settings, &decoder, 6).unwrap();
    Learner::adapter(decoder, adapter.into())
}

/// A model with an adapter beside it.
pub(in crate::worker) fn lora(lora_dropout: f64) -> Learner {
    let decoder = Decoder::init(config(), 5, &Device::Cpu).unwrap();
    let settings = LoraConfig { r: 4, lora_dropout, ..LoraConfig::default() };
    let adapter = LoraAdapter::init(&settings, decoder.config(), 6, &Device::Cpu).unwrap();
    Learner::adapter(decoder, adapter.into())
}

/// A model with a prefix that two layers make while they are trained.
pub(in crate::worker) fn prefix() -> Learner {
    let decoder = Decoder::init(config(), 5, &Device::Cpu).unwrap();
    let kind = VirtualTokensKind::Prefix { encoder_hidden_size: Some(6) };
    let settings = VirtualTokensConfig { num_virtual_tokens: 3, kind, base_model_name_or_path: None };
    let adapter = VirtualTokens::init(&settings, &decoder, &[], 6, &Device::Cpu).unwrap();
    Learner::adapter(decoder, adapter.into())
}

/// A model with bottlenecks that read the residual stream behind feed-forward blocks.
pub(in crate::worker) fn bottlenecks() -> Learner {
    let decoder = Decoder::init(config(), 5, &Device::Cpu).unwrap();
    let settings = BottleneckConfig {
        name: "default".to_owned(),
        mh_adapter: false,
        output_adapter: true,
        reduction_factor: 4.0,
        non_linearity: NonLinearity::Gelu,
        original_ln_before: true,
        is_parallel: false,
        scaling: 1.0,
        base_model_name_or_path: None,
    };
    let adapter = BottleneckAdapter::init(&settings, decoder.config(), 6, &Device::Cpu).unwrap();
    Learner::adapter(decoder, adapter.into())
}

/// Rows of different lengths, with and without a prompt.
fn examples() -> Vec<Example> {
    let row = |n: usize, prompt: usize| {
        let input_ids: Vec<u32> = (0..n as u32).map(|i| (i * 7 + n as u32 * 3) % 64).collect();
        let label = |(i, id): (usize, &u32)| if i < prompt { -100 } else { i64::from(*id) };
        let labels = input_ids.iter().enumerate().map(label).collect();
        Example { input_ids, labels }
    };
    vec![row(9, 0), row(4, 2), row(16, 8), row(7, 6)]
}

fn assert_accumulates(learner: &Learner) {
    let rows = examples();
    let whole = learner.step(learner.variables(), &[batch(&rows)], KEY.into(), 1.0).unwrap();
    let halves: Vec<_> = rows.chunks(2).map(batch).collect();
    let parts = learner.step(learner.variables(), &halves, KEY.into(), 1.0).unwrap();
    let ones: Vec<_> = rows.chunks(1).map(batch).collect();
    let singles = learner.step(learner.variables(), &ones, KEY.into(), 1.0).unwrap();
    for other in [parts, singles] {
        assert_eq!(whole.loss.tokens, other.loss.tokens);
        assert!((whole.loss.sum - other.loss.sum).abs() / whole.loss.sum < 1e-6);
        assert_eq!(whole.gradients.0.len(), other.gradients.0.len());
        assert!(!whole.gradients.0.is_empty());
        for (name, gradient) in &whole.gradients.0 {
            let other = other.gradients.0[name].dense().unwrap();
            let difference = (gradient.dense().unwrap() - other).unwrap().abs().unwrap();
            let largest = difference.flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(largest < 1e-6, "{name} differs by {largest}");
        }
    }
}

#[test]
fn accumulating_small_batches_is_one_large_batch_for_all_weights() {
    assert_accumulates(&full());
}

#[test]
fn accumulating_small_batches_is_one_large_batch_for_an_adapter() {
    assert_accumulates(&lora(0.0));
    assert_accumulates(&dora(0.0));
    assert_accumulates(&prefix());
    assert_accumulates(&bottlenecks());
}

#[test]
fn a_scaled_loss_gives_the_same_gradients_and_in_f16_those_of_f32_up_to_its_rounding() {
    let rows = [batch(&examples())];
    let gradients = |learner: &Learner, scale: f64| {
        learner.step(learner.variables(), &rows, KEY.into(), scale).unwrap().gradients.0
    };
    let norm = |tensor: &Tensor| tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    let distance = |other: &BTreeMap<String, Gradient>, expected: &BTreeMap<String, Gradient>| {
        let of = |(name, expected): (&String, &Gradient)| {
            let (found, expected) = (other[name].dense().unwrap(), expected.dense().unwrap());
            norm(&(found - &expected).unwrap()) / norm(&expected)
        };
        expected.iter().map(of).fold(0.0, f32::max)
    };
    let expected = gradients(&full(), 1.0);
    assert_eq!(distance(&gradients(&full(), 4096.0), &expected), 0.0, "a power of two changes no bit");
    let scaled = distance(&gradients(&half(), 4096.0), &expected);
    assert!(scaled > 0.0 && scaled < 3e-3, "{scaled}");
    // So small a loss that its gradients are below f16's smallest number.
    assert!(distance(&gradients(&half(), 1e-7), &expected) > 0.5);
}

#[test]
fn only_what_is_trained_has_gradients() {
    let rows = [batch(&examples())];
    let adapter = lora(0.0);
    let names = |learner: &Learner| -> Vec<String> {
        learner.step(learner.variables(), &rows, KEY.into(), 1.0).unwrap().gradients.0.into_keys().collect()
    };
    let variables: Vec<String> = adapter.variables().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names(&adapter), variables);
    assert!(variables.iter().all(|name| name.contains("lora_")));
    assert_eq!(names(&full()).len(), config().tensors().len());
    assert_eq!(names(&partial(&["layers.1.mlp", "model.norm"])).len(), 4);
}

#[test]
fn what_is_frozen_is_saved_bit_for_bit_and_gradients_are_those_of_full_training() {
    let (learner, whole) = (partial(&["layers.1"]), full());
    let rows = [batch(&examples())];
    let gradients =
        |learner: &Learner| learner.step(learner.variables(), &rows, KEY.into(), 1.0).unwrap().gradients.0;
    let (some, all) = (gradients(&learner), gradients(&whole));
    assert_eq!(some.len(), 9);
    let numbers = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (name, gradient) in some {
        assert_eq!(numbers(gradient.dense().unwrap()), numbers(all[&name].dense().unwrap()), "{name}");
    }
    let stored = |learner: &Learner| {
        let tensors = learner.decoder.named_tensors().unwrap();
        tensors.into_iter().map(|(name, tensor)| (name, numbers(tensor))).collect::<Vec<_>>()
    };
    assert_eq!(stored(&learner), stored(&whole));
}

#[test]
fn parameters_are_counted() {
    let base = config().parameters();
    assert_eq!(full().parameters(), (base, base));
    let (trained, all) = lora(0.0).parameters();
    assert_eq!(all, base + trained);
    assert!(trained > 0 && trained < base);
}
