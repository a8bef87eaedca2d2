//! Running requests at a publish: they finish, go on with the new version at a token, or end; as the publisher says.

use futures::StreamExt;
use rootstock_model::{Continued, Wanted};
use rootstock_runtime::ErrorReason;

use super::*;
use crate::{
    adapters::{Applied, Binding},
    bind::Wanted::Sum as Summed,
    config::Config,
    engine::{Event, Output, Switched},
    generation::Request,
    publish::Change,
    store::Target,
    tests::{World, eventually, read, request},
};

const NAME: &str = "adapters/a";
const TOKENS: usize = 24;

struct Stage {
    world: World,
    base: Digest,
    versions: [Digest; 2],
}

/// Two versions, the first published, in a server whose sequences stop until their clients read.
async fn stage() -> Stage {
    let world = World::start(Config { output_buffer: 1, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    let versions = [world.store.put_adapter(base, 1), world.store.put_adapter(base, 2)];
    world.publish(NAME, versions[0], Change::Version(Running::Finish)).await.unwrap();
    Stage { world, base, versions }
}

fn version(digest: Digest) -> String {
    format!("{NAME}/versions/{digest}")
}

impl Stage {
    /// A request that has begun to generate, and waits for its client.
    async fn running(&self, adapter: &str) -> Output {
        let (_, output) = self.world.begin(request("", adapter, TOKENS)).await.unwrap();
        let parked = || self.world.metric("rootstock_inference_parked") == Some(1.0);
        eventually("the sequence waits for its client", parked).await;
        output
    }

    async fn publish(&self, running: Running) {
        self.world.publish(NAME, self.versions[1], Change::Version(running)).await.unwrap();
    }

    /// What the first version says for so many tokens, and then the second one on the same keys and values.
    async fn reference(&self, first: usize) -> Vec<u32> {
        let binder = &self.world.core.generation.binder;
        let model = binder.models.get(self.base).await.unwrap();
        let mut leases = Vec::new();
        for digest in self.versions {
            let binding = Binding { digest, generation: 0, alias: None, base: self.base };
            leases.push(Applied::One(binder.adapters.lease(&binding, &model).await.unwrap()));
        }
        let mut next = model.tokenizer().unwrap().encode_ids("the quick brown", true).unwrap();
        let mut cache = model.new_cache(next.len() + TOKENS).unwrap();
        let mut ids = Vec::new();
        for token in 0..TOKENS {
            let adapter = Some(leases[usize::from(token >= first)].weights_at(0));
            let mut turn = [Continued { ids: &next, cache: &mut cache, adapter, wants: Wanted::Last }];
            let logits = model.decoder().forward_batch(&mut turn).unwrap();
            let logits = logits.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let best =
                (0..logits.len()).fold(0, |best, id| if logits[id] > logits[best] { id } else { best });
            ids.push(best as u32);
            next = vec![best as u32];
        }
        ids
    }
}

/// Reads to the end; gives the tokens, and where another version began.
async fn read_switched(mut output: Output) -> (Vec<u32>, Vec<Switched>) {
    let (mut ids, mut switched) = (Vec::new(), Vec::new());
    while let Some(event) = output.next().await {
        match event {
            Event::Delta(delta) => {
                ids.push(delta.token.id);
                switched.extend(delta.switched);
            }
            Event::Finished(_) => return (ids, switched),
            other => panic!("{other:?}"),
        }
    }
    panic!("the last event is missing after {ids:?}");
}

#[tokio::test]
async fn a_request_that_switches_goes_on_with_the_new_version_on_the_keys_and_values_it_has() {
    let stage = stage().await;
    let (running, fixed) = (
        stage.running(NAME).await,
        stage.world.begin(request("", &version(stage.versions[0]), TOKENS)).await.unwrap().1,
    );
    stage.publish(Running::Switch).await;
    let supplied = || stage.world.core.aliases.awaited(&NAME.parse().unwrap()).is_empty();
    eventually("the new version is there for it", supplied).await;
    let (ids, switched) = read_switched(running).await;
    let [switched] = switched[..] else { panic!("{switched:?}") };
    assert_eq!(switched.to, Bound { digest: stage.versions[1], generation: 2, canary: false });
    assert!((1..4).contains(&switched.at_token), "{switched:?}");
    assert_eq!(ids, stage.reference(switched.at_token).await);
    assert_ne!(ids, stage.reference(TOKENS).await);
    // Who asked for a version by its digest keeps it.
    assert_eq!(read(fixed).await.0, stage.reference(TOKENS).await);
    assert_eq!(stage.world.adapters().await[0].leases, 0);
}

#[tokio::test]
async fn a_request_that_is_aborted_says_that_its_adapter_was_replaced() {
    let stage = stage().await;
    let running = stage.running(NAME).await;
    stage.publish(Running::Abort).await;
    // Though its client doesn't read: it gives its memory back at once.
    let given_back = || stage.world.metric("rootstock_inference_kv_cache_bytes") == Some(0.0);
    eventually("the sequence has ended", given_back).await;
    let (ids, end) = read(running).await;
    let error = end.unwrap_err();
    assert_eq!(error.reason(), ErrorReason::AdapterReplaced);
    assert!(error.to_string().contains("generation 2") && ids.len() < TOKENS, "{error} after {ids:?}");
    // Who asks from now on is served.
    assert_eq!(stage.world.tokens("", NAME, TOKENS).await.len(), TOKENS);
}

#[tokio::test]
async fn a_sum_is_aborted_with_any_of_its_parts_and_switches_with_none() {
    for running in [Running::Switch, Running::Abort] {
        let stage = stage().await;
        let other = version(stage.versions[1]);
        let parts = [(&*other, 1.0), (NAME, 0.5)].map(|(name, weight)| (name.parse().unwrap(), weight));
        let summed = Request { adapter: Summed(parts.to_vec()), ..request("", "", TOKENS) };
        let alone = stage.world.ask(summed.clone()).await.unwrap().ids;
        let (_, output) = stage.world.begin(summed).await.unwrap();
        stage.publish(running).await;
        let awaited = stage.world.core.aliases.awaited(&NAME.parse().unwrap());
        assert!(awaited.is_empty(), "a sum waits for no version");
        let (ids, end) = read(output).await;
        match end {
            Ok(_) => assert_eq!((running, ids), (Running::Switch, alone)),
            Err(error) => {
                assert_eq!((running, error.reason()), (Running::Abort, ErrorReason::AdapterReplaced));
            }
        }
    }
}

#[tokio::test]
async fn a_move_that_another_server_makes_reaches_running_requests_too() {
    for running in [Running::Switch, Running::Abort] {
        let stage = stage().await;
        let output = stage.running(NAME).await;
        let digest = stage.versions[1];
        let moved =
            stage.world.store.set(NAME, &Target { digest, canary: None, pinned: None, running }, false);
        let aliases = &stage.world.core.aliases;
        let name = NAME.parse().unwrap();
        aliases.wait_for(&name, moved.generation).await.unwrap();
        eventually("the new version is loaded for it", || aliases.awaited(&name).is_empty()).await;
        match running {
            Running::Switch => assert_eq!(read_switched(output).await.1.len(), 1),
            _ => assert_eq!(read(output).await.1.unwrap_err().reason(), ErrorReason::AdapterReplaced),
        }
    }
}

#[tokio::test]
async fn requests_cannot_switch_to_another_base() {
    let stage = stage().await;
    let other = stage.world.store.put_model("other", 2);
    let foreign = stage.world.store.put_adapter(other, 4);
    let refused = stage.world.publish(NAME, foreign, Change::Version(Running::Switch)).await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::BaseMismatch);
}

fn record(generation: i64, digest: &[u8], running: Running) -> Alias {
    Alias {
        name: NAME.parse().unwrap(),
        digest: Digest::of(digest),
        generation,
        etag: String::new(),
        update_micros: 0,
        base: None,
        history: Vec::new(),
        canary: None,
        pinned: false,
        running,
        retired: false,
    }
}

#[test]
fn a_version_that_the_alias_still_stands_for_is_gone_on_with() {
    let follower = Follower::new(&record(1, b"one", Running::Finish), "key".into(), true);
    follower.moved(&record(2, b"one", Running::Abort));
    assert!(follower.replaced().is_none());
    follower.moved(&record(3, b"two", Running::Switch));
    assert_eq!(follower.awaits(), Some(Digest::of(b"two")));
    // Back before it was loaded.
    follower.moved(&record(4, b"one", Running::Finish));
    assert_eq!(follower.awaits(), None);
    follower.moved(&Alias { retired: true, ..record(5, b"two", Running::Abort) });
    assert!(follower.replaced().is_none() && follower.bound().generation == 1);
}
