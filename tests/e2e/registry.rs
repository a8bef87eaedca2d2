//! Names of adapters at work: canaries, retirement, what running requests do at a publish, and pins that outlive the server.
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use rootstock_client::proto::common::v1::RunningRequests;
use rootstock_client::proto::inference::v1::{AdapterTier, GenerateRequest, PublishAdapterRequest};
use rootstock_client::{ClientError, Clients, ErrorReason};
use rootstock_test_support::streams::Generated;
use rootstock_test_support::{
    Server, ServerOptions, eventually, fixtures, generate, prompt_request, rootstock, start_generation,
};

use crate::{ROOTSTOCK, refusal};

const ADAPTER: &str = "adapters/colours";
const PROMPT: &str = "Question: colour?\nAnswer:";
/// As many as fit the context after the prompt.
const TOKENS: i32 = 100;
/// Requests of which most wait while one is computed.
const REQUESTS: usize = 24;

/// Two versions of an adapter in the store; gives their digests.
async fn stage(server: &Server) -> [String; 2] {
    let clients = server.clients();
    let base = fixtures::stage(&clients).await;
    let first = fixtures::store_adapter(&clients, &fixtures::golden("lora"), "colours", &base).await.unwrap();
    let other = fixtures::scaled_adapter(3);
    let second = fixtures::store_adapter(&clients, other.path(), "colours", &base).await.unwrap();
    [first.digest, second.digest]
}

async fn publish(clients: &Clients, digest: &str, change: PublishAdapterRequest) {
    let request = PublishAdapterRequest { name: ADAPTER.into(), digest: digest.into(), ..change };
    clients.adapters().publish(request).await.unwrap();
}

fn canary(share: f64) -> PublishAdapterRequest {
    PublishAdapterRequest { canary_share: Some(share), ..PublishAdapterRequest::default() }
}

/// Which of many keys get the canary.
async fn keys_on_canary(clients: &Clients, keys: usize) -> Vec<usize> {
    let asked = stream::iter(0..keys).map(|key| async move {
        let request =
            GenerateRequest { routing_key: format!("user {key}"), ..prompt_request(ADAPTER, PROMPT, 1) };
        let started = generate(clients, request).await.unwrap().started;
        started.canary.then_some(key)
    });
    asked.buffered(32).filter_map(std::future::ready).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_keeps_its_share_and_its_keys_over_a_restart_until_it_is_published_to_all() {
    const KEYS: usize = 400;
    let mut server = Server::start(ROOTSTOCK).await;
    let versions = stage(&server).await;
    let clients = server.clients();
    publish(&clients, &versions[0], PublishAdapterRequest::default()).await;
    publish(&clients, &versions[1], canary(0.2)).await;
    let fifth = keys_on_canary(&clients, KEYS).await;
    // Four standard deviations of a binomial distribution.
    assert!(fifth.len().abs_diff(KEYS / 5) <= 32, "{} of {KEYS}", fifth.len());
    drop(clients);
    server.kill9(true).await;
    server.start_again().await;
    let clients = server.clients();
    assert_eq!(keys_on_canary(&clients, KEYS).await, fifth);
    publish(&clients, &versions[1], canary(0.5)).await;
    let half = keys_on_canary(&clients, KEYS).await;
    assert!(fifth.iter().all(|key| half.contains(key)) && half.len().abs_diff(KEYS / 2) <= 40);

    let back = clients.adapters().rollback_adapter(ADAPTER, 0).await.unwrap().adapter.unwrap();
    assert_eq!((back.digest.as_str(), back.canary_digest.as_str()), (versions[0].as_str(), ""));
    assert_eq!(keys_on_canary(&clients, 20).await, Vec::<usize>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_stands_for_nothing_is_an_error_though_its_digest_is_in_memory() {
    let server = ServerOptions::new(ROOTSTOCK).start().await;
    let versions = stage(&server).await;
    let clients = server.clients();
    publish(&clients, &versions[0], PublishAdapterRequest::default()).await;
    let ask = async |adapter: &str| generate(&clients, prompt_request(adapter, PROMPT, 1)).await;
    let version = format!("{ADAPTER}/versions/{}", versions[0]);
    ask(&version).await.unwrap();
    let elsewhere = version.replace("colours", "elsewhere");
    refusal(ask(&elsewhere).await, ErrorReason::NotFound);
    let base = ask(ADAPTER).await.unwrap().started.base_digest;
    let model = format!("baseModels/elsewhere/versions/{base}");
    let request = GenerateRequest { model, ..prompt_request(ADAPTER, PROMPT, 1) };
    refusal(generate(&clients, request).await, ErrorReason::NotFound);
    publish(&clients, &versions[1], PublishAdapterRequest::default()).await;
    clients.checkpoint().delete_artifact(&versions[0]).await.unwrap();
    refusal(ask(&version).await, ErrorReason::NotFound);
    refusal(ask(&versions[0]).await, ErrorReason::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_adapter_is_gone_for_those_who_ask_later_and_can_be_published_again() {
    let server = ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_INFERENCE_MAX_RUNNING", "1").start().await;
    let versions = stage(&server).await;
    let clients = server.clients();
    publish(&clients, &versions[0], PublishAdapterRequest::default()).await;
    let alone = generate(&clients, prompt_request(ADAPTER, PROMPT, TOKENS)).await.unwrap().ids;
    let admitted =
        join_all((0..REQUESTS).map(|_| start_generation(&clients, prompt_request(ADAPTER, PROMPT, TOKENS))))
            .await;
    assert_eq!(clients.adapters().retire_adapter(ADAPTER, Some(1)).await.unwrap(), 2);
    let told = refusal(generate(&clients, prompt_request(ADAPTER, PROMPT, 1)).await, ErrorReason::NotFound);
    // The newest version is another one.
    assert!(told.contains("retired") && told.contains(&versions[0]), "{told}");
    assert_eq!(clients.adapters().list_adapters().await.unwrap(), []);
    for admitted in admitted {
        assert_eq!(admitted.unwrap().finish().await.unwrap().ids, alone);
    }
    publish(&clients, &versions[1], PublishAdapterRequest::default()).await;
    let again = generate(&clients, prompt_request(ADAPTER, PROMPT, 1)).await.unwrap();
    assert_eq!(again.started.adapter_generation, 3);
}

/// What becomes of requests, most of which wait for their turn, when the second version is published.
async fn under_way_at(running: RunningRequests) -> (Vec<Result<Generated, ClientError>>, [Vec<u32>; 2]) {
    let server = ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_INFERENCE_MAX_RUNNING", "1").start().await;
    let versions = stage(&server).await;
    let clients = server.clients();
    let mut alone = [Vec::new(), Vec::new()];
    for (version, ids) in versions.iter().zip(&mut alone) {
        publish(&clients, version, PublishAdapterRequest::default()).await;
        *ids = generate(&clients, prompt_request(ADAPTER, PROMPT, TOKENS)).await.unwrap().ids;
    }
    publish(&clients, &versions[0], PublishAdapterRequest::default()).await;
    let asked = (0..REQUESTS).map(|_| start_generation(&clients, prompt_request(ADAPTER, PROMPT, TOKENS)));
    let started = join_all(asked).await;
    let change =
        PublishAdapterRequest { running_requests: running.into(), ..PublishAdapterRequest::default() };
    publish(&clients, &versions[1], change).await;
    let ended = join_all(started.into_iter().map(async |stream| stream?.finish().await)).await;
    (ended, alone)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_shall_abort_say_that_their_adapter_was_replaced() {
    let (ended, alone) = under_way_at(RunningRequests::Abort).await;
    let mut aborted = 0;
    for answer in ended {
        match answer {
            Ok(finished) => assert_eq!(finished.ids, alone[0], "it had finished before"),
            Err(error) => {
                assert!(error.is(ErrorReason::AdapterReplaced), "{error}");
                aborted += 1;
            }
        }
    }
    assert!(aborted > 0, "all had finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_shall_switch_say_at_which_token_they_did() {
    let (ended, alone) = under_way_at(RunningRequests::Switch).await;
    let mut switches = 0;
    for answer in ended {
        let Generated { ids, switched, started, .. } = answer.unwrap();
        assert_eq!((started.adapter_generation, ids.len()), (3, TOKENS as usize));
        let [to] = &switched[..] else {
            assert_eq!(ids, alone[0], "it had finished before");
            continue;
        };
        let at = to.at_token as usize;
        assert_eq!((to.adapter_generation, &ids[..at]), (4, &alone[0][..at]));
        if at == 0 {
            assert_eq!(ids, alone[1], "nothing was computed with the version before");
        }
        switches += 1;
    }
    assert!(switches > 0, "all had finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_is_in_memory_after_a_restart_before_anybody_asks() {
    let mut server = Server::start(ROOTSTOCK).await;
    let versions = stage(&server).await;
    let verb = async |server: &Server, args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    verb(&server, &["adapters", "publish", "colours", "--digest", &versions[0]]).await.ok();
    let canary = ["adapters", "publish", "colours", "--digest", &versions[1], "--canary-share", "0.25"];
    assert_eq!(verb(&server, &[&canary[..], &["--json"]].concat()).await.json()["canary_share"], 0.25);
    assert_eq!(verb(&server, &["adapters", "pin", "colours", "--json"]).await.json()["pinned"], true);
    server.kill9(true).await;
    server.start_again().await;
    let listed = server.clients().adapters().list_adapters().await.unwrap();
    let [adapter] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((adapter.pinned, adapter.tier()), (true, AdapterTier::InMemory));
    assert_eq!((adapter.canary_digest.as_str(), adapter.canary_share), (versions[1].as_str(), 0.25));
    assert_eq!(verb(&server, &["adapters", "unpin", "colours", "--json"]).await.json()["pinned"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_versions_of_a_name_are_those_that_it_stood_for_whatever_they_were_stored_as() {
    let server = Server::start(ROOTSTOCK).await;
    let versions = stage(&server).await;
    let verb = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    // As lists show it.
    let shortened = &versions[0][..19];
    verb(&["adapters", "publish", "pins", "--digest", shortened]).await.ok();
    verb(&["adapters", "publish", "pins", "--digest", &versions[1]]).await.ok();
    let refused = verb(&["adapters", "publish", "pins", "--digest", "sha256:"]).await.refused();
    assert!(refused.contains("is no digest"), "{refused}");
    verb(&["adapters", "retire", "pins"]).await.ok();
    let listed = verb(&["adapters", "versions", "pins", "--json"]).await.json();
    let told = |place: usize| (listed[place]["digest"].as_str(), listed[place]["published"].as_bool());
    assert_eq!(told(0), (Some(versions[1].as_str()), Some(false)), "{listed}");
    assert_eq!(told(1), (Some(versions[0].as_str()), Some(false)), "{listed}");
    assert_eq!((&listed[0]["generations"][0], &listed[1]["generations"][0]), (&2.into(), &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_the_adapters_prints_a_line_of_json_for_each_change() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let server = Server::start(ROOTSTOCK).await;
    let versions = stage(&server).await;
    let clients = server.clients();
    publish(&clients, &versions[0], PublishAdapterRequest::default()).await;
    let mut verb = tokio::process::Command::new(ROOTSTOCK);
    verb.args(["adapters", "watch"]).env("ROOTSTOCK_ENDPOINT", server.endpoint()).kill_on_drop(true);
    let mut watching = verb.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = async || -> serde_json::Value {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        serde_json::from_str(&line.expect("a line in time").unwrap().expect("no end")).unwrap()
    };
    let first = next().await;
    assert_eq!((&first["name"], &first["tier"]), (&ADAPTER.into(), &"in memory".into()));
    publish(&clients, &versions[1], PublishAdapterRequest::default()).await;
    while next().await["generation"] != 2 {}
    rootstock(ROOTSTOCK, server.endpoint(), &["adapters", "retire", "colours"]).await.ok();
    while next().await["retired"] != true {}
    eventually(Duration::from_secs(5), "it is listed no more", || async {
        clients.adapters().list_adapters().await.unwrap().is_empty().then_some(())
    })
    .await;
}
