//! Publishing and rolling back: what is visible afterwards, and what a refusal leaves behind.

use std::collections::BTreeSet;

use rootstock_artifacts::Kind;
use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    bind::Wanted,
    config::Config,
    generation::Request,
    tests::{World, adapter_files, read, request},
};

/// Files of an adapter by name.
type Files = std::collections::BTreeMap<String, Vec<u8>>;

const NAME: &str = "adapters/a";

struct Stage {
    world: World,
    base: Digest,
    versions: Vec<Digest>,
}

/// A base model with three adapter versions, none of them published.
async fn stage() -> Stage {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let versions = (1..=3).map(|seed| world.store.put_adapter(base, seed)).collect();
    Stage { world, base, versions }
}

impl Stage {
    async fn publish(&self, digest: Digest, expected: Option<i64>) -> Result<Swapped, Error> {
        let change = Change::Version(Running::Finish);
        let publish = Publish { name: NAME.parse().unwrap(), digest, expected, change };
        self.world.core.publisher.publish(publish, Instant::now()).await
    }

    async fn canary(&self, digest: Digest, share: f64) -> Result<Swapped, Error> {
        self.world.publish(NAME, digest, Change::Canary(share)).await
    }

    async fn rollback(&self, to: Option<i64>) -> Result<Swapped, Error> {
        self.world.core.publisher.rollback(&NAME.parse().unwrap(), to, Instant::now()).await
    }

    /// What new requests get.
    async fn served(&self) -> (Digest, i64) {
        let started = self.world.ask(request("", NAME, 1)).await.unwrap().started;
        (started.adapter.unwrap(), started.adapter_generation)
    }
}

#[tokio::test]
async fn a_published_version_is_loaded_and_visible_when_the_call_returns() {
    let stage = stage().await;
    let swapped = stage.publish(stage.versions[0], Some(0)).await.unwrap();
    assert!(swapped.swap_ms > 0.0);
    assert_eq!(swapped.adapter.alias.generation, 1);
    assert_eq!(swapped.adapter.alias.base, Some(stage.base));
    assert!(swapped.adapter.memory_bytes > 0);
    assert_eq!(stage.served().await, (stage.versions[0], 1));
    assert_eq!(stage.publish(stage.versions[1], Some(1)).await.unwrap().adapter.alias.generation, 2);
    assert_eq!(stage.served().await, (stage.versions[1], 2));
}

#[tokio::test]
async fn a_publish_that_expects_another_generation_moves_nothing() {
    let stage = stage().await;
    stage.publish(stage.versions[0], None).await.unwrap();
    for wrong in [0, 2] {
        let refused = stage.publish(stage.versions[1], Some(wrong)).await.unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::AliasMoved);
        assert!(refused.to_string().contains("generation 1"), "{refused}");
    }
    assert_eq!(stage.served().await, (stage.versions[0], 1));
}

#[tokio::test]
async fn publishers_at_the_same_time_get_a_generation_each() {
    let stage = stage().await;
    let publishing = (0..6).map(|i| stage.publish(stage.versions[i % 3], None));
    let mut generations: Vec<i64> = futures::future::join_all(publishing)
        .await
        .into_iter()
        .map(|swapped| swapped.unwrap().adapter.alias.generation)
        .collect();
    generations.sort_unstable();
    assert_eq!(generations, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn what_cannot_be_served_is_not_published() {
    let stage = stage().await;
    stage.publish(stage.versions[0], None).await.unwrap();
    let store = &stage.world.store;
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = adapter_files(9);
        change(&mut files);
        store.put(Kind::Adapter, files, Some(stage.base), "")
    };
    let rank = with(&|files| {
        let config = String::from_utf8(files["adapter_config.json"].clone()).unwrap();
        files.insert("adapter_config.json".into(), config.replace("\"r\": 2", "\"r\": 3").into());
    });
    let cut = with(&|files| {
        files.get_mut("adapter_model.safetensors").unwrap().truncate(100);
    });
    let not_finite = with(&|files| {
        let weights = files.get_mut("adapter_model.safetensors").unwrap();
        let end = weights.len();
        weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    // Finite numbers, and products that aren't.
    let overflowing = with(&|files| {
        let weights = files.get_mut("adapter_model.safetensors").unwrap();
        let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize + 8;
        weights[header..]
            .chunks_exact_mut(4)
            .for_each(|number| number.copy_from_slice(&1e30_f32.to_le_bytes()));
    });
    let cases = [
        (overflowing, ErrorReason::InvalidFile),
        (rank, ErrorReason::TensorMismatch),
        (cut, ErrorReason::InvalidFile),
        (not_finite, ErrorReason::InvalidFile),
        (store.put(Kind::Adapter, adapter_files(9), Some(Digest::of(b"no base")), ""), ErrorReason::NotFound),
        (
            store.put(Kind::Adapter, adapter_files(9), Some(stage.base), "sha256:00"),
            ErrorReason::TokenizerMismatch,
        ),
        (stage.base, ErrorReason::InvalidField),
        (Digest::of(b"nothing"), ErrorReason::NotFound),
    ];
    for (digest, reason) in cases {
        let refused = stage.publish(digest, None).await.unwrap_err();
        assert_eq!(refused.reason(), reason, "{refused}");
    }
    assert_eq!(stage.served().await, (stage.versions[0], 1));
}

#[tokio::test]
async fn an_alias_may_move_to_another_base_and_who_names_the_old_one_is_told() {
    let stage = stage().await;
    stage.publish(stage.versions[0], None).await.unwrap();
    let other = stage.world.store.put_model("other", 2);
    let moved = stage.world.store.put_adapter(other, 4);
    stage.publish(moved, None).await.unwrap();
    let answer = stage.world.ask(request("", NAME, 1)).await.unwrap();
    assert_eq!(answer.started.base, other);
    let told = stage.world.ask(request("baseModels/base", NAME, 1)).await.unwrap_err();
    assert_eq!(told.reason(), ErrorReason::BaseMismatch);
}

#[tokio::test]
async fn rolling_back_goes_further_back_each_time_and_never_forward() {
    let stage = stage().await;
    let missing = stage.rollback(None).await.unwrap_err();
    assert_eq!(missing.reason(), ErrorReason::NotFound);
    let [a, b, c] = [stage.versions[0], stage.versions[1], stage.versions[2]];
    for digest in [a, b, c] {
        stage.publish(digest, None).await.unwrap();
    }
    stage.rollback(None).await.unwrap();
    assert_eq!(stage.served().await, (b, 4));
    stage.rollback(None).await.unwrap();
    assert_eq!(stage.served().await, (a, 5));
    let first = stage.rollback(None).await.unwrap_err();
    assert_eq!(first.reason(), ErrorReason::NoPreviousVersion);
    // A given generation may be anything that was.
    stage.rollback(Some(3)).await.unwrap();
    assert_eq!(stage.served().await, (c, 6));
    let unknown = stage.rollback(Some(7)).await.unwrap_err();
    assert_eq!(unknown.reason(), ErrorReason::NoPreviousVersion);
    assert!(unknown.to_string().contains("known are 1 to 6"), "{unknown}");
}

#[tokio::test]
async fn pins_and_canaries_use_up_nothing_that_can_be_rolled_back_to() {
    let stage = stage().await;
    let [a, b, c] = [stage.versions[0], stage.versions[1], stage.versions[2]];
    for digest in [a, b] {
        stage.publish(digest, None).await.unwrap();
    }
    let publisher = &stage.world.core.publisher;
    for round in 0..20 {
        let pinned = publisher.pin(&NAME.parse().unwrap(), round % 2 == 0).await.unwrap();
        assert_eq!(pinned.alias.generation, 3 + round);
        // What it is already is no move.
        let again = publisher.pin(&NAME.parse().unwrap(), round % 2 == 0).await.unwrap();
        assert_eq!(again.alias.generation, 3 + round);
    }
    stage.canary(c, 0.5).await.unwrap();
    // The canary, and then the version.
    stage.rollback(None).await.unwrap();
    stage.rollback(None).await.unwrap();
    assert_eq!(stage.served().await, (a, 25));
    // What a generation served that only pinned it is what was set before.
    stage.rollback(Some(12)).await.unwrap();
    assert_eq!(stage.served().await, (b, 26));
    stage.publish(a, None).await.unwrap();
    let none = stage.rollback(None).await.unwrap_err().to_string();
    assert!(none.contains("others were set since, as generation 26, 2"), "{none}");
}

#[tokio::test]
async fn a_canary_gets_its_share_and_a_key_stays_where_it_is() {
    let stage = stage().await;
    let [version, canary] = [stage.versions[0], stage.versions[1]];
    stage.publish(version, None).await.unwrap();
    let told = stage.canary(canary, 0.5).await.unwrap().adapter.alias;
    assert_eq!((told.digest, told.generation), (version, 2));
    let mut keys = [0, 0];
    for key in 0..40 {
        let asked = || Request { routing_key: format!("key {key}"), ..request("", NAME, 1) };
        let started = stage.world.ask(asked()).await.unwrap().started;
        assert_eq!(started.adapter, Some(if started.canary { canary } else { version }));
        assert_eq!(started.adapter_generation, 2);
        assert_eq!(stage.world.ask(asked()).await.unwrap().started.canary, started.canary);
        keys[usize::from(started.canary)] += 1;
    }
    assert!(keys.iter().all(|count| *count > 5), "{keys:?}");
    // Published without a share it is the version of all.
    stage.publish(canary, None).await.unwrap();
    assert_eq!(stage.served().await, (canary, 3));
    assert_eq!(stage.world.adapters().await[0].alias.canary, None);
}

#[tokio::test]
async fn a_canary_stands_beside_another_version_of_the_same_base() {
    let stage = stage().await;
    let alone = stage.canary(stage.versions[0], 0.1).await.unwrap_err();
    assert_eq!(alone.reason(), ErrorReason::WrongState);
    stage.publish(stage.versions[0], None).await.unwrap();
    let same = stage.canary(stage.versions[0], 0.1).await.unwrap_err();
    assert_eq!(same.reason(), ErrorReason::InvalidField);
    let other = stage.world.store.put_model("other", 2);
    let foreign = stage.canary(stage.world.store.put_adapter(other, 4), 0.1).await.unwrap_err();
    assert_eq!(foreign.reason(), ErrorReason::BaseMismatch);
    assert_eq!(stage.served().await, (stage.versions[0], 1));
}

#[tokio::test]
async fn a_part_of_a_sum_gets_the_canary_with_the_keys_that_get_it_alone() {
    let stage = stage().await;
    stage.publish(stage.versions[0], None).await.unwrap();
    stage.canary(stage.versions[1], 0.5).await.unwrap();
    let mut seen = BTreeSet::new();
    for key in 0..16 {
        let alone = Request { routing_key: key.to_string(), ..request("", NAME, 1) };
        let summed = Request { adapter: Wanted::Sum(vec![(NAME.parse().unwrap(), 1.0)]), ..alone.clone() };
        let alone = stage.world.ask(alone).await.unwrap().started.adapter.unwrap();
        assert_eq!(stage.world.ask(summed).await.unwrap().started.adapters[0].digest, alone);
        seen.insert(alone);
    }
    assert_eq!(seen.len(), 2, "of 16 keys some get it and some don't");
}

#[tokio::test]
async fn a_rollback_ends_the_canary_first() {
    let stage = stage().await;
    for digest in &stage.versions[..2] {
        stage.publish(*digest, None).await.unwrap();
    }
    stage.canary(stage.versions[2], 0.9).await.unwrap();
    stage.rollback(None).await.unwrap();
    let alias = &stage.world.adapters().await[0].alias;
    assert_eq!((alias.digest, alias.generation, &alias.canary), (stage.versions[1], 4, &None));
    stage.rollback(None).await.unwrap();
    assert_eq!(stage.served().await, (stage.versions[0], 5));
}

#[tokio::test]
async fn a_retired_adapter_is_not_found_and_comes_back_with_the_next_generation() {
    let stage = stage().await;
    let name: AliasName = NAME.parse().unwrap();
    let publisher = &stage.world.core.publisher;
    assert_eq!(publisher.retire(&name, None).await.unwrap_err().reason(), ErrorReason::NotFound);
    stage.publish(stage.versions[0], None).await.unwrap();
    assert_eq!(publisher.retire(&name, Some(7)).await.unwrap_err().reason(), ErrorReason::AliasMoved);
    assert_eq!(publisher.retire(&name, Some(1)).await.unwrap(), 2);
    let gone = stage.world.ask(request("", NAME, 1)).await.unwrap_err();
    assert_eq!(gone.reason(), ErrorReason::NotFound);
    assert!(gone.to_string().contains("retired as generation 2"), "{gone}");
    assert_eq!(stage.world.adapters().await, []);
    assert_eq!(stage.rollback(None).await.unwrap_err().reason(), ErrorReason::NotFound);
    stage.publish(stage.versions[1], Some(0)).await.unwrap();
    assert_eq!(stage.served().await, (stage.versions[1], 3));
}

#[tokio::test]
async fn requests_queued_or_running_on_an_adapter_that_is_retired_finish() {
    let world = World::start(Config { max_running: 1, output_buffer: 1, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    world.publish(NAME, digest, Change::Version(Running::Finish)).await.unwrap();
    let alone = world.tokens("", NAME, 20).await;
    let (_, running) = world.begin(request("", NAME, 20)).await.unwrap();
    let (_, queued) = world.begin(request("", NAME, 20)).await.unwrap();
    world.core.publisher.retire(&NAME.parse().unwrap(), None).await.unwrap();
    for output in [running, queued] {
        let (ids, end) = read(output).await;
        end.unwrap();
        assert_eq!(ids, alone);
    }
}

#[tokio::test]
async fn an_adapter_over_the_limit_of_one_is_refused_with_the_setting_that_says_so() {
    let world = World::start(Config { max_adapter_bytes: 100, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    let refused = world.publish(NAME, digest, Change::Version(Running::Finish)).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::ExceedsLimit);
    assert!(refused.to_string().contains("raise inference.max_adapter_bytes"), "{refused}");
}
