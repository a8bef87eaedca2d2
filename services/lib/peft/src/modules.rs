//! The modules of a base model that an adapter can change, by their paths in transformers' Llama.

use rootstock_model::{Config, Projection};

/// A module that can carry a LoRA pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// A linear map of a layer.
    Layer(usize, Projection),
    /// The token embedding.
    Embedding,
    /// The output projection.
    Head,
}

/// A module that an adapter can replace whole: PEFT's `modules_to_save`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SavedModule {
    /// The token embedding.
    Embedding,
    /// The output projection.
    Head,
}

impl Module {
    /// All of a base model, layer after layer in forward order and then both ends.
    pub fn all(base: &Config) -> impl Iterator<Item = Self> {
        let layer = |layer| Projection::ALL.map(|projection| Self::Layer(layer, projection));
        (0..base.num_hidden_layers).flat_map(layer).chain([Self::Embedding, Self::Head])
    }

    /// The module's path, e.g. `model.layers.0.self_attn.q_proj`.
    pub fn path(self) -> String {
        match self {
            Self::Layer(layer, projection) => projection.module_path(layer),
            Self::Embedding => "model.embed_tokens".to_owned(),
            Self::Head => "lm_head".to_owned(),
        }
    }

    /// `(out, in)` of the map that a pair is added to: A is [r, in], B [out, r]. An embedding maps tokens to its width.
    pub fn shape(self, base: &Config) -> (usize, usize) {
        match self {
            Self::Layer(_, projection) => projection.shape(base),
            Self::Embedding => (base.hidden_size, base.vocab_size),
            Self::Head => (base.vocab_size, base.hidden_size),
        }
    }
}

impl SavedModule {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Embedding, Self::Head];

    /// The module's own name, as in PEFT's `modules_to_save`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embed_tokens",
            Self::Head => "lm_head",
        }
    }
}

impl From<SavedModule> for Module {
    fn from(module: SavedModule) -> Self {
        match module {
            SavedModule::Embedding => Self::Embedding,
            SavedModule::Head => Self::Head,
        }
    }
}

/// Paths of the modules that no pair can be added to, which a pattern may reach and PEFT then refuses.
pub(crate) fn not_adaptable(base: &Config) -> impl Iterator<Item = String> {
    const OF_A_LAYER: [&str; 6] =
        ["", ".self_attn", ".mlp", ".mlp.act_fn", ".input_layernorm", ".post_attention_layernorm"];
    let layer = |layer| OF_A_LAYER.map(|module| format!("model.layers.{layer}{module}"));
    let others = ["model", "model.layers", "model.norm", "model.rotary_emb"].map(str::to_owned);
    others.into_iter().chain((0..base.num_hidden_layers).flat_map(layer))
}
