//! The seven matrices of a layer that adapters attach to.

use crate::Config;

/// One of the seven linear maps of a Llama layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// Queries of the attention.
    Q,
    /// Keys of the attention.
    K,
    /// Values of the attention.
    V,
    /// Output of the attention.
    O,
    /// Gate of the feed-forward block.
    Gate,
    /// Up projection of the feed-forward block.
    Up,
    /// Down projection of the feed-forward block.
    Down,
}

impl Projection {
    /// All seven, in forward order.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// The module's own name, as in PEFT's `target_modules`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q => "q_proj",
            Self::K => "k_proj",
            Self::V => "v_proj",
            Self::O => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// The module's path in transformers' Llama, e.g. `model.layers.0.self_attn.q_proj`.
    pub fn module_path(self, layer: usize) -> String {
        let block = match self {
            Self::Q | Self::K | Self::V | Self::O => "self_attn",
            Self::Gate | Self::Up | Self::Down => "mlp",
        };
        format!("model.layers.{layer}.{block}.{}", self.name())
    }

    /// The name of the module's weight.
    pub fn weight_name(self, layer: usize) -> String {
        format!("{}.weight", self.module_path(layer))
    }

    /// The name of the module's bias, where it has one.
    pub fn bias_name(self, layer: usize) -> String {
        format!("{}.bias", self.module_path(layer))
    }

    /// `(out, in)` of the weight.
    pub fn shape(self, config: &Config) -> (usize, usize) {
        let queries = config.num_attention_heads * config.head_dim;
        let keys = config.num_key_value_heads * config.head_dim;
        match self {
            Self::Q => (queries, config.hidden_size),
            Self::K | Self::V => (keys, config.hidden_size),
            Self::O => (config.hidden_size, queries),
            Self::Gate | Self::Up => (config.intermediate_size, config.hidden_size),
            Self::Down => (config.hidden_size, config.intermediate_size),
        }
    }
}
