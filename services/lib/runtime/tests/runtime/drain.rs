//! How a server stops: nothing new comes in, what runs finishes, and what doesn't finish is cut with a reason.

use std::time::Duration;

use rootstock_runtime::ServerConfig;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::support::{GENERATION, connect, eventually, reason, said, start};

#[tokio::test]
async fn a_running_stream_finishes_while_newcomers_are_refused() {
    let server = start(ServerConfig::default()).await;
    let mut stream = server.call("hold", "slow").await.unwrap();
    assert_eq!(said(stream.message().await.unwrap().unwrap()), "holding");

    server.shutdown.request();
    let address = server.address;
    eventually("the port is closed", async || connect(address).await.is_err()).await;
    // tonic's client may call the closed connection CANCELLED; what counts is that no handler saw the call.
    server.hear("hello").await.unwrap_err();
    assert!(!server.metrics.encode().unwrap().contains("rootstock_rpc_calls_total{"), "no call has ended");

    server.service.gate("slow").notify_one();
    assert_eq!(said(stream.message().await.unwrap().unwrap()), "released");
    assert!(stream.message().await.unwrap().is_none(), "it ends with OK");
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_watch_hears_not_serving_and_is_sent_elsewhere_without_holding_up_the_drain() {
    let server =
        start(ServerConfig { drain_grace: Duration::from_secs(600), ..ServerConfig::default() }).await;
    let request = HealthCheckRequest { service: GENERATION.to_owned() };
    let mut watch = HealthClient::new(server.channel.clone()).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    server.shutdown.request();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let error = watch.message().await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    server.health.set(GENERATION, true);
    assert_eq!(server.health.is_serving(GENERATION), Some(false), "a late readiness doesn't undo the drain");
    server.stop().await;
}

#[tokio::test]
async fn what_outlives_the_grace_is_cut_with_shutting_down() {
    let server =
        start(ServerConfig { drain_grace: Duration::from_millis(100), ..ServerConfig::default() }).await;
    let mut stream = server.call("hold", "never").await.unwrap();
    stream.message().await.unwrap();
    let hanging = tokio::spawn({
        let mut client = server.client();
        async move {
            let model = "hang".to_owned();
            client
                .generate(rootstock_proto::inference::v1::GenerateRequest { model, ..Default::default() })
                .await
        }
    });
    eventually("both calls run", async || server.metrics.encode().unwrap().contains("Generate\"} 2")).await;

    server.shutdown.request();
    let error = stream.message().await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    let error = hanging.await.unwrap().unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    server.stop().await;
}

#[tokio::test]
async fn with_a_delay_the_server_says_not_serving_first_and_goes_on_for_a_while() {
    let config = ServerConfig { drain_delay: Duration::from_millis(300), ..ServerConfig::default() };
    let server = start(config).await;
    server.shutdown.request();
    eventually("not serving", async || server.health.is_serving("") == Some(false)).await;
    assert_eq!(server.hear("hello").await.unwrap(), ["hello"]);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_past_its_age_finishes_its_streams_and_new_calls_find_another() {
    let max_connection_age = Some(Duration::from_millis(50));
    let server = start(ServerConfig { max_connection_age, ..ServerConfig::default() }).await;
    let mut stream = server.call("hold", "old").await.unwrap();
    stream.message().await.unwrap();
    for _ in 0..100 {
        // The first call after a GOAWAY may find out that its connection takes no more: it was never sent, and
        // goes through on the next one.
        let answer = match server.hear("hello").await {
            Err(unsent) if unsent.code() == Code::Cancelled => server.hear("hello").await,
            answer => answer,
        };
        assert_eq!(answer.unwrap(), ["hello"]);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.service.gate("old").notify_one();
    assert_eq!(said(stream.message().await.unwrap().unwrap()), "released");
    server.stop().await;
}
