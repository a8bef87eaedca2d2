//! Gates that pass, fail and come too late, and what is served afterwards.

use rootstock_runtime::ErrorReason;

use super::super::{
    Gate, Improvement, Metric, Spec, State,
    tests::{ROWS, alias, ended, put_rows, spec, with_base},
};
use super::*;
use crate::{
    store::Target,
    tests::{World, eventually},
};

const LIVE: &str = "adapters/live";

/// A base model, an adapter version that nobody serves, and a specification that judges it.
struct Stage {
    world: World,
    base: Digest,
    candidate: Digest,
    spec: Spec,
}

async fn stage(gate: Gate) -> Stage {
    let (world, base) = with_base().await;
    let candidate = world.store.put_adapter(base, 1);
    let targets = ["", &candidate.to_string()];
    let spec =
        Spec { gate: Some(gate), publish: Some(alias(LIVE)), ..spec(put_rows(&world, ROWS), &targets) };
    Stage { world, base, candidate, spec }
}

/// Every perplexity is finite, and no two models have the same.
fn perplexity(threshold: f64) -> Gate {
    Gate { metric: Metric::Perplexity, candidate: 1, threshold: Some(threshold), improvement: None }
}

fn any() -> Gate {
    perplexity(f64::MAX)
}

impl Stage {
    async fn create(&self) -> Evaluation {
        self.world.core.evaluations.create(None, self.spec.clone(), None).await.unwrap()
    }

    /// What the gate said in the end.
    async fn said(&self, created: &Evaluation) -> GateResult {
        let ended = ended(&self.world, &created.id).await;
        assert_eq!((ended.state, ended.error.as_str()), (State::Succeeded, ""));
        ended.gate.unwrap()
    }

    /// Digest and generation that the alias is at.
    async fn live(&self) -> Option<(Digest, i64)> {
        let live = self.world.core.evaluations.store.alias(&alias(LIVE)).await.unwrap();
        live.map(|alias| (alias.digest, alias.generation))
    }
}

#[tokio::test]
async fn a_candidate_that_passes_is_served_from_then_on() {
    let stage = stage(any()).await;
    stage.world.store.point(LIVE, stage.world.store.put_adapter(stage.base, 2));
    let said = stage.said(&stage.create().await).await;
    assert!(said.passed && said.reason.starts_with("perplexity of sha256:"), "{said:?}");
    assert_eq!((said.published_generation, said.publish_error.as_str()), (Some(2), ""));
    assert_eq!(stage.live().await, Some((stage.candidate, 2)));
    let asked = crate::tests::request("", LIVE, 1);
    assert_eq!(stage.world.ask(asked).await.unwrap().started.adapter, Some(stage.candidate));
}

#[tokio::test]
async fn a_candidate_that_fails_is_told_why_and_not_published() {
    let stage = stage(perplexity(1.0)).await;
    let said = stage.said(&stage.create().await).await;
    assert!(!said.passed && said.reason.contains("must be at most 1"), "{said:?}");
    assert_eq!((said.published_generation, said.publish_error.as_str()), (None, ""));
    assert_eq!(stage.live().await, None);
}

#[tokio::test]
async fn the_pair_of_a_gate_is_compared_whichever_targets_it_names() {
    let improvement = Some(Improvement { baseline: 1, least: None, max_p_value: None });
    let gate = Gate { candidate: 0, threshold: None, improvement, ..any() };
    let mut stage = stage(gate).await;
    stage.spec.publish = None;
    let created = stage.create().await;
    let said = stage.said(&created).await;
    let done = stage.world.core.evaluations.get(&created.id).await.unwrap();
    let pairs: Vec<_> = done.comparisons.iter().map(|of| (of.target, of.baseline)).collect();
    assert_eq!(pairs, [(1, 0), (0, 1)]);
    assert_eq!(said.passed, done.results[0].perplexity < done.results[1].perplexity);
}

#[tokio::test]
async fn an_alias_that_moved_meanwhile_stays_where_it_is() {
    let stage = stage(any()).await;
    let created = stage.create().await;
    let others = stage.world.store.put_adapter(stage.base, 2);
    stage.world.store.point(LIVE, others);
    let said = stage.said(&created).await;
    assert!(said.passed);
    assert_eq!(said.published_generation, None);
    assert!(said.publish_error.contains("is at generation 1, not 0"), "{}", said.publish_error);
    assert_eq!(stage.live().await, Some((others, 1)));
}

/// Takes the alias out of service, at the next generation, and waits until the server knows.
async fn retire(world: &World, digest: Digest) {
    let target = Target { digest, canary: None, pinned: None, running: Running::Finish };
    let retired = world.store.set(LIVE, &target, true);
    let known = || world.core.aliases.get(&alias(LIVE)).map(|record| record.generation);
    eventually("the retirement is known", || known() == Some(retired.generation)).await;
}

#[tokio::test]
async fn a_candidate_takes_the_place_of_what_was_retired_before() {
    let stage = stage(any()).await;
    let old = stage.world.store.put_adapter(stage.base, 2);
    stage.world.store.point(LIVE, old);
    retire(&stage.world, old).await;
    let created = stage.create().await;
    let said = stage.said(&created).await;
    assert_eq!((said.published_generation, said.publish_error.as_str()), (Some(3), ""));
    assert_eq!(stage.live().await, Some((stage.candidate, 3)));
}

#[tokio::test]
async fn what_was_retired_meanwhile_stays_out_of_service() {
    let mut stage = stage(any()).await;
    // Longer than the news of the retirement takes.
    stage.spec.max_tokens = 100;
    let created = stage.create().await;
    let others = stage.world.store.put_adapter(stage.base, 2);
    stage.world.store.point(LIVE, others);
    retire(&stage.world, others).await;
    let said = stage.said(&created).await;
    assert_eq!(said.published_generation, None);
    assert!(said.publish_error.contains("is at generation 2, not 0"), "{}", said.publish_error);
    assert_eq!(stage.live().await, None);
}

#[tokio::test]
async fn a_candidate_published_before_a_restart_is_not_published_again() {
    let stage = stage(any()).await;
    let created = stage.create().await;
    // As the evaluation did before the server went down.
    stage.world.store.point(LIVE, stage.candidate);
    let said = stage.said(&created).await;
    assert_eq!((said.published_generation, said.publish_error.as_str()), (Some(1), ""));
    assert_eq!(stage.live().await, Some((stage.candidate, 1)));
}

#[tokio::test]
async fn keywords_that_no_row_has_cannot_be_a_gate() {
    let gate = Gate { metric: Metric::KeywordAccuracy, threshold: Some(0.5), ..any() };
    let mut stage = stage(gate).await;
    let bare = put_rows(&stage.world, "{\"instruction\":\"a\",\"output\":\"b\"}\n");
    let with_keywords = std::mem::replace(&mut stage.spec.dataset, bare.to_string().parse().unwrap());
    let refused = stage.world.core.evaluations.create(None, stage.spec.clone(), None).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::InvalidField);
    assert!(matches!(refused, Error::Invalid { field, .. } if field == "spec.gate.metric"));
    stage.spec.dataset = with_keywords;
    stage.said(&stage.create().await).await;
}
