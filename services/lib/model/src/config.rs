//! The shape of a model, read from and written as Hugging Face's `config.json`, refusing what this decoder can't compute.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{Projection, config::fields::Fields};
pub use rootstock_kernels::RopeScaling;
use rootstock_kernels::{Heads, Sight};

mod any;
mod family;
pub(crate) mod fields;
mod layers;
mod limits;
mod rope;

pub use any::AnyConfig;
pub use family::Family;
pub use layers::Layers;
pub use limits::{MAX_LAYERS, MAX_WIDTH};

/// The fields of Hugging Face's `LlamaConfig`, and of those of the other families, that decide what is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which family the model belongs to.
    pub family: Family,
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
    /// Whether the attention's projections have biases, which all families but Qwen 2 leave to the configuration; there, all but the
    /// output's have them.
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward block have biases.
    pub mlp_bias: bool,
    /// How the layers differ.
    pub layers: Layers,
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
    #[error("config.json: {field} is {found}, which is not supported; supported are {supported}")]
    Architecture {
        /// The field that names the family.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        supported: String,
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
        let family = Family::parse(&fields)?;
        fields.refuse_unsupported()?;
        let (hidden_size, num_hidden_layers) =
            (fields.size("hidden_size")?, fields.size("num_hidden_layers")?);
        let num_attention_heads = fields.size("num_attention_heads")?;
        let head_dim = family.head_dim().unwrap_or(hidden_size / num_attention_heads);
        let positions = fields.size_or("max_position_embeddings", family.max_position_embeddings())?;
        let (rope_theta, rope_scaling) = rope::parse(&fields, family.rope_theta(), positions)?;
        let mut config = Self {
            family,
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: key_value_heads(&fields, family, num_attention_heads)?,
            head_dim: fields.size_or("head_dim", head_dim)?,
            max_position_embeddings: positions,
            rms_norm_eps: fields.number_or("rms_norm_eps", 1e-6)?,
            rope_theta,
            rope_scaling,
            attention_bias: bias(&fields, "attention_bias", family.chooses_attention_bias())?,
            mlp_bias: bias(&fields, "mlp_bias", family.chooses_mlp_bias())?,
            layers: Layers::default(),
            tie_word_embeddings: fields.flag_or("tie_word_embeddings", family.ties_word_embeddings())?,
            bos_token_id: fields.token_ids("bos_token_id")?.first().copied(),
            eos_token_ids: fields.token_ids("eos_token_id")?,
            initializer_range: fields.number_or("initializer_range", 0.02)?,
            torch_dtype: fields.text("torch_dtype").or_else(|| fields.text("dtype")).map(str::to_owned),
        };
        config.validate()?;
        config.layers = Layers::parse(&fields, family, num_hidden_layers)?;
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
        put("architectures", json!([self.family.architecture()]));
        put("attention_dropout", json!(0.0));
        put("bos_token_id", json!(self.bos_token_id));
        put("eos_token_id", eos_json(&self.eos_token_ids));
        put("head_dim", json!(self.head_dim));
        put("hidden_act", json!("silu"));
        put("hidden_size", json!(self.hidden_size));
        put("initializer_range", json!(self.initializer_range));
        put("intermediate_size", json!(self.intermediate_size));
        put("max_position_embeddings", json!(self.max_position_embeddings));
        put("model_type", json!(self.family.model_type()));
        put("num_attention_heads", json!(self.num_attention_heads));
        put("num_hidden_layers", json!(self.num_hidden_layers));
        put("num_key_value_heads", json!(self.num_key_value_heads));
        put("rms_norm_eps", json!(self.rms_norm_eps));
        put("rope_scaling", rope::scaling_json(&self.rope_scaling));
        put("rope_theta", json!(self.rope_theta));
        put("tie_word_embeddings", json!(self.tie_word_embeddings));
        put("torch_dtype", json!(self.torch_dtype.as_deref().unwrap_or("float32")));
        put("vocab_size", json!(self.vocab_size));
        if self.family.chooses_attention_bias() {
            put("attention_bias", json!(self.attention_bias));
        }
        if self.family.chooses_mlp_bias() {
            put("mlp_bias", json!(self.mlp_bias));
        }
        self.layers.write(self, &mut fields);
        format!("{:#}\n", Value::Object(fields))
    }

    /// Every weight of the model, in forward order; the tied output projection is left out.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let spec = |name: &str, shape: &[usize]| TensorSpec { name: name.to_owned(), shape: shape.to_vec() };
        let mut specs = vec![spec(EMBEDDING, &[self.vocab_size, self.hidden_size])];
        for layer in 0..self.num_hidden_layers {
            specs.push(spec(&input_norm_name(layer), &[self.hidden_size]));
            Projection::ALL[..4].iter().for_each(|p| self.add_projection(*p, layer, &mut specs));
            if self.family.norms_heads() {
                specs.extend(head_norm_names(layer).map(|name| spec(&name, &[self.head_dim])));
            }
            specs.push(spec(&post_attention_norm_name(layer), &[self.hidden_size]));
            Projection::ALL[4..].iter().for_each(|p| self.add_projection(*p, layer, &mut specs));
        }
        specs.push(spec(FINAL_NORM, &[self.hidden_size]));
        if !self.tie_word_embeddings {
            specs.push(spec(HEAD, &[self.vocab_size, self.hidden_size]));
        }
        specs
    }

    /// Whether weight files may hold a tensor of this name that nobody reads, because what it says follows from the rest: a stored
    /// copy of a tied output projection, and the frequencies that older checkpoints hold.
    pub fn passes_over(&self, name: &str) -> bool {
        name.ends_with(FREQUENCIES) || (name == HEAD && self.tie_word_embeddings)
    }

    /// Number of trainable numbers in the whole model.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    /// The heads of a layer.
    pub(crate) fn heads(&self, layer: usize) -> Heads {
        let sight = self.layers.window(layer).map_or(Sight::Past, Sight::Window);
        Heads {
            query: self.num_attention_heads,
            key_value: self.num_key_value_heads,
            dim: self.head_dim,
            sight,
        }
    }

    /// Whether a projection has a bias.
    pub fn has_bias(&self, projection: Projection) -> bool {
        match projection {
            Projection::Q | Projection::K | Projection::V if self.family == Family::Qwen2 => true,
            Projection::Q | Projection::K | Projection::V | Projection::O => self.attention_bias,
            Projection::Gate | Projection::Up | Projection::Down => self.mlp_bias,
        }
    }

    fn add_projection(&self, projection: Projection, layer: usize, specs: &mut Vec<TensorSpec>) {
        let (outputs, inputs) = projection.shape(self);
        specs.push(TensorSpec { name: projection.weight_name(layer), shape: vec![outputs, inputs] });
        if self.has_bias(projection) {
            specs.push(TensorSpec { name: projection.bias_name(layer), shape: vec![outputs] });
        }
    }
}

fn key_value_heads(fields: &Fields, family: Family, heads: usize) -> Result<usize, ConfigError> {
    // Where the field is null, all families mean as many as there are query heads.
    let absent = family.num_key_value_heads().filter(|_| !fields.has("num_key_value_heads"));
    fields.size_or("num_key_value_heads", absent.unwrap_or(heads))
}

/// A bias that may be asked for, or else must be off.
fn bias(fields: &Fields, field: &str, may: bool) -> Result<bool, ConfigError> {
    if may {
        return fields.flag_or(field, false);
    }
    fields.refuse_on(field)?;
    Ok(false)
}

/// Name of the token embedding table.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the last RMSNorm's weight.
pub const FINAL_NORM: &str = "model.norm.weight";
/// Name of the output projection, absent when tied to the embedding.
pub const HEAD: &str = "lm_head.weight";
/// How the names of stored rotary frequencies end.
const FREQUENCIES: &str = ".rotary_emb.inv_freq";

pub(crate) fn input_norm_name(layer: usize) -> String {
    format!("model.layers.{layer}.input_layernorm.weight")
}

pub(crate) fn post_attention_norm_name(layer: usize) -> String {
    format!("model.layers.{layer}.post_attention_layernorm.weight")
}

/// Names of the norms of queries and of keys.
pub(crate) fn head_norm_names(layer: usize) -> [String; 2] {
    ["q_norm", "k_norm"].map(|norm| format!("model.layers.{layer}.self_attn.{norm}.weight"))
}

fn eos_json(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

pub(crate) fn invalid(field: &str, problem: &str) -> ConfigError {
    ConfigError::Invalid { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
