//! The names of an adapter's tensors in PEFT's files, in one place because loading, saving and training must agree on them.

use rootstock_model::Projection;

use crate::Module;

/// PEFT wraps the model twice; its file names keep both wrappers.
const PREFIX: &str = "base_model.model.";

/// One of the two matrices of a LoRA pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Half {
    /// The down projection, [r, in].
    A,
    /// The up projection, [out, r].
    B,
}

impl Half {
    /// Both, in forward order.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other half of the pair.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What a tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Half(Half),
    /// DoRA's magnitudes, [out].
    Magnitude,
    /// The module's weight, to be replaced: `modules_to_save`.
    Whole,
    /// A bias in the place of the base's, of a module without a pair.
    Bias,
    /// The same of a module with one.
    AdaptedBias,
    /// The base's own weight, which PEFT saves beside the pair of an embedding or a head.
    Copy,
}

impl From<Half> for Part {
    fn from(half: Half) -> Self {
        Self::Half(half)
    }
}

/// The name of a LoRA tensor in `adapter_model.safetensors`,
/// e.g. `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
pub fn tensor_name(layer: usize, projection: Projection, half: Half) -> String {
    part_name(Module::Layer(layer, projection), Part::Half(half))
}

pub(crate) fn part_name(module: Module, part: Part) -> String {
    let suffix = match (part, module) {
        // PEFT keeps an embedding's matrices as parameters, not as modules with a weight.
        (Part::Half(Half::A), Module::Embedding) => "lora_embedding_A",
        (Part::Half(Half::B), Module::Embedding) => "lora_embedding_B",
        (Part::Half(Half::A), _) => "lora_A.weight",
        (Part::Half(Half::B), _) => "lora_B.weight",
        (Part::Magnitude, _) => "lora_magnitude_vector",
        (Part::Whole, _) => "weight",
        (Part::Copy, _) => "base_layer.weight",
        (Part::Bias, _) => "bias",
        (Part::AdaptedBias, _) => "base_layer.bias",
    };
    format!("{PREFIX}{}.{suffix}", module.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_peft_writes() {
        let name = tensor_name(0, Projection::Q, Half::A);
        assert_eq!(name, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
        let name = tensor_name(11, Projection::Down, Half::A.other());
        assert_eq!(name, "base_model.model.model.layers.11.mlp.down_proj.lora_B.weight");
        for (module, part, name) in [
            (
                Module::Layer(0, Projection::V),
                Part::Magnitude,
                "model.layers.0.self_attn.v_proj.lora_magnitude_vector",
            ),
            (Module::Embedding, Part::Half(Half::A), "model.embed_tokens.lora_embedding_A"),
            (Module::Head, Part::Half(Half::B), "lm_head.lora_B.weight"),
            (Module::Head, Part::Whole, "lm_head.weight"),
            (Module::Embedding, Part::Copy, "model.embed_tokens.base_layer.weight"),
            (Module::Layer(1, Projection::K), Part::Bias, "model.layers.1.self_attn.k_proj.bias"),
            (
                Module::Layer(1, Projection::Q),
                Part::AdaptedBias,
                "model.layers.1.self_attn.q_proj.base_layer.bias",
            ),
        ] {
            assert_eq!(part_name(module, part), format!("base_model.model.{name}"));
        }
    }
}
