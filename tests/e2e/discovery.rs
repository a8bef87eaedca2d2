//! What a stranger finds on the port: reflection, health, metrics.
use std::collections::BTreeSet;

use rootstock_client::proto::inference::v1::AdapterTier;
use rootstock_test_support::{Server, ServerOptions, eventually, fixtures, generate, prompt_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::ROOTSTOCK;

/// Memory in which one of the adapters has room, but not two.
const ROOM_FOR_ONE: u64 = 24 << 10;

const SERVICES: [&str; 8] = [
    "rootstock.checkpoint.v1.CheckpointService",
    "rootstock.inference.v1.AdapterService",
    "rootstock.inference.v1.EncoderService",
    "rootstock.inference.v1.EvaluationService",
    "rootstock.inference.v1.GenerationService",
    "rootstock.tokenization.v1.TokenizationService",
    "rootstock.training.v1.TrainingService",
    "rootstock.training.v1.TrainingWorkerService",
];

async fn listed(endpoint: &str) -> BTreeSet<String> {
    let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect().await.unwrap();
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures::stream::iter([request]);
    let mut responses =
        ServerReflectionClient::new(channel).server_reflection_info(requests).await.unwrap().into_inner();
    match responses.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => list.service.into_iter().map(|s| s.name).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_every_service_and_health_says_that_each_serves() {
    let server = Server::start(ROOTSTOCK).await;
    let services = listed(server.endpoint()).await;
    for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(services.contains(service), "{service} is not among {services:?}");
    }
    let channel = Endpoint::from_shared(server.endpoint().to_owned()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest { service: service.into() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    assert!(health.check(HealthCheckRequest { service: "nothing".into() }).await.is_err());
}

pub(crate) async fn get(endpoint: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_calls_and_healthz_names_the_services() {
    let server = Server::start(ROOTSTOCK).await;
    server.clients().training().list_training_jobs().await.unwrap();
    let metrics = get(server.metrics_endpoint(), "/metrics").await;
    let counted = metrics.lines().any(|line| {
        line.starts_with("rootstock_rpc_calls_total")
            && line.contains("ListTrainingJobs")
            && line.ends_with(" 1")
    });
    assert!(counted, "{metrics}");
    let health = get(server.metrics_endpoint(), "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(health.contains("rootstock.checkpoint.v1.CheckpointService: SERVING"), "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_on_the_disk_is_loaded_again_while_the_store_is_away() {
    let mut store = ServerOptions::new(ROOTSTOCK).args(&["--role", "checkpoint"]).start().await;
    let inference = ServerOptions::new(ROOTSTOCK)
        .args(&["--role", "tokenizer,inference"])
        .env("ROOTSTOCK_CHECKPOINT_ENDPOINT", store.endpoint())
        .env("ROOTSTOCK_INFERENCE_ADAPTER_MEMORY_BYTES", ROOM_FOR_ONE.to_string())
        .start()
        .await;
    let clients = inference.clients_beside(&store);
    let base = fixtures::stage(&clients).await;
    let scaled = fixtures::scaled_adapter(3);
    for (id, dir) in [("first", &fixtures::golden("lora")), ("second", &scaled.path().to_owned())] {
        let stored = fixtures::store_adapter(&clients, dir, id, &base).await.unwrap();
        clients.adapters().publish_adapter(format!("adapters/{id}"), stored.digest, None).await.unwrap();
    }
    let ask = |adapter| generate(&clients, prompt_request(adapter, "colour 1?", 8));
    let first = ask("adapters/first").await.unwrap().ids;
    assert_ne!(ask("adapters/second").await.unwrap().ids, first);
    let listed = clients.adapters().list_adapters().await.unwrap();
    assert_eq!(listed[0].tier(), AdapterTier::OnDisk, "{listed:?}");

    store.kill9(true).await;
    assert_eq!(ask("adapters/first").await.unwrap().ids, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_in_processes_of_their_own_do_the_same_job() {
    let store = ServerOptions::new(ROOTSTOCK).args(&["--role", "checkpoint"]).start().await;
    assert!(!listed(store.endpoint()).await.contains("rootstock.training.v1.TrainingService"));
    let rest = ServerOptions::new(ROOTSTOCK)
        .args(&["--role", "tokenizer,trainer", "--role", "inference"])
        .env("ROOTSTOCK_CHECKPOINT_ENDPOINT", store.endpoint())
        .start()
        .await;
    let clients = rest.clients_beside(&store);
    fixtures::stage(&clients).await;
    let digest =
        rootstock_test_support::jobs::train(&clients, rootstock_test_support::jobs::lora_spec("a", 2, 0))
            .await;
    clients.adapters().publish_adapter("adapters/a", digest, None).await.unwrap();
    let answer = generate(&clients, prompt_request("adapters/a", "colour 1?", 4)).await.unwrap();
    assert_eq!(answer.ids.len(), 4);
    eventually(std::time::Duration::from_secs(5), "the lease is given back", || async {
        let listed = clients.adapters().list_adapters().await.ok()?;
        (listed[0].leases == 0).then_some(())
    })
    .await;
}
