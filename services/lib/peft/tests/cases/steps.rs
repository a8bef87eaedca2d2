//! Training steps and answers of small models as stories that run on any device: losses, every gradient, logits.

use std::error::Error;

use candle_core::{Device, Var};
use rootstock_kernels::{Optimizer, Random, SgdOptions, StepRates};
use rootstock_model::{
    Adapter, Batch, Config, Decoder, DropoutKey, Encoder, EncoderBatch, EncoderConfig, EncoderRow, Format,
    Gradients, KvCache, LossSum, NonLinearity, Recompute, Regularization, evaluate, forward_backward,
};
use rootstock_peft::{
    BottleneckAdapter, BottleneckConfig, LoraAdapter, LoraConfig, SavedModule, VirtualTokens,
    VirtualTokensConfig, VirtualTokensKind,
};

use super::told::{F32, Told};

type Story = Result<(), Box<dyn Error>>;
type Parameters = Vec<(String, Var)>;

/// As [`F32`] where matrices are multiplied as bf16: what differs by a rounding goes through several layers.
const BF16: f32 = 1.0 / 64.0;
const KEY: DropoutKey = DropoutKey { seed: 1, step: 2, micro: 3 };

/// Two query heads per key head, a head wider than `hidden_size / heads`, and what else a family has.
fn config(family: &str) -> Config {
    let (architecture, more) = match family {
        "mistral" => ("Mistral", r#""sliding_window": 3, "tie_word_embeddings": false"#),
        "qwen2" => ("Qwen2", r#""tie_word_embeddings": true"#),
        "qwen3" => ("Qwen3", r#""attention_bias": true, "tie_word_embeddings": false"#),
        _ => ("Llama", r#""attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true"#),
    };
    let json = format!(
        r#"{{"architectures": ["{architecture}ForCausalLM"], "model_type": "{family}", "vocab_size": 61, "hidden_size": 24,
        "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 10,
        "initializer_range": 0.2, "eos_token_id": 0, {more}}}"#
    );
    Config::from_json(json.as_bytes()).unwrap()
}

fn decoder(family: &str, device: &Device) -> Decoder {
    Decoder::init(config(family), 1, device).unwrap()
}

/// Rows of different lengths, some of whose labels are ignored.
fn batch() -> Batch {
    let (rows, seq_len) = (3, 9);
    let random = Random::new(5, 0);
    let input_ids: Vec<u32> = (0..rows * seq_len).map(|i| random.below(i as u64, 61) as u32).collect();
    let kept = |i: usize| i % seq_len < 4 + 2 * (i / seq_len) && i % 5 != 3;
    let labels = input_ids.iter().enumerate().map(|(i, id)| if kept(i) { i64::from(*id) } else { -100 });
    Batch { rows, seq_len, labels: labels.collect(), input_ids }
}

fn tell_step(told: &mut Told, name: &str, (loss, gradients): (LossSum, Gradients), tolerance: f32) -> Story {
    told.tell_number(&format!("{name}: loss"), loss.sum)?;
    for (parameter, gradient) in &gradients.0 {
        told.tell(format!("{name}: {parameter}"), &gradient.dense()?, tolerance)?;
    }
    Ok(())
}

pub(crate) fn full_training_of_every_family(told: &mut Told) -> Story {
    for family in ["llama", "mistral", "qwen2", "qwen3"] {
        let mut decoder = decoder(family, &told.device);
        let parameters = decoder.set_trainable(None)?;
        for recompute in [Recompute::Never, Recompute::Always] {
            decoder.set_recompute(recompute);
            let how = Regularization {
                label_smoothing: 0.1,
                neftune_noise_alpha: 5.0,
                ..Regularization::from(KEY)
            };
            let step = forward_backward(&decoder, None, &parameters, &batch(), 7.0, how)?;
            tell_step(told, family, step, F32)?;
        }
        told.tell_number(family, evaluate(&decoder, None, &batch())?.sum)?;
    }
    Ok(())
}

pub(crate) fn full_training_in_bf16(told: &mut Told) -> Story {
    let mut decoder = decoder("llama", &told.device);
    let parameters = decoder.set_trainable(Some(Format::Bf16))?;
    let (loss, gradients) = forward_backward(&decoder, None, &parameters, &batch(), 7.0, KEY)?;
    let scale = loss.sum;
    told.tell("loss", &candle_core::Tensor::new(scale as f32, &Device::Cpu)?, BF16)?;
    for (parameter, gradient) in &gradients.0 {
        told.tell(parameter, &gradient.dense()?, BF16)?;
    }
    Ok(())
}

/// Numbers that depend on the names of parameters alone, so that no half of a pair is zero.
fn fill(parameters: &Parameters) -> Story {
    for (name, variable) in parameters {
        let drawn = Random::named(7, name).normal_tensor(variable.shape(), 0.0, 0.3, variable.device())?;
        variable.set(&drawn)?;
    }
    Ok(())
}

/// Three steps, each with its loss, gradients and norm; then the answers.
fn follow(told: &mut Told, decoder: &Decoder, adapter: &dyn Adapter, parameters: &Parameters) -> Story {
    fill(parameters)?;
    let mut optimizer = Optimizer::new(SgdOptions::default());
    for step in 0..3 {
        let key = DropoutKey { step, ..KEY };
        let (loss, mut gradients) = forward_backward(decoder, Some(adapter), parameters, &batch(), 7.0, key)?;
        told.tell_number("norm", gradients.clip(1.0)?)?;
        optimizer.step(parameters, &gradients.0, |_| StepRates { lr: 0.1, weight_decay: 0.0 })?;
        tell_step(told, &format!("step {step}"), (loss, gradients), F32)?;
    }
    told.tell_number("evaluated", evaluate(decoder, Some(adapter), &batch())?.sum)?;
    Ok(())
}

pub(crate) fn low_rank_training(told: &mut Told) -> Story {
    let decoder = decoder("llama", &told.device);
    let config = LoraConfig { r: 3, lora_dropout: 0.3, ..LoraConfig::default() };
    let adapter = LoraAdapter::start(&config, &decoder, 1)?;
    follow(told, &decoder, &adapter, &adapter.parameters())
}

pub(crate) fn low_rank_training_of_all_that_an_adapter_may_change(told: &mut Told) -> Story {
    let decoder = decoder("qwen3", &told.device);
    let targets = &["q_proj", "down_proj", "embed_tokens", "lm_head"];
    let config = LoraConfig {
        r: 3,
        bias: rootstock_peft::Biases::LoraOnly,
        target_modules: rootstock_peft::TargetModules::from(&targets[..]),
        ..LoraConfig::default()
    };
    let adapter = LoraAdapter::start(&config, &decoder, 1)?;
    follow(told, &decoder, &adapter, &adapter.parameters())?;
    let whole = LoraConfig {
        modules_to_save: vec![SavedModule::Embedding, SavedModule::Head],
        use_dora: true,
        lora_dropout: 0.3,
        r: 3,
        ..LoraConfig::default()
    };
    let adapter = LoraAdapter::start(&whole, &decoder, 1)?;
    follow(told, &decoder, &adapter, &adapter.parameters())
}

pub(crate) fn training_of_virtual_tokens(told: &mut Told) -> Story {
    let decoder = decoder("mistral", &told.device);
    let kinds = [
        VirtualTokensKind::Prompt { init_text: None },
        VirtualTokensKind::Prefix { encoder_hidden_size: None },
        VirtualTokensKind::Prefix { encoder_hidden_size: Some(5) },
    ];
    for kind in kinds {
        let config = VirtualTokensConfig { num_virtual_tokens: 4, kind, base_model_name_or_path: None };
        let tokens = VirtualTokens::init(&config, &decoder, &[], 1, &told.device)?;
        tokens.refresh()?;
        let variables = tokens.differentiated();
        let (loss, gradients) = forward_backward(&decoder, Some(&tokens), &variables, &batch(), 7.0, KEY)?;
        let gradients = tokens.pull_back(gradients)?;
        tell_step(told, &format!("{:?}", config.kind), (loss, gradients), F32)?;
    }
    Ok(())
}

pub(crate) fn training_of_bottlenecks(told: &mut Told) -> Story {
    let decoder = decoder("qwen2", &told.device);
    for non_linearity in [NonLinearity::Relu, NonLinearity::Gelu, NonLinearity::Swish] {
        let parallel = non_linearity == NonLinearity::Gelu;
        let config = BottleneckConfig {
            name: "a".to_owned(),
            mh_adapter: true,
            output_adapter: true,
            reduction_factor: 4.0,
            non_linearity,
            original_ln_before: !parallel,
            is_parallel: parallel,
            scaling: 0.7,
            base_model_name_or_path: None,
        };
        let adapter = BottleneckAdapter::init(&config, decoder.config(), 1, &told.device)?;
        follow(told, &decoder, &adapter, &adapter.parameters())?;
    }
    Ok(())
}

fn encoder_config(architecture: &str) -> EncoderConfig {
    let json = format!(
        r#"{{"architectures": ["{architecture}"], "model_type": "bert", "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 40, "max_position_embeddings": 20, "type_vocab_size": 2,
        "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.2, "pad_token_id": 0,
        "id2label": {{"0": "a", "1": "b", "2": "c"}}}}"#
    );
    EncoderConfig::from_json(json.as_bytes()).unwrap()
}

pub(crate) fn training_of_an_encoder(told: &mut Told) -> Story {
    for architecture in ["BertForMaskedLM", "BertForSequenceClassification"] {
        let mut encoder = Encoder::init(encoder_config(architecture), 1, &told.device)?;
        let parameters = encoder.set_trainable(None)?;
        let row = |length: u32| EncoderRow {
            ids: (0..length).map(|i| i * 7 % 31).collect(),
            types: (0..length).map(|i| u32::from(i > length / 2)).collect(),
        };
        let rows: Vec<EncoderRow> = [5, 9, 2].map(row).into();
        let labels = match architecture {
            "BertForMaskedLM" => (0..16).map(|i| if i % 3 == 0 { i } else { -100 }).collect(),
            _ => vec![2, -100, 0],
        };
        let batch = EncoderBatch { rows, labels };
        let step = encoder.forward_backward(&parameters, &batch, 3.0, KEY)?;
        tell_step(told, architecture, step, F32)?;
        told.tell_number("evaluated", encoder.evaluate(&batch)?.sum)?;
        told.tell("logits", &encoder.logits(&batch.rows)?, F32)?;
    }
    Ok(())
}

pub(crate) fn answers_with_and_without_a_cache(told: &mut Told) -> Story {
    for family in ["llama", "mistral", "qwen3"] {
        let decoder = decoder(family, &told.device);
        let config = LoraConfig { r: 3, ..LoraConfig::default() };
        let adapter = LoraAdapter::start(&config, &decoder, 1)?;
        fill(&adapter.parameters())?;
        let ids: Vec<u32> = (0..70).map(|i| i * 7 % 61).collect();
        for adapter in [None, Some(&adapter as &dyn Adapter)] {
            told.tell(format!("{family}: all"), &decoder.forward_all(&ids, adapter)?, F32)?;
            let mut cache = KvCache::new(decoder.config(), Format::F32, 100, &told.device)?;
            for ids in [&ids[..65], &ids[65..66], &ids[66..]] {
                let logits = decoder.forward(ids, &mut cache, adapter)?;
                told.tell(format!("{family}: after {}", cache.len()), &logits, F32)?;
            }
        }
    }
    Ok(())
}

/// Makes a test of each story by a macro that takes their names.
macro_rules! every_story {
    ($make:ident) => {
        $make! {
            full_training_of_every_family, full_training_in_bf16, low_rank_training,
            low_rank_training_of_all_that_an_adapter_may_change, training_of_virtual_tokens,
            training_of_bottlenecks, training_of_an_encoder, answers_with_and_without_a_cache,
        }
    };
}
pub(crate) use every_story;
