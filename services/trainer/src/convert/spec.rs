//! TrainingSpec: what goes together and what doesn't, and the configurations that follow from it.

use candle_core::DType;
use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_model::{Config, Family, Format, Layers, Projection, RopeScaling};
use rootstock_peft::LoraConfig;
use rootstock_proto::training::v1 as proto;
use rootstock_text::PromptTemplate;

use super::{
    arguments::arguments,
    bottleneck::bottleneck,
    infilling::{INFILLING, infilling},
    numbers::{Fields, or_default},
    virtual_tokens::{prefix_tuning, prompt_tuning},
};
use crate::{
    error::Error,
    names,
    spec::{Lora, MIN_ROW_TOKENS, Method, NewModel, Objective, Spec, Start, Validation, WeightDtype},
};

const SPEC: Fields = Fields { path: "spec" };
const NEW_MODEL: Fields = Fields { path: "spec.new_model" };
const CAUSAL: Fields = Fields { path: "spec.causal" };
const SUPERVISED: Fields = Fields { path: "spec.supervised" };
const LORA: Fields = Fields { path: "spec.lora" };

/// Largest share of the data held out for validation.
const MAX_VALIDATION_SPLIT: f64 = 0.5;
/// Largest probability that a token of an instruction is left out.
const MAX_TOKEN_DROPOUT: f64 = 0.9;
/// Longest block or row, in tokens.
const MAX_ROW_TOKENS: usize = 1 << 17;
const BLOCK_SIZE: usize = 128;
const ROW_TOKENS: usize = 512;
/// Largest width of a new model.
const MAX_WIDTH: usize = 1 << 16;
const MAX_LAYERS: usize = 512;
const MAX_HEADS: usize = 1024;
const MAX_POSITIONS: usize = 1 << 20;
const MAX_RANK: usize = 1024;
const MAX_INITIALIZER_RANGE: f64 = 10.0;
const MAX_ROPE_THETA: f64 = 1e12;
const MAX_LORA_ALPHA: f64 = 1e6;
/// Most entries of `lora.target_modules`; a model has seven modules, which may be named twice.
const MAX_TARGET_MODULES: usize = 64;
/// PEFT's defaults.
const RANK: usize = 8;
const ALPHA: f64 = 8.0;
/// Hugging Face's defaults for Llama.
const ROPE_THETA: f64 = 10_000.0;
const INITIALIZER_RANGE: f64 = 0.02;
const RMS_NORM_EPS: f64 = 1e-6;

impl TryFrom<&proto::TrainingSpec> for Spec {
    type Error = Error;

    fn try_from(from: &proto::TrainingSpec) -> Result<Self, Error> {
        let method = method(from)?;
        let mut objective = objective(from)?;
        let start = start(from, &mut objective, &method)?;
        let validation = validation(from)?;
        let unset = proto::TrainingArguments::default();
        let given = from.arguments.as_ref().unwrap_or(&unset);
        Ok(Self {
            output: output(from, &method)?,
            dataset: reference(SPEC, "dataset", &[Kind::Dataset], &from.dataset)?,
            arguments: arguments(given, &validation, &method)?,
            validation,
            start,
            default_length: leaves_length_open(from),
            objective,
            method,
        })
    }
}

fn output(from: &proto::TrainingSpec, method: &Method) -> Result<AliasName, Error> {
    let (kind, why) = match method {
        Method::Lora(_) => (Kind::Adapter, "LoRA makes an adapter"),
        Method::Bottleneck(_) => (Kind::Adapter, "bottlenecks make an adapter"),
        Method::VirtualTokens(_) => (Kind::Adapter, "virtual tokens make an adapter"),
        Method::Full => (Kind::BaseModel, "full training makes a base model"),
    };
    let message = || format!("must be {}/{{id}}, because {why}", kind.collection());
    names::alias(kind, &from.output).ok_or_else(|| SPEC.invalid("output", message()))
}

fn reference(fields: Fields, field: &str, kinds: &[Kind], name: &str) -> Result<ArtifactName, Error> {
    let aliases: Vec<String> = kinds.iter().map(|kind| format!("{}/{{id}}", kind.collection())).collect();
    let message = || format!("must be {}, a version of it, or a digest sha256:…", aliases.join(" or "));
    names::reference(kinds, name).ok_or_else(|| fields.invalid(field, message()))
}

fn validation(from: &proto::TrainingSpec) -> Result<Validation, Error> {
    let range = 0.0..=MAX_VALIDATION_SPLIT;
    let split = SPEC.number("validation_split", from.validation_split, range, "from 0 to 0.5")?;
    match (from.validation_dataset.as_str(), split) {
        ("", 0.0) => Ok(Validation::None),
        ("", split) => Ok(Validation::Split(split)),
        (name, 0.0) => reference(SPEC, "validation_dataset", &[Kind::Dataset], name).map(Validation::Dataset),
        _ => Err(SPEC.invalid("validation_split", "must be 0 when validation_dataset is set")),
    }
}

fn start(from: &proto::TrainingSpec, objective: &mut Objective, method: &Method) -> Result<Start, Error> {
    match &from.start {
        None => Err(SPEC.invalid("start", "is missing; set base_model or new_model")),
        Some(proto::training_spec::Start::BaseModel(name)) => {
            reference(SPEC, "base_model", &[Kind::BaseModel], name).map(Start::Base)
        }
        Some(proto::training_spec::Start::NewModel(model)) => {
            if matches!(objective, Objective::Supervised { .. }) {
                let message = "can't learn from instructions before it has learnt language; \
                               train it with causal first, then set base_model";
                return Err(SPEC.invalid("new_model", message));
            }
            if *method != Method::Full {
                let message =
                    "has only random weights, which an adapter would freeze; set full, or base_model";
                return Err(SPEC.invalid("new_model", message));
            }
            let model = new_model(model)?;
            if leaves_length_open(from) {
                objective.shorten(model.max_position_embeddings);
            }
            fits_together(&model, objective)?;
            Ok(Start::New(model))
        }
    }
}

fn new_model(from: &proto::NewModel) -> Result<NewModel, Error> {
    let heads = NEW_MODEL.required_size("num_attention_heads", from.num_attention_heads, MAX_HEADS)?;
    let theta = or_default(from.rope_theta, ROPE_THETA);
    let range = or_default(from.initializer_range, INITIALIZER_RANGE);
    Ok(NewModel {
        tokenizer: reference(NEW_MODEL, "tokenizer", &[Kind::Tokenizer, Kind::BaseModel], &from.tokenizer)?,
        hidden_size: NEW_MODEL.required_size("hidden_size", from.hidden_size, MAX_WIDTH)?,
        intermediate_size: NEW_MODEL.required_size("intermediate_size", from.intermediate_size, MAX_WIDTH)?,
        num_hidden_layers: NEW_MODEL.required_size(
            "num_hidden_layers",
            from.num_hidden_layers,
            MAX_LAYERS,
        )?,
        num_attention_heads: heads,
        num_key_value_heads: NEW_MODEL.size("num_key_value_heads", from.num_key_value_heads, heads, heads)?,
        max_position_embeddings: NEW_MODEL.required_size(
            "max_position_embeddings",
            from.max_position_embeddings,
            MAX_POSITIONS,
        )?,
        rope_theta: NEW_MODEL.number("rope_theta", theta, 1.0..=MAX_ROPE_THETA, "0 or from 1 to 1e12")?,
        tie_word_embeddings: from.tie_word_embeddings,
        initializer_range: NEW_MODEL.number(
            "initializer_range",
            range,
            0.0..=MAX_INITIALIZER_RANGE,
            "from 0 to 10",
        )?,
    })
}

fn fits_together(model: &NewModel, objective: &Objective) -> Result<(), Error> {
    let heads = model.num_attention_heads;
    if !model.hidden_size.is_multiple_of(2 * heads) {
        let message = format!(
            "is {}, but must be a multiple of 2 x num_attention_heads = {}",
            model.hidden_size,
            2 * heads
        );
        return Err(NEW_MODEL.invalid("hidden_size", message));
    }
    if !heads.is_multiple_of(model.num_key_value_heads) {
        let message =
            format!("is {}, but must divide num_attention_heads = {heads}", model.num_key_value_heads);
        return Err(NEW_MODEL.invalid("num_key_value_heads", message));
    }
    let (longest, field) = objective.longest();
    let positions = model.max_position_embeddings;
    if longest > positions {
        let message = format!("is {longest}, but the model has max_position_embeddings = {positions}");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

fn objective(from: &proto::TrainingSpec) -> Result<Objective, Error> {
    match &from.objective {
        None => Err(SPEC.invalid("objective", "is missing; set causal, supervised or infilling")),
        Some(proto::training_spec::Objective::Causal(causal)) => {
            let block_size = row_tokens(CAUSAL, "block_size", causal.block_size, BLOCK_SIZE)?;
            Ok(Objective::Causal { block_size })
        }
        Some(proto::training_spec::Objective::Supervised(supervised)) => {
            let template = PromptTemplate::parse(&supervised.prompt_template);
            Ok(Objective::Supervised {
                prompt_template: template
                    .map_err(|error| SUPERVISED.invalid("prompt_template", error.to_string()))?,
                max_length: row_tokens(SUPERVISED, "max_length", supervised.max_length, ROW_TOKENS)?,
                instruction_token_dropout: SUPERVISED.number(
                    "instruction_token_dropout",
                    supervised.instruction_token_dropout,
                    0.0..=MAX_TOKEN_DROPOUT,
                    "from 0 to 0.9",
                )?,
            })
        }
        Some(proto::training_spec::Objective::Infilling(written)) => {
            infilling(written, row_tokens(INFILLING, "max_length", written.max_length, BLOCK_SIZE)?)
        }
    }
}

/// Whether the length of blocks or rows is the default, which gives way to a shorter context.
fn leaves_length_open(from: &proto::TrainingSpec) -> bool {
    match &from.objective {
        None => false,
        Some(proto::training_spec::Objective::Causal(causal)) => causal.block_size == 0,
        Some(proto::training_spec::Objective::Supervised(supervised)) => supervised.max_length == 0,
        Some(proto::training_spec::Objective::Infilling(infilling)) => infilling.max_length == 0,
    }
}

fn row_tokens(fields: Fields, field: &str, value: i32, default: usize) -> Result<usize, Error> {
    match fields.size(field, value, default, MAX_ROW_TOKENS)? {
        tokens if tokens < MIN_ROW_TOKENS => {
            Err(fields.invalid(field, "must be at least 2: a token and its next"))
        }
        tokens => Ok(tokens),
    }
}

fn method(from: &proto::TrainingSpec) -> Result<Method, Error> {
    match &from.method {
        None => Err(SPEC.invalid("method", "is missing; set full, lora, bottleneck, prefix or prompt")),
        Some(proto::training_spec::Method::Full(_)) => Ok(Method::Full),
        Some(proto::training_spec::Method::Bottleneck(written)) => {
            bottleneck(written).map(Method::Bottleneck)
        }
        Some(proto::training_spec::Method::Prompt(prompt)) => {
            prompt_tuning(prompt).map(Method::VirtualTokens)
        }
        Some(proto::training_spec::Method::Prefix(prefix)) => {
            prefix_tuning(prefix).map(Method::VirtualTokens)
        }
        Some(proto::training_spec::Method::Lora(lora)) => {
            let alpha = or_default(lora.lora_alpha, ALPHA);
            Ok(Method::Lora(Lora {
                r: LORA.size("r", lora.r, RANK, MAX_RANK)?,
                lora_alpha: LORA.number(
                    "lora_alpha",
                    alpha,
                    f64::MIN_POSITIVE..=MAX_LORA_ALPHA,
                    "above 0 and at most 1e6",
                )?,
                lora_dropout: LORA.number(
                    "lora_dropout",
                    lora.lora_dropout,
                    0.0..1.0,
                    "at least 0 and below 1",
                )?,
                target_modules: target_modules(&lora.target_modules)?,
                use_rslora: lora.use_rslora,
            }))
        }
    }
}

fn target_modules(names: &[String]) -> Result<Vec<String>, Error> {
    if names.len() > MAX_TARGET_MODULES {
        let message = format!("has {} entries, but must have at most {MAX_TARGET_MODULES}", names.len());
        return Err(LORA.invalid("target_modules", message));
    }
    let known: Vec<&str> = Projection::ALL.iter().map(|projection| projection.name()).collect();
    if let Some((i, name)) = names.iter().enumerate().find(|(_, name)| !known.contains(&name.as_str())) {
        let shown: String = name.chars().take(32).collect();
        let message = format!("\"{shown}\" is no module of the model; known are {}", known.join(" "));
        return Err(Error::invalid(format!("spec.lora.target_modules[{i}]"), message));
    }
    let default = [Projection::Q.name(), Projection::V.name()];
    let chosen =
        |name: &&str| if names.is_empty() { default.contains(name) } else { names.iter().any(|n| n == name) };
    Ok(known.into_iter().filter(chosen).map(str::to_owned).collect())
}

/// The configuration of a new model with a tokenizer of `vocab_size` ids.
pub(crate) fn model_config(
    model: &NewModel,
    vocab_size: usize,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
) -> Config {
    Config {
        family: Family::Llama,
        vocab_size,
        hidden_size: model.hidden_size,
        intermediate_size: model.intermediate_size,
        num_hidden_layers: model.num_hidden_layers,
        num_attention_heads: model.num_attention_heads,
        num_key_value_heads: model.num_key_value_heads,
        head_dim: model.hidden_size / model.num_attention_heads,
        max_position_embeddings: model.max_position_embeddings,
        rms_norm_eps: RMS_NORM_EPS,
        rope_theta: model.rope_theta,
        rope_scaling: RopeScaling::None,
        attention_bias: false,
        mlp_bias: false,
        layers: Layers::default(),
        tie_word_embeddings: model.tie_word_embeddings,
        bos_token_id,
        eos_token_ids: eos_token_id.into_iter().collect(),
        initializer_range: model.initializer_range,
        torch_dtype: Some("float32".to_owned()),
    }
}

/// PEFT's configuration of the adapter; `base_digest` stands where PEFT has the base model's name.
pub(crate) fn lora_config(lora: &Lora, base_digest: &str) -> LoraConfig {
    LoraConfig {
        r: lora.r,
        lora_alpha: lora.lora_alpha,
        lora_dropout: lora.lora_dropout,
        target_modules: lora.target_modules.clone().into(),
        use_rslora: lora.use_rslora,
        base_model_name_or_path: Some(base_digest.to_owned()),
        ..LoraConfig::default()
    }
}

/// The format of the products of trained weights, which are f32 themselves.
pub(crate) fn product_format(choice: WeightDtype) -> Format {
    if choice == WeightDtype::Bf16 { Format::Bf16 } else { Format::F32 }
}

/// The number format in which frozen weights are held; `stored` is what the base model's config names.
pub(crate) fn weight_dtype(choice: WeightDtype, stored: Option<&str>) -> DType {
    match (choice, stored) {
        (WeightDtype::Bf16, _) | (WeightDtype::AsStored, Some("bfloat16")) => DType::BF16,
        _ => DType::F32,
    }
}
