//! The keys of a training file: one flat mapping, with the names of Hugging Face's TrainingArguments and of PEFT's
//! configurations. What is not set is left to the server's defaults.
use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_yaml_ng::Value;

use super::others::{self, OtherNames};
use super::publication::{Canary, Publication};
use crate::nearest;

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Objective {
    Causal,
    Supervised,
    Infilling,
    Masked,
    Classification,
}

/// Which weights are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    Full,
    Lora,
    Bottleneck,
    Prefix,
    Prompt,
    Fisher,
}

/// What the rows of a prompt begin as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum PromptInit {
    #[serde(rename = "RANDOM")]
    Random,
    #[serde(rename = "TEXT")]
    Text,
}

/// Schedule of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scheduler {
    Linear,
    Cosine,
    CosineWithRestarts,
    Polynomial,
    Constant,
    ConstantWithWarmup,
    InverseSqrt,
    CosineWithMinLr,
    WarmupStableDecay,
}

/// What makes steps of gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Optimizer {
    #[serde(rename = "adamw_torch", alias = "adamw", alias = "adamw_torch_fused")]
    Adamw,
    Adafactor,
    Sgd,
    #[serde(rename = "lion_32bit", alias = "lion")]
    Lion,
}

/// Number format in which weights are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dtype {
    #[serde(alias = "float32")]
    F32,
    #[serde(alias = "bfloat16")]
    Bf16,
    #[serde(alias = "float16")]
    F16,
}

/// What becomes of rows that are too long; TRL's names are understood too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Truncation {
    Drop,
    #[serde(alias = "keep_end")]
    TruncateLeft,
    #[serde(alias = "keep_start")]
    TruncateRight,
    Error,
}

/// One name or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

/// A training file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct TrainFile {
    #[serde(alias = "output_dir")]
    pub(super) output: Option<String>,
    #[serde(alias = "model_name_or_path")]
    pub(super) base_model: Option<String>,
    #[serde(alias = "adapter_name_or_path")]
    pub(super) base_adapter: Option<String>,
    pub(super) new_model: Option<NewModel>,
    pub(super) new_encoder: Option<NewEncoder>,
    pub(super) dataset: Option<String>,
    pub(super) mix: Option<Mix>,
    #[serde(alias = "eval_dataset")]
    pub(super) validation_dataset: Option<String>,
    #[serde(alias = "val_size")]
    pub(super) validation_split: Option<f64>,
    pub(super) objective: Option<Objective>,
    pub(super) block_size: Option<i32>,
    pub(super) prompt_template: Option<String>,
    #[serde(alias = "max_seq_length")]
    pub(super) max_length: Option<i32>,
    pub(super) truncation: Option<Truncation>,
    pub(super) instruction_token_dropout: Option<f64>,
    pub(super) span_shuffle: Option<f64>,
    pub(super) paraphrase_columns: Option<Names>,
    pub(super) denoisers: Option<Vec<Denoiser>>,
    pub(super) mlm_probability: Option<f64>,
    pub(super) whole_word_mask: Option<bool>,
    pub(super) freeze_encoder: Option<bool>,
    pub(super) method: Option<Method>,
    #[serde(alias = "lora_rank")]
    pub(super) r: Option<i32>,
    pub(super) lora_alpha: Option<f64>,
    pub(super) lora_dropout: Option<f64>,
    pub(super) target_modules: Option<Names>,
    pub(super) use_rslora: Option<bool>,
    pub(super) use_dora: Option<bool>,
    pub(super) rank_pattern: Option<BTreeMap<String, i32>>,
    pub(super) alpha_pattern: Option<BTreeMap<String, f64>>,
    pub(super) exclude_modules: Option<Names>,
    pub(super) layers_to_transform: Option<Vec<i32>>,
    pub(super) modules_to_save: Option<Names>,
    #[serde(deserialize_with = "init_lora_weights")]
    pub(super) init_lora_weights: Option<String>,
    pub(super) bias: Option<String>,
    pub(super) trainable_modules: Option<Names>,
    pub(super) frozen_modules: Option<Names>,
    pub(super) unfreeze_every_steps: Option<i64>,
    pub(super) add_tokens: Option<Names>,
    pub(super) mh_adapter: Option<bool>,
    pub(super) output_adapter: Option<bool>,
    pub(super) reduction_factor: Option<f64>,
    pub(super) non_linearity: Option<String>,
    pub(super) scaling: Option<f64>,
    pub(super) original_ln_before: Option<bool>,
    pub(super) is_parallel: Option<bool>,
    #[serde(alias = "prefix_length")]
    pub(super) num_virtual_tokens: Option<i32>,
    pub(super) prompt_tuning_init: Option<PromptInit>,
    pub(super) prompt_tuning_init_text: Option<String>,
    pub(super) prefix_projection: Option<bool>,
    pub(super) encoder_hidden_size: Option<i32>,
    pub(super) max_rows: Option<i64>,
    pub(super) ewc: Option<Ewc>,
    pub(super) replay: Option<Replay>,
    pub(super) retention: Option<Retention>,
    pub(super) publication: Option<Publication>,
    pub(super) learning_rate: Option<f64>,
    pub(super) num_train_epochs: Option<f64>,
    pub(super) max_steps: Option<i64>,
    #[serde(alias = "per_gpu_train_batch_size")]
    pub(super) per_device_train_batch_size: Option<i32>,
    pub(super) gradient_accumulation_steps: Option<i32>,
    pub(super) warmup_steps: Option<i64>,
    pub(super) warmup_ratio: Option<f64>,
    pub(super) lr_scheduler_type: Option<Scheduler>,
    pub(super) weight_decay: Option<f64>,
    pub(super) adam_beta1: Option<f64>,
    pub(super) adam_beta2: Option<f64>,
    pub(super) adam_epsilon: Option<f64>,
    pub(super) max_grad_norm: Option<f64>,
    pub(super) seed: Option<u64>,
    pub(super) logging_steps: Option<i64>,
    pub(super) eval_steps: Option<i64>,
    pub(super) save_steps: Option<i64>,
    pub(super) save_total_limit: Option<i32>,
    pub(super) early_stopping_patience: Option<i32>,
    pub(super) early_stopping_threshold: Option<f64>,
    pub(super) weight_dtype: Option<Dtype>,
    pub(super) bf16: Option<bool>,
    pub(super) fp16: Option<bool>,
    pub(super) gradient_checkpointing: Option<bool>,
    pub(super) activation_memory_bytes: Option<i64>,
    pub(super) lr_scheduler_kwargs: Option<SchedulerKwargs>,
    pub(super) optim: Option<Optimizer>,
    pub(super) optim_args: Option<OptimArgs>,
    pub(super) layerwise_lr_decay: Option<f64>,
    pub(super) loraplus_lr_ratio: Option<f64>,
    #[serde(alias = "label_smoothing")]
    pub(super) label_smoothing_factor: Option<f64>,
    pub(super) neftune_noise_alpha: Option<f64>,
    pub(super) retry_in_f32: Option<bool>,
    pub(super) priority: Option<i32>,
    pub(super) stages: Option<Vec<Stage>>,
    pub(super) keep_optimizer_state: Option<bool>,
}

/// What a stage has of its own.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Stage {
    pub(super) dataset: Option<String>,
    pub(super) mix: Option<Mix>,
    pub(super) trainable_modules: Option<Names>,
    pub(super) frozen_modules: Option<Names>,
    pub(super) max_steps: Option<i64>,
    pub(super) num_train_epochs: Option<f64>,
    pub(super) learning_rate: Option<f64>,
    pub(super) warmup_steps: Option<i64>,
    pub(super) warmup_ratio: Option<f64>,
}

/// Several data sets, each seen in its share.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Mix {
    pub(super) datasets: Vec<MixedDataset>,
    pub(super) temperature: f64,
}

/// One data set of a mix.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct MixedDataset {
    pub(super) dataset: String,
    pub(super) weight: f64,
    pub(super) prompt_template: String,
}

/// One way to cut something out of a text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Denoiser {
    pub(super) corruption_rate: f64,
    pub(super) mean_span_length: f64,
    pub(super) continuation: bool,
    pub(super) weight: f64,
    pub(super) prefix_token: String,
}

/// By which Fisher information weights are held, and how strongly.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Ewc {
    pub(super) fisher: String,
    pub(super) lambda: f64,
}

/// Earlier data that is seen again, and its share.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Replay {
    pub(super) dataset: String,
    pub(super) ratio: f64,
}

/// Earlier data, and how much must be left of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Retention {
    pub(super) dataset: String,
    pub(super) min_ratio: f64,
}

/// What only some schedules have.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct SchedulerKwargs {
    pub(super) num_cycles: f64,
    pub(super) min_lr: Option<f64>,
    pub(super) min_lr_rate: Option<f64>,
    pub(super) power: f64,
    pub(super) lr_end: Option<f64>,
    pub(super) timescale: i64,
    pub(super) num_decay_steps: i64,
    pub(super) num_stable_steps: Option<i64>,
    pub(super) warmup_type: String,
    pub(super) decay_type: String,
    pub(super) min_lr_ratio: f64,
}

/// What only some optimizers have.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct OptimArgs {
    pub(super) momentum: f64,
    pub(super) nesterov: bool,
}

/// A model of random weights.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct NewModel {
    pub(super) tokenizer: String,
    pub(super) model_type: String,
    pub(super) hidden_size: i32,
    pub(super) intermediate_size: i32,
    pub(super) num_hidden_layers: i32,
    pub(super) num_attention_heads: i32,
    pub(super) num_key_value_heads: i32,
    pub(super) head_dim: i32,
    pub(super) max_position_embeddings: i32,
    pub(super) sliding_window: i32,
    pub(super) rope_theta: f64,
    pub(super) tie_word_embeddings: bool,
    pub(super) initializer_range: f64,
}

/// A BERT of random weights.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct NewEncoder {
    pub(super) tokenizer: String,
    pub(super) hidden_size: i32,
    pub(super) intermediate_size: i32,
    pub(super) num_hidden_layers: i32,
    pub(super) num_attention_heads: i32,
    pub(super) max_position_embeddings: i32,
    pub(super) type_vocab_size: i32,
    pub(super) hidden_dropout_prob: Option<f64>,
    pub(super) initializer_range: f64,
    pub(super) layer_norm_eps: f64,
}

/// PEFT's `init_lora_weights`, where true is the default.
fn init_lora_weights<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null | Value::Bool(true) => Ok(None),
        Value::String(name) => Ok(Some(name)),
        other => {
            Err(D::Error::custom(format!("init_lora_weights: {other:?} can't be; write gaussian or true")))
        }
    }
}

/// Parses a file, and gives its text as a value too; an unknown key is refused with the nearest known one.
pub(super) fn parse(bytes: &[u8]) -> Result<(TrainFile, Value), String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 from byte {} on", error.valid_up_to()))?;
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
    check_top(&value)?;
    check_nested::<NewModel>(&value, "new_model")?;
    check_nested::<NewEncoder>(&value, "new_encoder")?;
    check_nested::<OptimArgs>(&value, "optim_args")?;
    check_nested::<Ewc>(&value, "ewc")?;
    check_nested::<Replay>(&value, "replay")?;
    check_nested::<Retention>(&value, "retention")?;
    check_nested::<Publication>(&value, "publication")?;
    if let Some(canary) = value.get("publication").and_then(|publication| publication.get("canary")) {
        check_keys::<Canary>(canary, "publication.canary.")?;
    }
    check_list::<Denoiser>(value.get("denoisers"), "denoisers")?;
    check_mix(&value, "")?;
    check_list::<Stage>(value.get("stages"), "stages")?;
    for (i, stage) in value.get("stages").and_then(Value::as_sequence).into_iter().flatten().enumerate() {
        check_mix(stage, &format!("stages[{i}]."))?;
    }
    check_nested::<SchedulerKwargs>(&value, "lr_scheduler_kwargs")?;
    // From the text and not from the value, so that an error tells the line.
    let mut file: TrainFile = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let other: OtherNames = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    other.apply(&mut file)?;
    Ok((file, value))
}

/// The keys of the file itself, which other trainers may call by other names.
fn check_top(value: &Value) -> Result<(), String> {
    let keys = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    for key in keys.filter_map(Value::as_str) {
        if let Some(instead) = others::instead(key) {
            return Err(format!("{key} is of another trainer: {instead}"));
        }
    }
    let aliases = others::ALIASES.iter().map(|(alias, _)| (*alias).to_owned());
    let known: Vec<String> =
        known_keys::<TrainFile>().into_iter().chain(aliases).chain(known_keys::<OtherNames>()).collect();
    check_known(value, "", &known)
}

/// The keys of a mapping's mix and of its data sets.
fn check_mix(value: &Value, prefix: &str) -> Result<(), String> {
    let Some(mix) = value.get("mix") else { return Ok(()) };
    check_keys::<Mix>(mix, &format!("{prefix}mix."))?;
    check_list::<MixedDataset>(mix.get("datasets"), &format!("{prefix}mix.datasets"))
}

fn check_nested<T: Default + Serialize + DeserializeOwned>(value: &Value, key: &str) -> Result<(), String> {
    value.get(key).map_or(Ok(()), |nested| check_keys::<T>(nested, &format!("{key}.")))
}

fn check_list<T: Default + Serialize + DeserializeOwned>(
    value: Option<&Value>,
    key: &str,
) -> Result<(), String> {
    let entries = value.and_then(Value::as_sequence).into_iter().flatten();
    entries.enumerate().try_for_each(|(i, entry)| check_keys::<T>(entry, &format!("{key}[{i}].")))
}

fn check_keys<T: Default + Serialize + DeserializeOwned>(value: &Value, prefix: &str) -> Result<(), String> {
    check_known(value, prefix, &known_keys::<T>())
}

fn check_known(value: &Value, prefix: &str, known: &[String]) -> Result<(), String> {
    let Some(mapping) = value.as_mapping() else {
        return Err(format!("{}must be a mapping of keys to values", prefix.replace('.', " ")));
    };
    for key in mapping.keys() {
        let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
        if !known.contains(&name) {
            let hint = match nearest::nearest(&name, known) {
                Some(known) => format!("did you mean {known}?"),
                None => "`rootstock train --keys` lists those there are".to_owned(),
            };
            return Err(format!("unknown key {prefix}{name}; {hint}"));
        }
    }
    Ok(())
}

/// The fields of a struct, as they are written.
pub(super) fn known_keys<T: Default + Serialize>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}
