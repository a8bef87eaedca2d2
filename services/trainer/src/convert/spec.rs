//! TrainingSpec: what goes together and what doesn't, and the configurations that follow from it.

use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_model::{Config, Family, Format, Layers, RopeScaling};
use rootstock_proto::training::v1 as proto;

use super::{
    added_tokens::added_tokens,
    arguments::arguments,
    bottleneck::bottleneck,
    encoder::{self, CLASSIFICATION, MASKED, classification, masked, new_encoder},
    forgetting::{check_fisher, elastic, fisher, replay, retention},
    full::full,
    infilling::{INFILLING, infilling},
    lora::lora,
    numbers::{Fields, or_default},
    publication::publication,
    stages::{Beside, common_data, stages},
    supervised::{SUPERVISED, supervised},
    virtual_tokens::{prefix_tuning, prompt_tuning},
};
use crate::{
    error::Error,
    names,
    spec::{Full, MIN_ROW_TOKENS, Method, NewModel, Objective, Spec, Start, Validation, WeightDtype},
};

pub(super) const SPEC: Fields = Fields { path: "spec" };
const NEW_MODEL: Fields = Fields { path: "spec.new_model" };
const CAUSAL: Fields = Fields { path: "spec.causal" };

/// Furthest that a priority may be from 0.
const MAX_PRIORITY: i32 = 100;
/// Largest share of the data held out for validation.
const MAX_VALIDATION_SPLIT: f64 = 0.5;
/// Longest block or row, in tokens.
const MAX_ROW_TOKENS: usize = 1 << 17;
const BLOCK_SIZE: usize = 128;
const ROW_TOKENS: usize = 512;
/// Largest width of a new model.
pub(super) const MAX_WIDTH: usize = 1 << 16;
pub(super) const MAX_LAYERS: usize = 512;
pub(super) const MAX_HEADS: usize = 1024;
pub(super) const MAX_POSITIONS: usize = 1 << 20;
pub(super) const MAX_INITIALIZER_RANGE: f64 = 10.0;
const MAX_ROPE_THETA: f64 = 1e12;
/// Families of which a new model can be made.
const NEW_FAMILIES: [Family; 4] = [Family::Llama, Family::Mistral, Family::Qwen2, Family::Qwen3];
/// Hugging Face's default for Mistral.
const WINDOW: usize = 4096;
/// Hugging Face's defaults for all of them.
const ROPE_THETA: f64 = 10_000.0;
pub(super) const INITIALIZER_RANGE: f64 = 0.02;
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
        if objective.is_of_encoders() {
            encoder::check_method(&method)?;
            encoder::check_arguments(given)?;
        }
        let mut arguments = arguments(given, &validation, &method)?;
        let beside =
            Beside { start: &start, objective: &objective, method: &method, validation: &validation };
        let stages = stages(from, &beside)?;
        let data = common_data(from, &stages, &objective)?;
        if matches!(method, Method::Fisher(_)) {
            check_fisher(from, (&start, &objective, &validation))?;
            arguments.batch_size = 1;
        }
        Ok(Self {
            output: output(from, &method)?,
            data,
            arguments,
            elastic: elastic(from, &method, &start)?,
            replay: replay(from)?,
            retention: retention(from, &start)?,
            validation,
            added_tokens: added_tokens(from, &start, &method, &objective)?,
            default_length: leaves_length_open(from),
            priority: priority(from.priority)?,
            publication: publication(from, &method, &objective)?,
            keep_optimizer_state: keeps_optimizer_state(from, (&start, &method))?,
            stages,
            start,
            objective,
            method,
        })
    }
}

/// A job's place among those that wait.
fn priority(priority: i32) -> Result<i32, Error> {
    if (-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
        return Ok(priority);
    }
    Err(SPEC.invalid("priority", format!("is {priority}; must be in [-{MAX_PRIORITY}, {MAX_PRIORITY}]")))
}

fn output(from: &proto::TrainingSpec, method: &Method) -> Result<AliasName, Error> {
    let (kind, why) = match method {
        Method::Lora(_) => (Kind::Adapter, "LoRA makes an adapter"),
        Method::Bottleneck(_) => (Kind::Adapter, "bottlenecks make an adapter"),
        Method::VirtualTokens(_) => (Kind::Adapter, "virtual tokens make an adapter"),
        Method::Full(_) => (Kind::BaseModel, "full training makes a base model"),
        Method::Fisher(_) => (Kind::Fisher, "Fisher information is what is measured"),
    };
    let message = || format!("must be {}/{{id}}, because {why}", kind.collection());
    names::alias(kind, &from.output).ok_or_else(|| SPEC.invalid("output", message()))
}

pub(super) fn reference(
    fields: Fields,
    field: &str,
    kinds: &[Kind],
    name: &str,
) -> Result<ArtifactName, Error> {
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
        None => {
            Err(SPEC.invalid("start", "is missing; set base_model, base_adapter, new_model or new_encoder"))
        }
        Some(proto::training_spec::Start::BaseAdapter(name)) => {
            goes_on_with_adapter(from)?;
            reference(SPEC, "base_adapter", &[Kind::Adapter], name).map(Start::Adapter)
        }
        Some(proto::training_spec::Start::BaseModel(name)) => {
            reference(SPEC, "base_model", &[Kind::BaseModel], name).map(Start::Base)
        }
        Some(proto::training_spec::Start::NewModel(model)) => {
            if matches!(objective, Objective::Supervised { .. }) {
                let message = "can't learn from instructions before it has learnt language; \
                               train it with causal first, then set base_model";
                return Err(SPEC.invalid("new_model", message));
            }
            if objective.is_of_encoders() {
                let message =
                    format!("is a decoder, which can't learn {}; describe a new_encoder", objective.name());
                return Err(SPEC.invalid("new_model", message));
            }
            if *method != Method::Full(Full::default()) {
                let message = "has only random weights, all of which are to be trained; set full without more, or base_model";
                return Err(SPEC.invalid("new_model", message));
            }
            let model = new_model(model)?;
            if leaves_length_open(from) {
                objective.shorten(model.max_position_embeddings);
            }
            fits_together(&model, objective)?;
            Ok(Start::New(model))
        }
        Some(proto::training_spec::Start::NewEncoder(model)) => {
            if !objective.is_of_encoders() {
                let message =
                    format!("is an encoder, which can't learn {}; describe a new_model", objective.name());
                return Err(SPEC.invalid("new_encoder", message));
            }
            encoder::check_frozen(objective)?;
            let model = new_encoder(model)?;
            if leaves_length_open(from) {
                objective.shorten(model.max_position_embeddings);
            }
            fits_positions(objective, model.max_position_embeddings)?;
            Ok(Start::NewEncoder(model))
        }
    }
}

/// Whether the optimizer of an earlier job is gone on with, which must have trained what this one does.
fn keeps_optimizer_state(from: &proto::TrainingSpec, what: (&Start, &Method)) -> Result<bool, Error> {
    let of_a_job = matches!(what, (Start::Base(_), Method::Full(_)) | (Start::Adapter(_), Method::Lora(_)));
    if !from.keep_optimizer_state || of_a_job {
        return Ok(from.keep_optimizer_state);
    }
    let message =
        "goes on with what a job before has trained; set base_model and full, or base_adapter and lora";
    Err(SPEC.invalid("keep_optimizer_state", message))
}

/// An adapter that is gone on with has its configuration already.
fn goes_on_with_adapter(from: &proto::TrainingSpec) -> Result<(), Error> {
    let Some(proto::training_spec::Method::Lora(lora)) = &from.method else {
        return Err(SPEC.invalid("base_adapter", "is gone on with by LoRA alone; set lora, or base_model"));
    };
    if *lora == (proto::LoraMethod { lora_dropout: lora.lora_dropout, ..Default::default() }) {
        return Ok(());
    }
    let message = "must set nothing but lora_dropout: base_adapter keeps the configuration that it has";
    Err(SPEC.invalid("lora", message))
}

fn new_model(from: &proto::NewModel) -> Result<NewModel, Error> {
    let family = family(&from.model_type)?;
    let heads = NEW_MODEL.required_size("num_attention_heads", from.num_attention_heads, MAX_HEADS)?;
    let hidden_size = NEW_MODEL.required_size("hidden_size", from.hidden_size, MAX_WIDTH)?;
    let theta = or_default(from.rope_theta, ROPE_THETA);
    let range = or_default(from.initializer_range, INITIALIZER_RANGE);
    Ok(NewModel {
        tokenizer: reference(NEW_MODEL, "tokenizer", &[Kind::Tokenizer, Kind::BaseModel], &from.tokenizer)?,
        family,
        hidden_size,
        intermediate_size: NEW_MODEL.required_size("intermediate_size", from.intermediate_size, MAX_WIDTH)?,
        num_hidden_layers: NEW_MODEL.required_size(
            "num_hidden_layers",
            from.num_hidden_layers,
            MAX_LAYERS,
        )?,
        num_attention_heads: heads,
        num_key_value_heads: NEW_MODEL.size("num_key_value_heads", from.num_key_value_heads, heads, heads)?,
        head_dim: head_dim(from.head_dim, hidden_size, heads)?,
        max_position_embeddings: NEW_MODEL.required_size(
            "max_position_embeddings",
            from.max_position_embeddings,
            MAX_POSITIONS,
        )?,
        sliding_window: sliding_window(from.sliding_window, family)?,
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

fn family(model_type: &str) -> Result<Family, Error> {
    if model_type.is_empty() {
        return Ok(Family::default());
    }
    let known = NEW_FAMILIES.map(Family::model_type).join(", ");
    let message = || format!("must be one of {known}; a BERT is described by new_encoder");
    let found = NEW_FAMILIES.into_iter().find(|family| family.model_type() == model_type);
    found.ok_or_else(|| NEW_MODEL.invalid("model_type", message()))
}

/// The width of a head: an equal part of the residual stream unless another one is given.
fn head_dim(given: i32, hidden_size: usize, heads: usize) -> Result<usize, Error> {
    if given == 0 && !hidden_size.is_multiple_of(2 * heads) {
        let message = format!(
            "is {hidden_size}, but must be a multiple of 2 x num_attention_heads = {}, unless head_dim is set",
            2 * heads
        );
        return Err(NEW_MODEL.invalid("hidden_size", message));
    }
    match NEW_MODEL.size("head_dim", given, hidden_size / heads, MAX_WIDTH / heads)? {
        dim if dim.is_multiple_of(2) => Ok(dim),
        dim => {
            let message = format!("is {dim}, but must be even, because rotary embedding turns pairs");
            Err(NEW_MODEL.invalid("head_dim", message))
        }
    }
}

fn sliding_window(given: i32, family: Family) -> Result<Option<usize>, Error> {
    match family {
        Family::Mistral => NEW_MODEL.size("sliding_window", given, WINDOW, MAX_POSITIONS).map(Some),
        _ if given == 0 => Ok(None),
        _ => {
            let message = format!(
                "is mistral's; take it out, or set model_type mistral instead of {}",
                family.model_type()
            );
            Err(NEW_MODEL.invalid("sliding_window", message))
        }
    }
}

fn fits_together(model: &NewModel, objective: &Objective) -> Result<(), Error> {
    let heads = model.num_attention_heads;
    if !heads.is_multiple_of(model.num_key_value_heads) {
        let message =
            format!("is {}, but must divide num_attention_heads = {heads}", model.num_key_value_heads);
        return Err(NEW_MODEL.invalid("num_key_value_heads", message));
    }
    fits_positions(objective, model.max_position_embeddings)
}

fn fits_positions(objective: &Objective, positions: usize) -> Result<(), Error> {
    let (longest, field) = objective.longest();
    if longest > positions {
        let message = format!("is {longest}, but the model has max_position_embeddings = {positions}");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

fn objective(from: &proto::TrainingSpec) -> Result<Objective, Error> {
    match &from.objective {
        None => Err(SPEC
            .invalid("objective", "is missing; set causal, supervised, infilling, masked or classification")),
        Some(proto::training_spec::Objective::Causal(causal)) => {
            let block_size = row_tokens(CAUSAL, "block_size", causal.block_size, BLOCK_SIZE)?;
            Ok(Objective::Causal { block_size })
        }
        Some(proto::training_spec::Objective::Supervised(written)) => {
            supervised(written, row_tokens(SUPERVISED, "max_length", written.max_length, ROW_TOKENS)?)
        }
        Some(proto::training_spec::Objective::Infilling(written)) => {
            infilling(written, row_tokens(INFILLING, "max_length", written.max_length, BLOCK_SIZE)?)
        }
        Some(proto::training_spec::Objective::Masked(written)) => {
            masked(written, row_tokens(MASKED, "block_size", written.block_size, BLOCK_SIZE)?)
        }
        Some(proto::training_spec::Objective::Classification(written)) => {
            let max_length = row_tokens(CLASSIFICATION, "max_length", written.max_length, ROW_TOKENS)?;
            classification(written, max_length)
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
        Some(proto::training_spec::Objective::Masked(masked)) => masked.block_size == 0,
        Some(proto::training_spec::Objective::Classification(written)) => written.max_length == 0,
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
        None => {
            Err(SPEC.invalid("method", "is missing; set full, lora, bottleneck, prefix, prompt or fisher"))
        }
        Some(proto::training_spec::Method::Full(written)) => full(written).map(Method::Full),
        Some(proto::training_spec::Method::Lora(written)) => lora(written).map(Method::Lora),
        Some(proto::training_spec::Method::Bottleneck(written)) => {
            bottleneck(written).map(Method::Bottleneck)
        }
        Some(proto::training_spec::Method::Prompt(prompt)) => {
            prompt_tuning(prompt).map(Method::VirtualTokens)
        }
        Some(proto::training_spec::Method::Prefix(prefix)) => {
            prefix_tuning(prefix).map(Method::VirtualTokens)
        }
        Some(proto::training_spec::Method::Fisher(written)) => fisher(written).map(Method::Fisher),
    }
}

/// The configuration of a new model with a tokenizer of `vocab_size` ids.
pub(crate) fn model_config(
    model: &NewModel,
    vocab_size: usize,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
) -> Config {
    Config {
        family: model.family,
        vocab_size,
        hidden_size: model.hidden_size,
        intermediate_size: model.intermediate_size,
        num_hidden_layers: model.num_hidden_layers,
        num_attention_heads: model.num_attention_heads,
        num_key_value_heads: model.num_key_value_heads,
        head_dim: model.head_dim,
        max_position_embeddings: model.max_position_embeddings,
        rms_norm_eps: RMS_NORM_EPS,
        rope_theta: model.rope_theta,
        rope_scaling: RopeScaling::None,
        attention_bias: false,
        mlp_bias: false,
        layers: Layers { sliding_window: model.sliding_window, ..Layers::default() },
        tie_word_embeddings: model.tie_word_embeddings,
        bos_token_id,
        eos_token_ids: eos_token_id.into_iter().collect(),
        initializer_range: model.initializer_range,
        torch_dtype: Some("float32".to_owned()),
    }
}

/// The format of the products of trained weights, which are f32 themselves.
pub(crate) fn product_format(choice: WeightDtype) -> Format {
    match choice {
        WeightDtype::AsStored | WeightDtype::F32 => Format::F32,
        WeightDtype::Bf16 => Format::Bf16,
        WeightDtype::F16 => Format::F16,
    }
}

/// The number format in which frozen weights are held; `stored` is what the base model's config names.
pub(crate) fn frozen_format(choice: WeightDtype, stored: Option<&str>) -> Format {
    match (choice, stored) {
        (WeightDtype::AsStored, Some("bfloat16")) => Format::Bf16,
        _ => product_format(choice),
    }
}
