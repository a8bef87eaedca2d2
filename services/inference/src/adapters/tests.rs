//! Requests and generations: who is bound to what, and what stays in memory for how long.

use std::collections::BTreeMap;

use futures::StreamExt;
use rootstock_kernels::Random;
use rootstock_model::{LinearWeight, save_tensors};
use rootstock_peft::{LoraConfig, SavedModule, TargetModules, expected_shapes, read_header, resident_bytes};
use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    bind::Wanted,
    config::{Config, WeightDtype},
    engine::Event,
    generation::Request,
    publish::Change,
    store::Running,
    tests::{World, adapter_files, eventually, read, request, tiny_config},
};

mod soft;

const NAME: &str = "adapters/a";

async fn publish(world: &World, digest: Digest) -> i64 {
    let published = world.publish(NAME, digest, Change::Version(Running::Finish)).await.unwrap();
    published.adapter.alias.generation
}

fn version(digest: Digest) -> String {
    format!("{NAME}/versions/{digest}")
}

/// What an adapter of these settings takes.
fn bytes(config: &LoraConfig) -> u64 {
    resident_bytes(config, &tiny_config(), Format::F32).unwrap() as u64
}

/// The files of an adapter of any kind, with random weights; without copies of the base's, which need not be there.
fn files_of(config: &LoraConfig) -> BTreeMap<String, Vec<u8>> {
    let mut shapes = expected_shapes(config, &tiny_config()).unwrap();
    shapes.retain(|name, _| !name.ends_with("base_layer.weight"));
    files_with(config.to_json(), shapes)
}

/// The files of these settings and random tensors of these shapes.
fn files_with(config: String, shapes: BTreeMap<String, Vec<usize>>) -> BTreeMap<String, Vec<u8>> {
    let random = |name: &str, shape: Vec<usize>| {
        Random::named(5, name).normal_tensor(shape, 0.0, 1.0, &Device::Cpu).unwrap()
    };
    let tensors: Vec<_> =
        shapes.into_iter().map(|(name, shape)| (name.clone(), random(&name, shape))).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = AdapterConfig::from_json(config.as_bytes()).unwrap().weights_file();
    save_tensors(&dir.path().join(file), &tensors, &BTreeMap::new()).unwrap();
    let weights = std::fs::read(dir.path().join(file)).unwrap();
    BTreeMap::from([(CONFIG_FILE.to_owned(), config.into_bytes()), (file.to_owned(), weights)])
}

/// A request for a weighted sum.
fn sum(parts: &[(&str, f64)], max_tokens: usize) -> Request {
    let part = |(name, weight): &(&str, f64)| (name.parse().unwrap(), *weight);
    let adapter = Wanted::Sum(parts.iter().map(part).collect());
    Request { adapter, ..request("", "", max_tokens) }
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
async fn a_weighted_sum_is_bound_to_all_its_adapters_and_weighs_them() {
    let world = World::start(Config { output_buffer: 2, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let [first, second, third] = [1, 2, 3].map(|seed| world.store.put_adapter(base, seed));
    let [a, b] = ["adapters/a", "adapters/b"];
    world.store.point(a, first);
    world.store.point(b, second);
    let ids = async |request| world.ask(request).await.unwrap().ids;
    let (alone_a, alone_b) = (ids(request("", a, 30)).await, ids(request("", b, 30)).await);
    assert_eq!(ids(sum(&[(a, 1.0)], 30)).await, alone_a);
    assert_eq!(ids(sum(&[(a, 0.0)], 30)).await, ids(request("baseModels/base", "", 30)).await);
    let alone_sum = ids(sum(&[(a, 0.5), (b, 0.5)], 30)).await;
    assert!(alone_sum != alone_a && alone_sum != alone_b);
    assert_ne!(ids(sum(&[(a, 0.5), (b, -0.5)], 30)).await, alone_sum);

    let (started, running) = world.begin(sum(&[(a, 0.5), (b, 0.5)], 30)).await.unwrap();
    assert_eq!((started.adapter, started.adapter_generation), (None, 0));
    let part = |digest| Part { digest, generation: 1, weight: 0.5 };
    assert_eq!(started.adapters, [part(first), part(second)]);
    let leases = |name: &str| world.core.publisher.binder.adapters.leases.of(&name.parse().unwrap());
    assert_eq!((leases(a), leases(b)), (1, 1));
    // It goes on with what it was bound to, beside others.
    publish(&world, third).await;
    let beside = ids(request("", b, 30));
    let ((ids, _), beside) = tokio::join!(read(running), beside);
    assert_eq!((ids, beside), (alone_sum, alone_b));
    assert_eq!((leases(a), leases(b)), (0, 0));
}

#[tokio::test]
async fn a_sum_refuses_by_name_what_is_no_lora_or_belongs_elsewhere() {
    let world = World::start(Config { max_models: 2, ..Config::default() }).await;
    let (base, other) = (world.store.put_model("base", 1), world.store.put_model("other", 2));
    world.store.point("adapters/a", world.store.put_adapter(base, 1));
    world.store.point("adapters/elsewhere", world.store.put_adapter(other, 1));
    let dora = LoraConfig { use_dora: true, ..LoraConfig::default() };
    let head = LoraConfig { modules_to_save: vec![SavedModule::Head], ..LoraConfig::default() };
    let embedding =
        LoraConfig { target_modules: TargetModules::from(&["embed_tokens"][..]), ..LoraConfig::default() };
    for (config, field) in [(dora, "use_dora"), (head, "modules_to_save"), (embedding, "target_modules")] {
        let digest = world.store.put(Kind::Adapter, files_of(&config), Some(base), "");
        let parts = [("adapters/a", 1.0), (&version(digest), 1.0)];
        let refused = world.ask(sum(&parts, 3)).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field, .. } if field == "adapters[1].name"), "{refused}");
        assert!(refused.to_string().contains(field) && refused.to_string().contains(&digest.to_string()));
    }
    let refused = world.ask(sum(&[("adapters/a", 1.0), ("adapters/elsewhere", 1.0)], 3)).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::BaseMismatch);
    let refused = world.ask(sum(&[("adapters/a", 1.0), ("adapters/none", 1.0)], 3)).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::NotFound);
    let leases = &world.core.publisher.binder.adapters.leases;
    assert_eq!(leases.of(&"adapters/a".parse().unwrap()), 0);
}

#[tokio::test]
async fn kinds_share_batches_and_each_takes_the_bytes_that_its_settings_foretell() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let targets = |names: &[&str]| TargetModules::from(names);
    let kinds = [
        LoraConfig {
            use_dora: true,
            target_modules: targets(&["q_proj", "lm_head"]),
            ..LoraConfig::default()
        },
        LoraConfig { modules_to_save: SavedModule::ALL.to_vec(), ..LoraConfig::default() },
        LoraConfig {
            target_modules: targets(&["embed_tokens", "up_proj"]),
            rank_pattern: vec![("up_proj".to_owned(), 3)],
            ..LoraConfig::default()
        },
    ];
    let mut requests = vec![request("baseModels/base", "", 20)];
    let mut foretold = 0;
    for config in &kinds {
        let digest = world.store.put(Kind::Adapter, files_of(config), Some(base), "");
        requests.push(request("", &version(digest), 20));
        foretold += bytes(config);
    }
    let mut alone = Vec::new();
    for request in &requests {
        alone.push(world.ask(request.clone()).await.unwrap().ids);
    }
    assert!((1..alone.len()).all(|kind| alone[kind] != alone[0]));
    assert_eq!(world.metric("rootstock_inference_adapter_bytes"), Some(foretold as f64));
    let together = futures::future::join_all(requests.iter().map(|request| world.ask(request.clone()))).await;
    for (answer, alone) in together.into_iter().zip(alone) {
        assert_eq!(answer.unwrap().ids, alone);
    }
}

#[tokio::test]
async fn memory_is_bounded_and_what_is_leased_stays() {
    let one = bytes(&LoraConfig::from_json(&adapter_files(1)["adapter_config.json"]).unwrap());
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
async fn what_was_deleted_is_not_answered_from_memory() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    let names = [version(digest), digest.to_string()];
    let said = world.tokens("", &names[0], 3).await;
    // Whether it is still there nobody can tell now: a bare digest says all that an answer depends on.
    world.store.set_away(true);
    assert_eq!(world.tokens(&base.to_string(), &names[1], 3).await, said);
    assert_eq!(refusal(&world, "", &names[0]).await.reason(), ErrorReason::DependencyUnavailable);
    world.store.set_away(false);
    world.store.delete(&digest);
    for name in &names {
        assert_eq!(refusal(&world, "", name).await.reason(), ErrorReason::NotFound);
        let summed = world.ask(sum(&[(name, 1.0)], 3)).await.unwrap_err();
        assert_eq!(summed.reason(), ErrorReason::NotFound);
    }
}

#[tokio::test]
async fn a_sum_of_more_adapters_than_a_tenant_may_have_is_never_to_be_retried() {
    let world = World::start(Config { max_adapters_per_tenant: 1, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let [one, other] = [1, 2].map(|seed| version(world.store.put_adapter(base, seed)));
    let refused = world.ask(sum(&[(&one, 1.0), (&other, 1.0)], 3)).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::ExceedsLimit);
    assert!(refused.to_string().contains("inference.max_adapters_per_tenant"), "{refused}");
    // The same one twice is one.
    world.ask(sum(&[(&one, 1.0), (&one, 0.5)], 3)).await.unwrap().end.unwrap();
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
