//! Requests and generations: who is bound to what, and what stays in memory for how long.

use std::collections::BTreeMap;

use futures::StreamExt;
use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    config::{Config, WeightDtype},
    engine::Event,
    publish::Change,
    store::Running,
    tests::{World, adapter_files, eventually, read, request},
};

const NAME: &str = "adapters/a";

async fn publish(world: &World, digest: Digest) -> i64 {
    let published = world.publish(NAME, digest, Change::Version(Running::Finish)).await.unwrap();
    published.adapter.alias.generation
}

fn version(digest: Digest) -> String {
    format!("{NAME}/versions/{digest}")
}

async fn refusal(world: &World, model: &str, adapter: &str) -> Error {
    world.ask(request(model, adapter, 3)).await.unwrap_err()
}

#[tokio::test]
async fn a_request_finishes_on_the_generation_it_began_with() {
    let world = World::start(Config { output_buffer: 2, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let (first, second) = (world.store.put_adapter(base, 1), world.store.put_adapter(base, 2));
    publish(&world, first).await;
    let (alone_first, alone_second, alone_base) = (
        world.tokens("", NAME, 40).await,
        world.tokens("", &version(second), 40).await,
        world.tokens("baseModels/base", "", 40).await,
    );
    assert!(alone_first != alone_second && alone_first != alone_base && alone_second != alone_base);

    let (started, running) = world.begin(request("", NAME, 40)).await.unwrap();
    assert_eq!((started.adapter, started.adapter_generation, started.base), (Some(first), 1, base));
    assert_eq!(publish(&world, second).await, 2);
    let listed = &world.adapters().await[0];
    assert_eq!((listed.alias.digest, listed.leases), (second, 1));
    // Who asks now gets the new one, while the old one is still at work.
    let answer = world.ask(request("", NAME, 40)).await.unwrap();
    assert_eq!((answer.started.adapter, answer.started.adapter_generation), (Some(second), 2));
    assert_eq!(answer.ids, alone_second);
    assert_eq!(read(running).await.0, alone_first);
    assert_eq!(world.adapters().await[0].leases, 0);
    assert_eq!(world.metric("rootstock_inference_adapter_swaps_total"), Some(2.0));
}

#[tokio::test]
async fn swaps_under_running_streams_mix_no_generations() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let versions: Vec<Digest> = (1..=3).map(|seed| world.store.put_adapter(base, seed)).collect();
    let mut alone = BTreeMap::new();
    for digest in &versions {
        alone.insert(*digest, world.tokens("", &version(*digest), 30).await);
    }
    publish(&world, versions[0]).await;
    let asking = async {
        for _ in 0..8 {
            let asked = (0..6).map(|_| world.ask(request("", NAME, 30)));
            for answer in futures::future::join_all(asked).await {
                let answer = answer.unwrap();
                assert_eq!(answer.ids, alone[&answer.started.adapter.unwrap()]);
            }
        }
    };
    let swapping = async {
        for round in 0..40 {
            publish(&world, versions[round % 3]).await;
        }
    };
    tokio::join!(asking, swapping);
}

#[tokio::test]
async fn memory_is_bounded_and_what_is_leased_stays() {
    let bytes = |files: &BTreeMap<String, Vec<u8>>| {
        let weights = &files["adapter_model.safetensors"];
        let headers = read_header(&mut weights.as_slice(), weights.len() as u64).unwrap();
        let packed = |shape: &[usize]| LinearWeight::packed_bytes(shape[0], shape[1], Format::F32) as u64;
        headers.iter().map(|(_, shape, _)| packed(shape)).sum::<u64>()
    };
    let one = bytes(&adapter_files(1));
    let world =
        World::start(Config { output_buffer: 1, adapter_memory_bytes: one * 3 / 2, ..Config::default() })
            .await;
    let base = world.store.put_model("base", 1);
    let (first, second) = (world.store.put_adapter(base, 1), world.store.put_adapter(base, 2));
    let (_, running) = world.begin(request("", &version(first), 20)).await.unwrap();
    assert_eq!(world.metric("rootstock_inference_adapter_bytes"), Some(one as f64));
    assert_eq!(refusal(&world, "", &version(second)).await.reason(), ErrorReason::Overloaded);
    drop(running);
    let adapters = &world.core.publisher.binder.adapters;
    let idle = || Arc::strong_count(&adapters.resident(&first).unwrap()) == 2;
    eventually("the lease is given back", idle).await;
    assert_eq!(world.tokens("", &version(second), 3).await.len(), 3);
    assert!(adapters.resident(&first).is_none() && adapters.resident(&second).is_some());
    assert_eq!(world.metric("rootstock_inference_adapters_resident"), Some(1.0));
    // And back again, from the local cache.
    assert_eq!(world.tokens("", &version(first), 3).await.len(), 3);
}

#[tokio::test]
async fn an_int8_base_answers_alone_and_beside_adapters_that_are_bf16() {
    let world = World::start(Config { weight_dtype: WeightDtype::Int8, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let adapters = [1, 2].map(|seed| version(world.store.put_adapter(base, seed)));
    let asked = [("baseModels/base", ""), ("", &adapters[0][..]), ("", &adapters[1][..])];
    let mut alone = Vec::new();
    for (model, adapter) in asked {
        alone.push(world.tokens(model, adapter, 20).await);
    }
    assert!(alone[0] != alone[1] && alone[1] != alone[2], "{alone:?}");
    let together = futures::future::join_all(asked.map(|(model, adapter)| world.tokens(model, adapter, 20)));
    assert_eq!(together.await, alone);

    let files = adapter_files(1);
    let weights = &files["adapter_model.safetensors"];
    let headers = read_header(&mut weights.as_slice(), weights.len() as u64).unwrap();
    let packed = |shape: &[usize]| LinearWeight::packed_bytes(shape[0], shape[1], Format::Bf16);
    let one: usize = headers.iter().map(|(_, shape, _)| packed(shape)).sum();
    assert_eq!(world.metric("rootstock_inference_adapter_bytes"), Some(2.0 * one as f64));
}

#[tokio::test]
async fn many_who_ask_for_a_cold_adapter_share_one_load() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    world.store.point(NAME, digest);
    let asked = futures::future::join_all((0..12).map(|_| world.ask(request("", NAME, 4)))).await;
    let first = asked[0].as_ref().unwrap().ids.clone();
    assert!(asked.iter().all(|answer| answer.as_ref().unwrap().ids == first));
    assert_eq!((world.store.fetches(&digest), world.store.fetches(&base)), (1, 1));
}

#[tokio::test]
async fn an_adapter_that_cannot_be_served_is_never_answered_by_the_base() {
    let world = World::start(Config { max_models: 3, ..Config::default() }).await;
    let (base, other) = (world.store.put_model("base", 1), world.store.put_model("other", 2));
    let adapter = world.store.put_adapter(base, 1);
    world.store.point(NAME, adapter);
    let unknown = refusal(&world, "baseModels/base", "adapters/none").await;
    assert_eq!(unknown.reason(), ErrorReason::NotFound);
    assert!(unknown.to_string().contains("adapters/none"), "{unknown}");
    let never = version(Digest::of(b"never"));
    assert_eq!(refusal(&world, "baseModels/base", &never).await.reason(), ErrorReason::NotFound);
    for name in [NAME.to_owned(), version(adapter)] {
        let mismatch = refusal(&world, "baseModels/other", &name).await;
        assert_eq!(mismatch.reason(), ErrorReason::BaseMismatch);
        assert!(mismatch.to_string().contains(&other.to_string()), "{mismatch}");
    }
    let files = adapter_files(2);
    let foreign = world.store.put(Kind::Adapter, files.clone(), Some(base), "sha256:0000");
    assert_eq!(refusal(&world, "", &version(foreign)).await.reason(), ErrorReason::TokenizerMismatch);
    let homeless = world.store.put(Kind::Adapter, files, None, "");
    assert_eq!(refusal(&world, "", &version(homeless)).await.reason(), ErrorReason::BaseMismatch);
    let no_adapter = refusal(&world, "", &version(base)).await;
    assert_eq!(no_adapter.reason(), ErrorReason::InvalidField);
    let no_model = refusal(&world, &adapter.to_string(), "").await;
    assert_eq!(no_model.reason(), ErrorReason::InvalidField);
}

#[tokio::test]
async fn who_names_no_model_means_the_only_one() {
    let world = World::start(Config::default()).await;
    let none = refusal(&world, "", "").await;
    assert!(none.to_string().contains("there is none"), "{none}");
    let base = world.store.put_model("base", 1);
    world.core.aliases.resolve(&"baseModels/base".parse().unwrap()).await.unwrap();
    let answer = world.ask(request("", "", 3)).await.unwrap();
    assert_eq!((answer.started.base, answer.started.adapter), (base, None));
    // Two names of one model are no choice; two models are.
    world.store.point("baseModels/same", base);
    world.core.aliases.resolve(&"baseModels/same".parse().unwrap()).await.unwrap();
    assert_eq!(world.ask(request("", "", 3)).await.unwrap().started.base, base);
    world.store.put_model("other", 2);
    world.core.aliases.resolve(&"baseModels/other".parse().unwrap()).await.unwrap();
    let choice = refusal(&world, "", "").await;
    assert_eq!(choice.reason(), ErrorReason::InvalidField);
    assert!(
        choice.to_string().contains("baseModels/base") && choice.to_string().contains("baseModels/other")
    );
}

#[tokio::test]
async fn idle_models_make_room_and_busy_ones_do_not() {
    let world = World::start(Config { max_models: 1, output_buffer: 1, ..Config::default() }).await;
    let first = world.store.put_model("first", 1);
    world.store.put_model("second", 2);
    let (_, mut running) = world.begin(request("baseModels/first", "", 20)).await.unwrap();
    assert!(matches!(running.next().await, Some(Event::Delta(_))));
    let full = refusal(&world, "baseModels/second", "").await;
    assert_eq!(full.reason(), ErrorReason::Overloaded);
    assert!(full.to_string().contains("max_models"), "{full}");
    drop(running);
    let models = &world.core.publisher.binder.models;
    let idle = || models.residents.peek(&first).is_some_and(|model| Arc::strong_count(&model) == 2);
    eventually("the first model is idle", idle).await;
    assert_eq!(world.tokens("baseModels/second", "", 5).await.len(), 5);
    assert!(models.residents.peek(&first).is_none());
}

#[tokio::test]
async fn after_a_restart_the_same_aliases_are_served() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    publish(&world, digest).await;
    publish(&world, digest).await;
    let before = world.tokens("", NAME, 20).await;
    let world = world.restart(Config { models: vec!["baseModels/base".into()], ..Config::default() }).await;
    // A model of the configuration is there before the first request.
    assert!(world.core.publisher.binder.models.residents.peek(&base).is_some());
    let answer = world.ask(request("", NAME, 20)).await.unwrap();
    assert_eq!((answer.started.adapter_generation, answer.ids), (2, before));
}

#[tokio::test]
async fn what_comes_after_the_drain_began_is_sent_away() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    assert_eq!(world.tokens("baseModels/base", "", 3).await.len(), 3);
    world.tasks.shutdown().request();
    assert_eq!(refusal(&world, "baseModels/base", "").await.reason(), ErrorReason::ShuttingDown);
    world.stop().await;
}
