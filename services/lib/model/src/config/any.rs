//! The configuration of a model of any kind, for those who keep models without computing with them.

use serde_json::Value;

use super::{Config, ConfigError, family, fields::Fields};
use crate::{
    EncoderConfig, TensorSpec,
    encoder::config::{MODEL_TYPE, Task},
};

/// A decoder or an encoder.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyConfig {
    /// Generates, and is adapted.
    Decoder(Config),
    /// Tells masked tokens or sorts sequences.
    Encoder(EncoderConfig),
}

impl AnyConfig {
    /// Parses Hugging Face's `config.json`.
    ///
    /// # Errors
    /// Names the architecture that is not known, beside all that are, or what the model's own configuration complains of.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        let fields = Fields::parse(bytes)?;
        let named = |name: &Value| Task::ARCHITECTURES.iter().any(|known| name == known);
        let architectures = fields.get("architectures").and_then(Value::as_array);
        let encodes = fields.get("model_type").is_some_and(|found| found == MODEL_TYPE)
            || architectures.is_some_and(|names| names.iter().any(named));
        let parsed = if encodes {
            EncoderConfig::from_json(bytes).map(Self::Encoder)
        } else {
            Config::from_json(bytes).map(Self::Decoder)
        };
        parsed.map_err(|error| match error {
            ConfigError::Architecture { field, found, .. } => {
                let encoders = Task::supported();
                let supported = format!("{}, and {encoders}", family::supported());
                ConfigError::Architecture { field, found, supported }
            }
            other => other,
        })
    }

    /// Every weight of the model, in forward order.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        match self {
            Self::Decoder(config) => config.tensors(),
            Self::Encoder(config) => config.tensors(),
        }
    }

    /// Whether weight files may hold a tensor of this name that nobody reads.
    pub fn passes_over(&self, name: &str) -> bool {
        match self {
            Self::Decoder(config) => config.passes_over(name),
            Self::Encoder(config) => config.passes_over(name),
        }
    }

    /// The name in [`tensors`](Self::tensors) of what weight files call so.
    pub fn canonical(&self, name: &str) -> String {
        match self {
            Self::Decoder(_) => name.to_owned(),
            Self::Encoder(_) => EncoderConfig::canonical(name),
        }
    }

    /// Number of trainable numbers in the whole model.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Decoder(config) => config.parameters(),
            Self::Encoder(config) => config.parameters(),
        }
    }

    /// The longest sequence, in tokens.
    pub fn max_position_embeddings(&self) -> usize {
        match self {
            Self::Decoder(config) => config.max_position_embeddings,
            Self::Encoder(config) => config.max_position_embeddings,
        }
    }

    /// The same model with its weights stored as this dtype (`torch_dtype`).
    #[must_use]
    pub fn stored_as(&self, dtype: &str) -> Self {
        let torch_dtype = Some(dtype.to_owned());
        match self {
            Self::Decoder(config) => Self::Decoder(Config { torch_dtype, ..config.clone() }),
            Self::Encoder(config) => Self::Encoder(EncoderConfig { torch_dtype, ..config.clone() }),
        }
    }

    /// Writes the configuration as Hugging Face's `config.json`.
    pub fn to_json(&self) -> String {
        match self {
            Self::Decoder(config) => config.to_json(),
            Self::Encoder(config) => config.to_json(),
        }
    }

    /// Rows of the embedding table.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Decoder(config) => config.vocab_size,
            Self::Encoder(config) => config.vocab_size,
        }
    }
}
