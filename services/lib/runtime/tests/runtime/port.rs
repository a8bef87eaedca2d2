//! What the ports show without knowing the contract: reflection, health, `/metrics` and `/healthz`.

use rootstock_runtime::{ServerConfig, metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::support::{GENERATION, Running, eventually, reason, start};

/// Asks one reflection service for the names it lists; the two versions have the same shape under different types.
macro_rules! listed {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let request = ServerReflectionRequest { message_request, ..Default::default() };
        let mut answers = ServerReflectionClient::new($channel)
            .server_reflection_info(tokio_stream::once(request))
            .await
            .unwrap()
            .into_inner();
        match answers.message().await.unwrap().unwrap().message_response {
            Some(MessageResponse::ListServicesResponse(list)) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_what_is_mounted_in_both_versions() {
    let server = start(ServerConfig::default()).await;
    let mut v1 = listed!(v1, server.channel.clone());
    v1.sort();
    assert_eq!(v1, ["grpc.health.v1.Health", GENERATION]);
    let mut v1alpha = listed!(v1alpha, server.channel.clone());
    v1alpha.sort();
    assert_eq!(v1alpha, v1);
    server.stop().await;
}

#[tokio::test]
async fn health_is_per_service_and_the_process_serves_when_all_do() {
    let server = start(ServerConfig::default()).await;
    let mut client = HealthClient::new(server.channel.clone());
    let mut check = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        client.check(request).await.map(|response| response.into_inner().status())
    };
    assert_eq!(check(GENERATION).await.unwrap(), ServingStatus::Serving);
    assert_eq!(check("").await.unwrap(), ServingStatus::Serving);
    server.health.set("rootstock.other.v1.OtherService", false);
    assert_eq!(check("").await.unwrap(), ServingStatus::NotServing);
    assert_eq!(check(GENERATION).await.unwrap(), ServingStatus::Serving);
    let error = check("nobody").await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::NotFound, "NOT_FOUND"));
    server.stop().await;
}

async fn get(server: &Running, path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = metrics::serve_http(
        listener,
        server.metrics.clone(),
        server.health.clone(),
        rootstock_runtime::Shutdown::new(),
    );
    let serving = tokio::spawn(serving);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    serving.abort();
    response
}

#[tokio::test]
async fn metrics_count_calls_by_service_method_and_code() {
    let server = start(ServerConfig::default()).await;
    server.hear("hello").await.unwrap();
    server.call("refuse", "").await.unwrap_err();
    let labels = format!("service=\"{GENERATION}\",method=\"Generate\"");
    let ok = format!("rootstock_rpc_calls_total{{{labels},code=\"OK\"}} 1");
    eventually("the call is counted", async || server.metrics.encode().unwrap().contains(&ok)).await;

    let page = get(&server, "/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for line in [
        ok,
        format!("rootstock_rpc_calls_total{{{labels},code=\"INVALID_ARGUMENT\"}} 1"),
        format!("rootstock_rpc_seconds_count{{{labels},code=\"OK\"}} 1"),
        format!("rootstock_rpc_in_flight{{{labels}}} 0"),
    ] {
        assert!(page.contains(&line), "{line} is missing from\n{page}");
    }
    server.stop().await;
}

#[tokio::test]
async fn healthz_names_the_service_that_is_not_ready() {
    let server = start(ServerConfig::default()).await;
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200"));
    server.health.set("rootstock.other.v1.OtherService", false);
    let page = get(&server, "/healthz").await;
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.contains("rootstock.other.v1.OtherService: NOT_SERVING"), "{page}");
    server.stop().await;
}
