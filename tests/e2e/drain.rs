//! SIGTERM under load: what runs is finished, and nothing is lost.
use std::time::Duration;

use futures::future::join_all;
use rootstock_test_support::{Server, fixtures, generate, prompt_request, start_generation};

use crate::ROOTSTOCK;

const STREAMS: usize = 8;
const TOKENS: i32 = 96;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_running_streams_loses_none_and_ends_with_0() {
    let mut server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let request = |stream: usize| prompt_request("", &format!("colour {stream}?"), TOKENS);
    let alone = generate(&clients, request(0)).await.unwrap();
    let streams = join_all((0..STREAMS).map(|stream| start_generation(&clients, request(stream)))).await;
    server.ask_to_end().await;
    let finished = join_all(streams.into_iter().map(async |stream| stream.unwrap().finish().await)).await;
    for (stream, answer) in finished.into_iter().enumerate() {
        let answer = answer.unwrap_or_else(|error| panic!("stream {stream} was lost: {error:?}"));
        assert_eq!(answer.finished.completion_tokens, TOKENS);
        if stream == 0 {
            assert_eq!(answer.ids, alone.ids);
        }
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), server.ended()).await.expect("it ends soon");
    assert!(ended.success(), "{ended}");
    assert!(start_generation(&clients, request(0)).await.is_err(), "nobody listens any more");
}
