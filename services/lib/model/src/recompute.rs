//! Which layers keep their activations for the backward pass, and which run again (Chen et al., 2016, "Training Deep Nets with
//! Sublinear Memory Cost"); with the bytes that this takes.

use crate::Config;

/// How the backward pass gets at the activations of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recompute {
    /// They are kept from the forward pass: fastest.
    #[default]
    Never,
    /// Each layer keeps its input alone and runs again: least memory, for about a quarter more time where all weights are trained,
    /// two fifths where an adapter is.
    Always,
    /// As many layers keep theirs as fit into so many bytes; the others run again.
    Within(usize),
}

impl Recompute {
    /// How many layers, of those of the model, run again for a batch of so many tokens: the first ones, whose turn comes when the
    /// others have let go of what they kept.
    pub fn layers(self, config: &Config, tokens: usize) -> usize {
        let layers = config.num_hidden_layers;
        match self {
            Self::Never => 0,
            Self::Always => layers,
            Self::Within(bytes) => {
                let (kept, input) = (layer_bytes(config, tokens), input_bytes(config, tokens));
                let spare = bytes.saturating_sub(layers.saturating_mul(input));
                layers - (spare / (kept - input).max(1)).min(layers)
            }
        }
    }
}

/// Bytes of activations that layers keep from the forward pass of so many tokens for the backward pass.
pub fn activation_bytes(config: &Config, tokens: usize, recompute: Recompute) -> usize {
    let again = recompute.layers(config, tokens);
    let kept = (config.num_hidden_layers - again).saturating_mul(layer_bytes(config, tokens));
    kept.saturating_add(again.saturating_mul(input_bytes(config, tokens)))
}

/// The input of a layer, [T, H] f32.
fn input_bytes(config: &Config, tokens: usize) -> usize {
    tokens.saturating_mul(config.hidden_size).saturating_mul(size_of::<f32>())
}

/// What `layer::Trace` holds of one layer, f32: four times H (input, middle, and both normed), queries, output and log-sums of the
/// attention, keys and values, and three times I (gate, up and their product); where heads are normed, queries and keys before too.
fn layer_bytes(config: &Config, tokens: usize) -> usize {
    let heads = config.heads(0);
    let (queries, keys) = (heads.query * heads.dim, heads.key_value * heads.dim);
    let before = if config.family.norms_heads() { queries + keys } else { 0 };
    let attention = 2 * queries + heads.query + 2 * keys + before;
    let width = 4 * config.hidden_size + attention + 3 * config.intermediate_size;
    tokens.saturating_mul(width).saturating_mul(size_of::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny;

    #[test]
    fn a_budget_is_used_and_kept() {
        let config = tiny();
        let layers = config.num_hidden_layers;
        let all = activation_bytes(&config, 100, Recompute::Never);
        let least = activation_bytes(&config, 100, Recompute::Always);
        assert!(least < all);
        for (budget, again) in [(usize::MAX, 0), (all, 0), (all - 1, 1), (least, layers), (0, layers)] {
            let recompute = Recompute::Within(budget);
            assert_eq!(recompute.layers(&config, 100), again, "{budget} of {all}");
            assert!(activation_bytes(&config, 100, recompute) <= budget.max(least));
        }
    }
}
