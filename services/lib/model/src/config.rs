//! The shape of a Llama model, read from and written as Hugging Face's `config.json`, refusing what this decoder can't compute.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{Projection, config::fields::Fields};
use rootstock_kernels::Heads;
pub use rootstock_kernels::RopeScaling;

mod fields;
mod limits;
mod rope;

pub use limits::{MAX_LAYERS, MAX_WIDTH};

/// The `architectures` entry this decoder computes.
pub const SUPPORTED_ARCHITECTURE: &str = "LlamaForCausalLM";
/// The `model_type` this decoder computes.
pub const SUPPORTED_MODEL_TYPE: &str = "llama";

/// The fields of Hugging Face's `LlamaConfig` that decide what is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads per layer.
    pub num_attention_heads: usize,
    /// Key and value heads per layer; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest sequence the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies were stretched for longer contexts.
    pub rope_scaling: RopeScaling,
    /// Whether the output projection is the embedding table.
    pub tie_word_embeddings: bool,
    /// First token of a text, when the model has one.
    pub bos_token_id: Option<u32>,
    /// Tokens that end a text; possibly several, possibly none.
    pub eos_token_ids: Vec<u32>,
    /// Standard deviation of freshly drawn weights.
    pub initializer_range: f64,
    /// The dtype named for the stored weights (`torch_dtype` or `dtype`), kept for writing back.
    pub torch_dtype: Option<String>,
}

/// One weight of a model: its Hugging Face name and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Hugging Face name, e.g. `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
}

/// Why a `config.json` can't be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The bytes are not a JSON object.
    #[error("config.json is not a JSON object: {0}")]
    Json(String),
    /// The model is of another family.
    #[error(
        "config.json: {field} is {found}, which is not supported; supported are architectures \
         [\"{SUPPORTED_ARCHITECTURE}\"] with model_type \"{SUPPORTED_MODEL_TYPE}\""
    )]
    Architecture {
        /// The field that names the family.
        field: &'static str,
        /// What it says.
        found: String,
    },
    /// A needed field is absent.
    #[error("config.json: {field} is missing")]
    Missing {
        /// The field.
        field: String,
    },
    /// A field has a value this decoder can't compute with.
    #[error("config.json: {field} {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

impl Config {
    /// Parses Hugging Face's `config.json`.
    ///
    /// # Errors
    /// Names the field that is missing, out of range, or asks for something this decoder does not compute.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        let fields = Fields::parse(bytes)?;
        fields.check_architecture()?;
        fields.refuse_unsupported()?;
        let num_attention_heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        let (rope_theta, rope_scaling) = rope::parse(&fields)?;
        let config = Self {
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: fields.size_or("num_key_value_heads", num_attention_heads)?,
            head_dim: fields.size_or("head_dim", hidden_size / num_attention_heads)?,
            max_position_embeddings: fields.size_or("max_position_embeddings", 2048)?,
            rms_norm_eps: fields.number_or("rms_norm_eps", 1e-6)?,
            rope_theta,
            rope_scaling,
            tie_word_embeddings: fields.flag_or("tie_word_embeddings", false)?,
            bos_token_id: fields.token_ids("bos_token_id")?.first().copied(),
            eos_token_ids: fields.token_ids("eos_token_id")?,
            initializer_range: fields.number_or("initializer_range", 0.02)?,
            torch_dtype: fields.text("torch_dtype").or_else(|| fields.text("dtype")).map(str::to_owned),
        };
        config.validate()?;
        Ok(config)
    }

    /// Checks that the fields are in range and fit together; `from_json` has done so already.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn validate(&self) -> Result<(), ConfigError> {
        limits::check(self)
    }

    /// Writes the configuration as Hugging Face's `config.json`, indented, keys in a fixed order.
    pub fn to_json(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("architectures", json!([SUPPORTED_ARCHITECTURE]));
        put("attention_bias", json!(false));
        put("attention_dropout", json!(0.0));
        put("bos_token_id", json!(self.bos_token_id));
        put("eos_token_id", eos_json(&self.eos_token_ids));
        put("head_dim", json!(self.head_dim));
        put("hidden_act", json!("silu"));
        put("hidden_size", json!(self.hidden_size));
        put("initializer_range", json!(self.initializer_range));
        put("intermediate_size", json!(self.intermediate_size));
        put("max_position_embeddings", json!(self.max_position_embeddings));
        put("mlp_bias", json!(false));
        put("model_type", json!(SUPPORTED_MODEL_TYPE));
        put("num_attention_heads", json!(self.num_attention_heads));
        put("num_hidden_layers", json!(self.num_hidden_layers));
        put("num_key_value_heads", json!(self.num_key_value_heads));
        put("rms_norm_eps", json!(self.rms_norm_eps));
        put("rope_scaling", rope::scaling_json(&self.rope_scaling));
        put("rope_theta", json!(self.rope_theta));
        put("tie_word_embeddings", json!(self.tie_word_embeddings));
        put("torch_dtype", json!(self.torch_dtype.as_deref().unwrap_or("float32")));
        put("vocab_size", json!(self.vocab_size));
        format!("{:#}\n", Value::Object(fields))
    }

    /// Every weight of the model, in forward order; the tied output projection is left out.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let spec = |name: &str, shape: &[usize]| TensorSpec { name: name.to_owned(), shape: shape.to_vec() };
        let mut specs = vec![spec(EMBEDDING, &[self.vocab_size, self.hidden_size])];
        for layer in 0..self.num_hidden_layers {
            specs.push(spec(&input_norm_name(layer), &[self.hidden_size]));
            specs.extend(Projection::ALL[..4].iter().map(|p| self.projection_spec(*p, layer)));
            specs.push(spec(&post_attention_norm_name(layer), &[self.hidden_size]));
            specs.extend(Projection::ALL[4..].iter().map(|p| self.projection_spec(*p, layer)));
        }
        specs.push(spec(FINAL_NORM, &[self.hidden_size]));
        if !self.tie_word_embeddings {
            specs.push(spec(HEAD, &[self.vocab_size, self.hidden_size]));
        }
        specs
    }

    /// Number of trainable numbers in the whole model.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    pub(crate) fn heads(&self) -> Heads {
        Heads { query: self.num_attention_heads, key_value: self.num_key_value_heads, dim: self.head_dim }
    }

    fn projection_spec(&self, projection: Projection, layer: usize) -> TensorSpec {
        let (outputs, inputs) = projection.shape(self);
        TensorSpec { name: projection.weight_name(layer), shape: vec![outputs, inputs] }
    }
}

/// Name of the token embedding table.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the last RMSNorm's weight.
pub const FINAL_NORM: &str = "model.norm.weight";
/// Name of the output projection, absent when tied to the embedding.
pub const HEAD: &str = "lm_head.weight";

pub(crate) fn input_norm_name(layer: usize) -> String {
    format!("model.layers.{layer}.input_layernorm.weight")
}

pub(crate) fn post_attention_norm_name(layer: usize) -> String {
    format!("model.layers.{layer}.post_attention_layernorm.weight")
}

fn eos_json(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

fn invalid(field: &str, problem: &str) -> ConfigError {
    ConfigError::Invalid { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
