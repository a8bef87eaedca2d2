//! Which weights a step of a stage trains, as a function of its number: all that the stage does, or with gradual unfreezing (Howard &
//! Ruder, 2018, "Universal Language Model Fine-tuning for Text Classification") layer after layer.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Var;

use super::{groups::below_head, trainee::Trainee};

/// After how many steps of its stage each weight is trained that is at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unfreezing(BTreeMap<String, u64>);

impl Unfreezing {
    /// Of the weights of a learner these, or all. Depth after depth, each `every` steps after the one before; without it all begin
    /// together.
    pub(super) fn new(learner: &Trainee, every: Option<u64>, only: Option<&BTreeSet<String>>) -> Self {
        // The head and the last norm begin together with the top layer.
        let depth = |name: &str| below_head(name, learner.layers()).max(1);
        let names = || {
            let names = learner.variables().iter().map(|(name, _)| name);
            names.filter(|name| only.is_none_or(|only| only.contains(*name)))
        };
        let depths: BTreeSet<i32> = names().map(|name| depth(name)).collect();
        let begun =
            |name: &str| every.unwrap_or(0).saturating_mul(depths.range(..depth(name)).count() as u64);
        Self(names().map(|name| (name.clone(), begun(name))).collect())
    }

    /// After how many steps a weight's first is made, if one ever is.
    pub(super) fn begun(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// The variables that are trained after so many steps.
    pub(super) fn trained(&self, variables: &[(String, Var)], step: u64) -> Vec<(String, Var)> {
        variables
            .iter()
            .filter(|(name, _)| self.begun(name).is_some_and(|begun| begun <= step))
            .cloned()
            .collect()
    }

    /// Numbers of the variables that are trained sooner or later.
    pub(super) fn parameters(&self, variables: &[(String, Var)]) -> usize {
        self.trained(variables, u64::MAX).iter().map(|(_, variable)| variable.elem_count()).sum()
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
        let unfreezing = Unfreezing::new(&full(), Some(10), None);
        for (name, begun) in [
            ("model.norm.weight", 0),
            ("model.layers.1.mlp.up_proj.weight", 0),
            ("model.layers.0.input_layernorm.weight", 10),
            ("model.embed_tokens.weight", 20),
        ] {
            assert_eq!(unfreezing.begun(name), Some(begun), "{name}");
        }
        let learner = full();
        let trained = |step| unfreezing.trained(learner.variables(), step).len();
        assert_eq!((trained(0), trained(9), trained(10), trained(20)), (10, 10, 19, 20));
    }

    #[test]
    fn depths_without_anything_to_train_are_left_out() {
        let learner = learners::partial(&["embed_tokens", "layers.0.mlp"]).into();
        let unfreezing = Unfreezing::new(&learner, Some(10), None);
        assert_eq!(unfreezing.begun("model.layers.0.mlp.up_proj.weight"), Some(0));
        assert_eq!(unfreezing.begun("model.embed_tokens.weight"), Some(10));
        assert_eq!(Unfreezing::new(&full(), None, None).begun("model.embed_tokens.weight"), Some(0));
    }

    #[test]
    fn weights_that_a_stage_does_not_train_never_begin() {
        let (learner, only) = (full(), BTreeSet::from(["model.norm.weight".to_owned()]));
        let unfreezing = Unfreezing::new(&learner, None, Some(&only));
        assert_eq!(unfreezing.begun("model.embed_tokens.weight"), None);
        assert_eq!(
            (unfreezing.trained(learner.variables(), 9).len(), unfreezing.parameters(learner.variables())),
            (1, 32)
        );
    }
}
