//! Virtual tokens before a sequence, and bottlenecks: they share batches with all other kinds, and nothing goes wrong with what is kept, counted or moved.

use futures::stream;
use rootstock_model::NonLinearity;
use rootstock_peft::{BottleneckConfig, VirtualTokensConfig, VirtualTokensKind};

use super::*;
use crate::generation::Input;

/// More virtual tokens than a block of keys and values has, and fewer.
fn settings() -> [VirtualTokensConfig; 2] {
    let config = |num_virtual_tokens, kind| VirtualTokensConfig {
        num_virtual_tokens,
        kind,
        base_model_name_or_path: None,
    };
    [
        config(70, VirtualTokensKind::Prompt { init_text: None }),
        config(9, VirtualTokensKind::Prefix { encoder_hidden_size: None }),
    ]
}

/// Behind attention and feed-forward.
fn bottlenecks() -> BottleneckConfig {
    BottleneckConfig {
        name: "narrow".to_owned(),
        mh_adapter: true,
        output_adapter: true,
        reduction_factor: 4.0,
        non_linearity: NonLinearity::Swish,
        original_ln_before: false,
        is_parallel: false,
        scaling: 1.0,
        base_model_name_or_path: None,
    }
}

fn put(world: &World, base: Digest, config: &VirtualTokensConfig) -> Digest {
    put_any(world, base, config.to_json(&tiny_config()))
}

fn put_any(world: &World, base: Digest, config: String) -> Digest {
    let shapes =
        AdapterConfig::from_json(config.as_bytes()).unwrap().expected_shapes(&tiny_config()).unwrap();
    world.store.put(Kind::Adapter, files_with(config, shapes), Some(base), "")
}

#[tokio::test]
async fn sixteen_requests_of_all_kinds_answer_as_each_alone_with_kept_blocks_and_where_there_is_hardly_room()
{
    let block = KvCache::block_bytes(&tiny_config(), Format::F32) as u64;
    let plenty = Config::default();
    // Each of them takes two or three blocks.
    let scarce = Config { kv_cache_bytes: 8 * block, max_running: 16, ..Config::default() };
    let alone = Config { prefix_cache: false, ..Config::default() };
    let mut expected = Vec::new();
    for (config, at_once) in [(alone, false), (plenty, true), (scarce, true)] {
        let world = World::start(config).await;
        let base = world.store.put_model("base", 1);
        let dora = LoraConfig { use_dora: true, ..LoraConfig::default() };
        let mut names = vec![String::new(), version(world.store.put_adapter(base, 1))];
        names.push(version(world.store.put(Kind::Adapter, files_of(&dora), Some(base), "")));
        names.push(version(put_any(&world, base, bottlenecks().to_json(&tiny_config()))));
        names.extend(settings().iter().map(|config| version(put(&world, base, config))));
        let asked = |number: usize| {
            let adapter = &names[number % names.len()];
            let model = if adapter.is_empty() { "baseModels/base" } else { "" };
            let input = Input::Ids((0..90 + number as u32).map(|place| 1 + place * 7 % 255).collect());
            Request { input, ..request(model, adapter, 10 + 2 * number) }
        };
        let mut cached = 0;
        for round in ["at first", "with kept blocks"] {
            let answers = (0..16).map(|number| world.ask(asked(number)));
            let answers = if at_once {
                futures::future::join_all(answers).await
            } else {
                stream::iter(answers).then(|answer| answer).collect().await
            };
            let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
            cached += answers.iter().map(|answer| answer.end.as_ref().unwrap().cached_tokens).sum::<usize>();
            let found: Vec<_> = answers.into_iter().map(|answer| answer.ids).collect();
            if expected.is_empty() {
                assert!((1..names.len()).all(|kind| found[kind] != found[0]));
                expected = found;
            } else {
                assert_eq!(found, expected, "{round}");
            }
        }
        assert_eq!(cached > 0, at_once, "{cached} tokens were taken over");
    }
}

#[tokio::test]
async fn every_kind_takes_the_bytes_that_its_settings_foretell_and_virtual_tokens_take_positions_of_the_context()
 {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let mut foretold = 0;
    for config in settings() {
        let digest = put(&world, base, &config);
        world.ask(request("", &version(digest), 3)).await.unwrap();
        let settings = AdapterConfig::VirtualTokens(config);
        foretold += settings.resident_bytes(&tiny_config(), Format::F32).unwrap();
        assert_eq!(world.metric("rootstock_inference_adapter_bytes"), Some(foretold as f64));
    }
    let narrow = bottlenecks().to_json(&tiny_config());
    world.ask(request("", &version(put_any(&world, base, narrow.clone())), 3)).await.unwrap();
    let settings_of = AdapterConfig::from_json(narrow.as_bytes()).unwrap();
    foretold += settings_of.resident_bytes(&tiny_config(), Format::F32).unwrap();
    assert_eq!(world.metric("rootstock_inference_adapter_bytes"), Some(foretold as f64));
    let [prompt, _] = settings();
    let refused = world.ask(request("", &version(put(&world, base, &prompt)), 4095 - 70)).await.unwrap_err();
    assert!(refused.to_string().contains("virtual tokens leave"), "{refused}");
}

#[tokio::test]
async fn a_sum_refuses_what_is_no_lora_and_a_running_request_finishes_on_its_own_virtual_tokens() {
    let world = World::start(Config { output_buffer: 1, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let [prompt, prefix] = settings().map(|config| put(&world, base, &config));
    world.store.point("adapters/b", world.store.put_adapter(base, 1));
    let refused = world.ask(sum(&[("adapters/b", 1.0), (&version(prefix), 1.0)], 3)).await.unwrap_err();
    assert!(refused.to_string().contains("virtual tokens"), "{refused}");
    let narrow = put_any(&world, base, bottlenecks().to_json(&tiny_config()));
    let refused = world.ask(sum(&[("adapters/b", 1.0), (&version(narrow), 1.0)], 3)).await.unwrap_err();
    assert!(refused.to_string().contains("bottlenecks"), "{refused}");

    let generation = publish(&world, prompt).await;
    let expected = world.ask(request("", NAME, 20)).await.unwrap().ids;
    let (_, output) = world.begin(request("", NAME, 20)).await.unwrap();
    let parked = || world.metric("rootstock_inference_parked") == Some(1.0);
    eventually("the sequence waits for its client", parked).await;
    let published = world.publish(NAME, prefix, Change::Version(Running::Switch)).await.unwrap();
    assert_eq!(published.adapter.alias.generation, generation + 1);
    assert_eq!(read(output).await.0, expected);
    assert_ne!(world.ask(request("", NAME, 20)).await.unwrap().ids, expected);
}
