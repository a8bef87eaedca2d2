//! Versions that are published with `switch` where there is hardly room: what a version has computed is computed again with that one,
//! though the request has gone on with another since.

use std::{collections::BTreeMap, path::Path};

use futures::stream;
use rootstock_artifacts::Kind;
use rootstock_kernels::Random;
use rootstock_model::{Continued, Wanted};

use super::*;
use crate::{
    adapters::{Applied, Binding},
    config::Config,
    generation::{Input, Request},
    publish::Change,
    sampling::Sampler,
    store::Running,
    tests::{World, request},
};

const NAME: &str = "adapters/a";
const SEEDS: std::ops::Range<u64> = 0..3;
const REQUESTS: usize = 48;
/// More than ten blocks are room for, since each comes to its second one.
const AT_ONCE: usize = 12;

/// The golden model and two adapters of it, with room for ten blocks.
struct Stage {
    world: World,
    base: Digest,
    versions: [Digest; 2],
}

/// A request, and what it was told: its tokens, and from which on which version chose them.
struct Answered {
    prompt: Vec<u32>,
    sampling: Sampling,
    ids: Vec<u32>,
    versions: Vec<(usize, Digest)>,
}

fn golden(dir: &str) -> BTreeMap<String, Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(dir);
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    std::fs::read_dir(dir).unwrap().map(file).collect()
}

impl Stage {
    async fn new() -> Self {
        // A block of the golden model has 8 KiB.
        let config = Config { kv_cache_bytes: 10 * 8192, max_running: AT_ONCE, ..Config::default() };
        let world = World::start(config).await;
        let base = world.store.put(Kind::BaseModel, golden("tied"), None, "");
        world.store.point("baseModels/tied", base);
        let versions =
            ["lora", "rslora"].map(|dir| world.store.put(Kind::Adapter, golden(dir), Some(base), ""));
        let stage = Self { world, base, versions };
        stage.publish(0).await;
        stage
    }

    async fn publish(&self, version: usize) {
        let digest = self.versions[version];
        self.world.publish(NAME, digest, Change::Version(Running::Switch)).await.unwrap();
    }

    async fn ask(&self, prompt: Vec<u32>, sampling: Sampling, seen: &watch::Sender<u64>) -> Answered {
        let input = Input::Ids(prompt.clone());
        let asked = Request { input, sampling: sampling.clone(), ..request("baseModels/tied", NAME, 1) };
        let (started, mut output) = self.world.begin(asked).await.unwrap();
        let (mut ids, mut versions) = (Vec::new(), vec![(0, started.adapter.unwrap())]);
        while let Some(event) = output.next().await {
            match event {
                Event::Delta(delta) => {
                    ids.push(delta.token.id);
                    versions.extend(delta.switched.map(|switched| (switched.at_token, switched.to.digest)));
                    seen.send_modify(|seen| *seen += 1);
                }
                Event::Finished(_) => return Answered { prompt, sampling, ids, versions },
                other => panic!("{other:?}"),
            }
        }
        panic!("the last event is missing after {ids:?}");
    }

    /// Asks for answers of all lengths; the version moves each time that some more tokens were read.
    async fn answers(&self, seed: u64) -> Vec<Answered> {
        let seen = watch::Sender::new(0);
        let asked = (0..REQUESTS as u64).map(|number| {
            let random = Random::new(seed, number);
            let prompt =
                (0..20 + random.below(0, 20)).map(|at| 1 + random.below(at + 2, 255) as u32).collect();
            let temperature = if number % 2 == 0 { 0.9 } else { 0.0 };
            let sampling =
                Sampling { temperature, seed: number, ..greedy(30 + random.below(1, 58) as usize) };
            self.ask(prompt, sampling, &seen)
        });
        let asking = stream::iter(asked).buffer_unordered(AT_ONCE).collect();
        let publishing = async {
            let (random, mut tokens, mut next) = (Random::new(seed, u64::MAX), seen.subscribe(), 0);
            for number in 1.. {
                next += 20 + random.below(number, 100);
                tokens.wait_for(|seen| *seen >= next).await.unwrap();
                self.publish(number as usize % 2).await;
            }
        };
        tokio::select! {
            answers = asking => answers,
            () = publishing => panic!("it publishes as long as anybody asks"),
        }
    }

    /// What the versions say in turn on the same keys and values, after one of them has computed the first tokens of the prompt.
    async fn reference(&self, answered: &Answered, (begins, first): (usize, Digest)) -> Vec<u32> {
        let Answered { prompt, sampling, ids, versions } = answered;
        let binder = &self.world.core.generation.binder;
        let model = binder.models.get(self.base).await.unwrap();
        let mut applied = BTreeMap::new();
        for digest in self.versions {
            let binding = Binding { digest, generation: 0, alias: None, base: self.base };
            applied.insert(digest, Applied::One(binder.adapters.lease(&binding, &model).await.unwrap()));
        }
        let mut cache = model.new_cache(prompt.len() + ids.len()).unwrap();
        let mut forward = |ids: &[u32], version: &Digest| {
            let adapter = Some(applied[version].weights_at(0));
            let mut turn = [Continued { ids, cache: &mut cache, adapter, wants: Wanted::Last }];
            let logits = model.decoder().forward_batch(&mut turn).unwrap();
            logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        if begins > 0 {
            forward(&prompt[..begins], &first);
        }
        let (mut next, mut said) = (prompt[begins..].to_vec(), Vec::new());
        let mut sampler = Sampler::new(sampling.clone(), prompt, &[]);
        for token in 0..ids.len() {
            let (_, version) = versions.iter().rfind(|(at, _)| *at <= token).unwrap();
            said.push(sampler.choose(&forward(&next, version)).unwrap().id);
            next = vec![said[token]];
        }
        said
    }

    /// Whether the versions say what was answered. One that is moved before its first token may have computed a part of its prompt
    /// with the version before.
    async fn holds(&self, answered: &Answered) -> bool {
        let moved_at_once = answered.versions.get(1).is_some_and(|(at, _)| *at == 0);
        let most = if moved_at_once { answered.prompt.len() - 1 } else { 0 };
        for begins in 0..=most {
            if self.reference(answered, (begins, answered.versions[0].1)).await == answered.ids {
                return true;
            }
        }
        false
    }
}

#[tokio::test]
async fn a_switched_answer_is_of_the_old_version_before_the_switch_and_of_the_new_one_after_it_whoever_was_preempted()
 {
    for seed in SEEDS {
        let stage = Stage::new().await;
        let answers = stage.answers(seed).await;
        for Answered { ids, sampling, .. } in &answers {
            assert_eq!(ids.len(), sampling.max_tokens, "seed {seed}");
        }
        for answered in &answers {
            let Answered { prompt, ids, versions, .. } = answered;
            assert!(stage.holds(answered).await, "seed {seed}: {prompt:?} gave {ids:?} with {versions:?}");
        }
        let switches: usize = answers.iter().map(|answered| answered.versions.len() - 1).sum();
        let preemptions = stage.world.metric("rootstock_inference_preemptions_total").unwrap();
        assert!(
            switches > 0 && preemptions > 0.0,
            "seed {seed}: {switches} switches, {preemptions} preemptions"
        );
        stage.world.stop().await;
    }
}
