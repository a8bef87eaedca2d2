//! The names of LoRA tensors in PEFT's files, in one place because loading, saving and training must agree on them.

use rootstock_model::Projection;

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

    fn suffix(self) -> &'static str {
        match self {
            Self::A => "lora_A.weight",
            Self::B => "lora_B.weight",
        }
    }
}

/// The name of a LoRA tensor in `adapter_model.safetensors`,
/// e.g. `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
pub fn tensor_name(layer: usize, projection: Projection, half: Half) -> String {
    format!("{PREFIX}{}.{}", projection.module_path(layer), half.suffix())
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
    }
}
