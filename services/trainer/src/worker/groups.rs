//! What learning rate and weight decay each trained tensor has: the parameter groups of other trainers, as a function of its name.

use std::collections::BTreeMap;

use rootstock_kernels::StepRates;

use super::trainee::Trainee;
use crate::spec::Arguments;

/// The groups of all trained tensors, by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Groups {
    weight_decay: f64,
    groups: BTreeMap<String, Group>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Group {
    /// Multiplies the learning rate.
    rate: f64,
    decays: bool,
}

impl Groups {
    pub(super) fn new(learner: &Trainee, arguments: &Arguments) -> Self {
        let group = |name: &str| {
            let depth = below_head(name, learner.layers());
            let ratio = if is_lora_b(name) { arguments.loraplus_lr_ratio } else { 1.0 };
            Group { rate: arguments.layerwise_lr_decay.powi(depth) * ratio, decays: decays(name) }
        };
        let groups = learner.variables().iter().map(|(name, _)| (name.clone(), group(name))).collect();
        Self { weight_decay: arguments.weight_decay, groups }
    }

    /// The rates of a tensor at a step whose learning rate is `lr`.
    pub(super) fn rates(&self, name: &str, lr: f64) -> StepRates {
        let group = self.groups.get(name).copied().unwrap_or(Group { rate: 1.0, decays: false });
        StepRates { lr: lr * group.rate, weight_decay: if group.decays { self.weight_decay } else { 0.0 } }
    }
}

/// As transformers' `get_decay_parameter_names` decides it from names: norms and biases don't decay.
fn decays(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_norm = |part: &str| part == "norm" || part.ends_with("_norm");
    !["bias", "layernorm", "rmsnorm"].iter().any(|word| name.contains(word)) && !name.split('.').any(is_norm)
}

fn is_lora_b(name: &str) -> bool {
    name.contains(".lora_B.") || name.ends_with(".lora_embedding_B")
}

/// How many layers below the head a tensor lies, of a model of `layers`: 0 for the head and the last norm.
pub(super) fn below_head(name: &str, layers: usize) -> i32 {
    let parts: Vec<&str> = name.split('.').collect();
    let number = parts
        .windows(2)
        .find(|pair| ["layers", "layer"].contains(&pair[0]))
        .and_then(|pair| pair[1].parse::<usize>().ok());
    let depth = match number {
        Some(layer) => layers.saturating_sub(layer),
        None if ["embed_tokens", "embeddings"].iter().any(|table| parts.contains(table)) => layers + 1,
        None => 0,
    };
    i32::try_from(depth).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        convert::tests::arguments,
        worker::learner::tests::{full, lora},
    };

    #[test]
    fn all_but_norms_and_biases_decay_as_in_transformers() {
        for name in ["model.embed_tokens.weight", "lm_head.weight", "model.layers.0.self_attn.q_proj.weight"]
        {
            assert!(decays(name), "{name}");
        }
        for name in [
            "model.norm.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.q_norm.weight",
            "model.layers.0.self_attn.q_proj.bias",
            "bert.embeddings.LayerNorm.weight",
        ] {
            assert!(!decays(name), "{name}");
        }
        let groups = Groups::new(&full().into(), &Arguments { weight_decay: 0.1, ..arguments() });
        assert_eq!(
            groups.rates("lm_head.weight", 1.0).weight_decay,
            0.0,
            "the model's head is its embedding"
        );
        assert_eq!(groups.rates("model.embed_tokens.weight", 1.0).weight_decay, 0.1);
        assert_eq!(groups.rates("model.norm.weight", 1.0).weight_decay, 0.0);
    }

    #[test]
    fn lower_layers_have_lower_rates_and_the_embedding_the_lowest() {
        let arguments = Arguments { layerwise_lr_decay: 0.5, ..arguments() };
        let groups = Groups::new(&full().into(), &arguments);
        let rate = |name: &str| groups.rates(name, 1.0).lr;
        assert_eq!(rate("model.norm.weight"), 1.0);
        assert_eq!(rate("model.layers.1.mlp.up_proj.weight"), 0.5);
        assert_eq!(rate("model.layers.0.input_layernorm.weight"), 0.25);
        assert_eq!(rate("model.embed_tokens.weight"), 0.125);
    }

    #[test]
    fn lora_plus_is_for_the_matrices_b_and_goes_with_lower_layers() {
        let arguments = Arguments { layerwise_lr_decay: 0.5, loraplus_lr_ratio: 16.0, ..arguments() };
        let groups = Groups::new(&lora(0.0).into(), &arguments);
        let name =
            |half: &str| format!("base_model.model.model.layers.0.self_attn.q_proj.lora_{half}.weight");
        assert_eq!(groups.rates(&name("A"), 1.0).lr, 0.25);
        assert_eq!(groups.rates(&name("B"), 1.0).lr, 4.0);
    }
}
