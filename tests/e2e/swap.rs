//! Swapping adapters in a running server: each request finishes on the generation it began with.
use futures::future::join_all;
use rootstock_client::ErrorReason;
use rootstock_test_support::{Server, fixtures, generate, prompt_request, start_generation};

use crate::{ROOTSTOCK, refusal};

const STREAMS: usize = 8;
const TOKENS: i32 = 64;
const ADAPTER: &str = "adapters/colours";

/// A server with two versions of one adapter; gives their digests.
async fn stage() -> (Server, [String; 2]) {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let base = fixtures::stage(&clients).await;
    let first = fixtures::store_adapter(&clients, &fixtures::golden("lora"), "colours", &base).await.unwrap();
    let other = fixtures::scaled_adapter(3);
    let second = fixtures::store_adapter(&clients, other.path(), "colours", &base).await.unwrap();
    (server, [first.digest, second.digest])
}

fn prompt(stream: usize) -> String {
    format!("Question: colour {stream}?\nAnswer:")
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_finish_on_the_generation_they_began_with_and_say_what_it_alone_would() {
    let (server, versions) = stage().await;
    let clients = server.clients();
    // The reference: each version alone, without anything else in the server.
    let mut alone = Vec::new();
    for version in &versions {
        let name = format!("{ADAPTER}/versions/{version}");
        let mut texts = Vec::new();
        for stream in 0..STREAMS {
            texts.push(generate(&clients, prompt_request(&name, &prompt(stream), TOKENS)).await.unwrap().ids);
        }
        alone.push(texts);
    }
    assert_ne!(alone[0], alone[1], "the versions differ");

    clients.adapters().publish_adapter(ADAPTER, &versions[0], Some(0)).await.unwrap();
    let requests = (0..STREAMS).map(|stream| prompt_request(ADAPTER, &prompt(stream), TOKENS));
    let mut before =
        join_all(requests.clone().map(async |request| start_generation(&clients, request).await.unwrap()))
            .await;
    for stream in &mut before {
        stream.read(2).await.unwrap();
    }
    let published = clients.adapters().publish_adapter(ADAPTER, &versions[1], Some(1)).await.unwrap();
    assert_eq!(published.adapter.unwrap().generation, 2);
    assert!(published.swap_ms > 0.0);
    let after = join_all(requests.map(async |request| generate(&clients, request).await.unwrap())).await;
    let before = join_all(before.into_iter().map(async |stream| stream.finish().await.unwrap())).await;

    for (answers, version, generation) in [(before, 0, 1), (after, 1, 2)] {
        for (stream, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.started.adapter_digest, versions[version], "stream {stream}");
            assert_eq!(answer.started.adapter_generation, generation);
            assert_eq!(answer.finished.completion_tokens, TOKENS);
            assert_eq!(answer.ids, alone[version][stream], "stream {stream} of generation {generation}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_serves_the_version_before_and_says_so_in_its_generation() {
    let (server, versions) = stage().await;
    let clients = server.clients();
    let adapters = clients.adapters();
    refusal(adapters.rollback_adapter(ADAPTER, 0).await, ErrorReason::NotFound);
    adapters.publish_adapter(ADAPTER, &versions[0], None).await.unwrap();
    refusal(adapters.rollback_adapter(ADAPTER, 0).await, ErrorReason::NoPreviousVersion);
    let first = generate(&clients, prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap();
    adapters.publish_adapter(ADAPTER, &versions[1], None).await.unwrap();
    let second = generate(&clients, prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap();

    let back = adapters.rollback_adapter(ADAPTER, 0).await.unwrap().adapter.unwrap();
    assert_eq!((back.digest.as_str(), back.generation), (versions[0].as_str(), 3));
    let third = generate(&clients, prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap();
    assert_eq!(third.ids, first.ids);
    assert_eq!(third.started.adapter_generation, 3);
    let forward = adapters.rollback_adapter(ADAPTER, 2).await.unwrap().adapter.unwrap();
    assert_eq!((forward.digest.as_str(), forward.generation), (versions[1].as_str(), 4));
    assert_eq!(generate(&clients, prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap().ids, second.ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_publish_at_once_one_is_told_that_the_alias_moved() {
    let (server, versions) = stage().await;
    let clients = server.clients();
    let adapters = clients.adapters();
    adapters.publish_adapter(ADAPTER, &versions[0], Some(0)).await.unwrap();
    refusal(adapters.publish_adapter(ADAPTER, &versions[1], Some(0)).await, ErrorReason::AliasMoved);
    let listed = adapters.list_adapters().await.unwrap();
    assert_eq!((listed.len(), listed[0].generation, listed[0].digest.as_str()), (1, 1, versions[0].as_str()));
    assert!(listed[0].resident && listed[0].memory_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_published_after_a_restart() {
    let (mut server, versions) = stage().await;
    let before = {
        let clients = server.clients();
        clients.adapters().publish_adapter(ADAPTER, &versions[0], None).await.unwrap();
        generate(&clients, prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap()
    };
    server.kill9(true).await;
    server.start_again().await;
    let after = generate(&server.clients(), prompt_request(ADAPTER, &prompt(0), 16)).await.unwrap();
    assert_eq!(after.ids, before.ids);
    assert_eq!(after.started.adapter_generation, 1);
}
