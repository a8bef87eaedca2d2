//! Gradual unfreezing (Howard & Ruder, 2018, "Universal Language Model Fine-tuning for Text Classification"): which weights a step trains,
//! as a function of its number.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Var;

use super::{groups::below_head, trainee::Trainee};

/// After how many steps each weight is trained; those that aren't named are from the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unfreezing(BTreeMap<String, u64>);

impl Unfreezing {
    /// Stage after stage, each `every` steps after the one before; without it all begin together.
    pub(super) fn new(learner: &Trainee, every: Option<u64>) -> Self {
        let Some(every) = every else { return Self::default() };
        // The head and the last norm begin together with the top layer.
        let stage = |name: &str| below_head(name, learner.layers()).max(1);
        let names = || learner.variables().iter().map(|(name, _)| name);
        let stages: BTreeSet<i32> = names().map(|name| stage(name)).collect();
        let begun = |name: &String| every.saturating_mul(stages.range(..stage(name)).count() as u64);
        Self(names().map(|name| (name.clone(), begun(name))).collect())
    }

    /// After how many steps a weight's first is made.
    pub(super) fn begun(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The variables that are trained after so many steps.
    pub(super) fn trained(&self, variables: &[(String, Var)], step: u64) -> Vec<(String, Var)> {
        variables.iter().filter(|(name, _)| self.begun(name) <= step).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::learner::tests as learners;

    fn full() -> Trainee {
        learners::full().into()
    }

    #[test]
    fn layers_join_from_the_top_and_the_embedding_last() {
        let unfreezing = Unfreezing::new(&full(), Some(10));
        for (name, begun) in [
            ("model.norm.weight", 0),
            ("model.layers.1.mlp.up_proj.weight", 0),
            ("model.layers.0.input_layernorm.weight", 10),
            ("model.embed_tokens.weight", 20),
        ] {
            assert_eq!(unfreezing.begun(name), begun, "{name}");
        }
        let learner = full();
        let trained = |step| unfreezing.trained(learner.variables(), step).len();
        assert_eq!((trained(0), trained(9), trained(10), trained(20)), (10, 10, 19, 20));
    }

    #[test]
    fn stages_without_anything_to_train_are_left_out() {
        let unfreezing =
            Unfreezing::new(&learners::partial(&["embed_tokens", "layers.0.mlp"]).into(), Some(10));
        assert_eq!(unfreezing.begun("model.layers.0.mlp.up_proj.weight"), 0);
        assert_eq!(unfreezing.begun("model.embed_tokens.weight"), 10);
        assert_eq!(Unfreezing::new(&full(), None).begun("model.embed_tokens.weight"), 0);
    }
}
