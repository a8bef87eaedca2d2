//! The families of decoders: what sets them apart is data, all of it here.

use serde_json::Value;

use super::{ConfigError, fields::Fields};

/// A family of models, as transformers names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3, SmolLM 1 and 2, and all else that has their shape.
    #[default]
    Llama,
    /// Mistral: a window on every layer.
    Mistral,
    /// Qwen 2 and 2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen 3: queries and keys are normed.
    Qwen3,
    /// SmolLM 3: some layers don't rotate.
    SmolLm3,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3, Self::SmolLm3];

    /// The entry of `architectures`.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::SmolLm3 => "SmolLM3ForCausalLM",
        }
    }

    /// The `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::SmolLm3 => "smollm3",
        }
    }

    /// Whether queries and keys are normed head by head.
    pub(crate) fn norms_heads(self) -> bool {
        self == Self::Qwen3
    }

    /// Whether its configuration says which projections have biases; elsewhere that is fixed.
    pub(super) fn chooses_attention_bias(self) -> bool {
        matches!(self, Self::Llama | Self::Qwen3 | Self::SmolLm3)
    }

    /// As [`chooses_attention_bias`](Self::chooses_attention_bias), for the feed-forward block.
    pub(super) fn chooses_mlp_bias(self) -> bool {
        matches!(self, Self::Llama | Self::SmolLm3)
    }

    /// The default of `head_dim`, where it is not the hidden size over the heads.
    pub(super) fn head_dim(self) -> Option<usize> {
        (self == Self::Qwen3).then_some(128)
    }

    /// The default of `rope_theta`.
    pub(super) fn rope_theta(self) -> f64 {
        if self == Self::SmolLm3 { 2e6 } else { 1e4 }
    }

    /// The default of `max_position_embeddings`.
    pub(super) fn max_position_embeddings(self) -> usize {
        match self {
            Self::Llama => 2048,
            Self::Mistral => 131_072,
            Self::Qwen2 | Self::Qwen3 | Self::SmolLm3 => 32_768,
        }
    }

    /// The default of `num_key_value_heads`, where it is not the number of query heads.
    pub(super) fn num_key_value_heads(self) -> Option<usize> {
        match self {
            Self::Llama => None,
            Self::Mistral => Some(8),
            Self::Qwen2 | Self::Qwen3 => Some(32),
            Self::SmolLm3 => Some(4),
        }
    }

    /// The default of `tie_word_embeddings`.
    pub(super) fn ties_word_embeddings(self) -> bool {
        self == Self::SmolLm3
    }

    /// The family that both fields name, or the one that is there.
    pub(super) fn parse(fields: &Fields) -> Result<Self, ConfigError> {
        let refusal = |field: &'static str, found: String| {
            let supported = supported();
            ConfigError::Architecture { field, found, supported }
        };
        let unsupported = |field: &'static str, found: &Value| refusal(field, found.to_string());
        let by_type = fields.get("model_type").map(|found| {
            let family = Self::ALL.into_iter().find(|family| found == family.model_type());
            family.ok_or_else(|| unsupported("model_type", found))
        });
        let by_architecture = fields.get("architectures").map(|found| {
            let names = found.as_array().map(Vec::as_slice).unwrap_or_default();
            let family = Self::ALL.into_iter().find(|f| names.iter().any(|name| name == f.architecture()));
            family.ok_or_else(|| unsupported("architectures", found))
        });
        match (by_architecture.transpose()?, by_type.transpose()?) {
            (Some(one), Some(other)) if one != other => Err(ConfigError::Invalid {
                field: "architectures".to_owned(),
                problem: format!("is {}, but model_type is \"{}\"", one.architecture(), other.model_type()),
            }),
            (Some(family), _) | (None, Some(family)) => Ok(family),
            (None, None) => Err(refusal("model_type", "missing".to_owned())),
        }
    }
}

/// The families there are, in words.
pub(crate) fn supported() -> String {
    let (architectures, types) = (Family::ALL.map(Family::architecture), Family::ALL.map(Family::model_type));
    format!("architectures {architectures:?} with model_type {types:?}")
}
