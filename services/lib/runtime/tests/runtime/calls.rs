//! What a caller sees when a handler fails, is late, is too busy or isn't there.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::HeaderMap;
use rootstock_proto::inference::v1::adapter_service_client::AdapterServiceClient;
use rootstock_proto::inference::v1::{GenerateRequest, ListAdaptersRequest};
use rootstock_runtime::methods::Method;
use rootstock_runtime::{Admission, ErrorReason, Failure, ServerConfig};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::support::{GENERATION, eventually, reason, said, start, start_with};

#[tokio::test]
async fn a_panic_in_a_handler_is_internal_and_the_next_call_works() {
    let server = start(ServerConfig::default()).await;
    let error = server.call("panic", "a root").await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Internal, "INTERNAL"));
    assert!(!error.message().contains("a root"), "details stay in the log: {}", error.message());
    assert_eq!(server.hear("hello").await.unwrap(), ["hello"]);
    server.stop().await;
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_it_with_internal() {
    let server = start(ServerConfig::default()).await;
    let mut stream = server.call("panic in stream", "").await.unwrap();
    assert_eq!(said(stream.message().await.unwrap().unwrap()), "so far so good");
    let error = stream.message().await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Internal, "INTERNAL"));
    server.stop().await;
}

#[tokio::test]
async fn a_refused_field_is_named_and_a_defect_keeps_its_details_to_itself() {
    let server = start(ServerConfig::default()).await;
    let error = server.call("refuse", "").await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    assert_eq!(error.get_details_bad_request().unwrap().field_violations[0].field, "model");
    let error = server.call("defect", "").await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(!error.message().contains("/var/lib"), "{}", error.message());
    server.stop().await;
}

#[tokio::test]
async fn a_call_over_the_cap_is_deadline_exceeded_before_and_after_its_first_message() {
    let stream_timeout = Duration::from_millis(100);
    let server = start(ServerConfig { stream_timeout, ..ServerConfig::default() }).await;
    let error = server.call("hang", "").await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    let mut stream = server.call("hold", "forever").await.unwrap();
    assert_eq!(said(stream.message().await.unwrap().unwrap()), "holding");
    let error = stream.message().await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    server.stop().await;
}

#[tokio::test]
async fn a_handler_knows_what_is_left_of_its_callers_deadline() {
    let server = start(ServerConfig::default()).await;
    let mut request =
        tonic::Request::new(GenerateRequest { model: "deadline".to_owned(), ..Default::default() });
    request.set_timeout(Duration::from_secs(120));
    let mut stream = server.client().generate(request).await.unwrap().into_inner();
    let seconds: u64 = said(stream.message().await.unwrap().unwrap()).parse().unwrap();
    assert!((60..=120).contains(&seconds), "{seconds}");
    server.stop().await;
}

#[tokio::test]
async fn overload_is_shed_at_once_with_retry_info_while_probes_pass() {
    let server = start(ServerConfig { max_concurrent_requests: 1, ..ServerConfig::default() }).await;
    let mut running = server.call("hold", "one").await.unwrap();
    running.message().await.unwrap();

    let error = server.call("hello", "").await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(error.get_details_retry_info().unwrap().retry_delay.is_some());
    let request = HealthCheckRequest { service: GENERATION.to_owned() };
    HealthClient::new(server.channel.clone()).check(request).await.unwrap();

    server.service.gate("one").notify_one();
    assert_eq!(said(running.message().await.unwrap().unwrap()), "released");
    assert!(running.message().await.unwrap().is_none());
    assert_eq!(server.hear("hello").await.unwrap(), ["hello"], "the stream's permit is back");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_gives_its_permit_back() {
    let server = start(ServerConfig { max_concurrent_requests: 1, ..ServerConfig::default() }).await;
    let mut abandoned = server.call("hold", "nobody waits").await.unwrap();
    abandoned.message().await.unwrap();
    drop(abandoned);
    eventually("the permit is back", async || server.hear("hello").await.is_ok()).await;
    server.stop().await;
}

#[tokio::test]
async fn watches_are_counted_apart_from_work() {
    let server = start(ServerConfig { max_watches: 1, ..ServerConfig::default() }).await;
    let mut health = HealthClient::new(server.channel.clone());
    let mut first = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    first.message().await.unwrap().unwrap();
    let error = health.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(reason(&error), "OVERLOADED");
    assert_eq!(server.hear("hello").await.unwrap(), ["hello"]);
    server.stop().await;
}

#[tokio::test]
async fn what_tonic_refuses_itself_is_explained_like_everything_else() {
    let server = start(ServerConfig::default()).await;
    let too_large = GenerateRequest { model: "x".repeat(5 << 20), ..Default::default() };
    let error = server.client().generate(too_large).await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));

    let mut absent = AdapterServiceClient::new(server.channel.clone());
    let error = absent.list_adapters(ListAdaptersRequest::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    server.stop().await;
}

#[derive(Debug)]
struct NoGuests;

impl Admission for NoGuests {
    fn admit(&self, method: &Method, metadata: &HeaderMap) -> Result<(), Failure> {
        match metadata.get("guest") {
            Some(_) => Err(Failure::new(ErrorReason::WrongState, format!("no guests at {}", method.name))),
            None => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_admitted_never_reaches_its_handler() {
    let server = start_with(ServerConfig::default(), |server| server.admission(Arc::new(NoGuests))).await;
    assert_eq!(server.hear("hello").await.unwrap(), ["hello"]);
    let mut request =
        tonic::Request::new(GenerateRequest { model: "panic".to_owned(), ..Default::default() });
    request.metadata_mut().insert("guest", "yes".parse().unwrap());
    let error = server.client().generate(request).await.unwrap_err();
    assert_eq!(error.message(), "no guests at Generate");
    server.stop().await;
}

#[tokio::test]
async fn many_streams_run_side_by_side_on_one_connection() {
    let server = start(ServerConfig::default()).await;
    let mut streams = Vec::new();
    for i in 0..50 {
        streams.push(server.call("hold", &i.to_string()).await.unwrap());
    }
    for i in 0..50 {
        server.service.gate(&i.to_string()).notify_one();
    }
    for stream in streams {
        let said: Vec<_> = stream.map(|message| said(message.unwrap())).collect().await;
        assert_eq!(said, ["holding", "released"]);
    }
    server.stop().await;
}
