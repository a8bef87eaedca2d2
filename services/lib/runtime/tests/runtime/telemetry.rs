//! One trace across processes: the caller's context is the parent of the server's span, and children get it handed on.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use rootstock_proto::inference::v1::GenerateRequest;
use rootstock_runtime::{ServerConfig, Telemetry, TelemetryConfig, trace};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::support::{GENERATION, said, start};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes =
            request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        endpoint
    }

    fn span(&self, name: &str) -> Span {
        let spans = self.spans.lock().unwrap();
        let found = spans.iter().find(|span| span.name == name && hex(&span.trace_id) == TRACE);
        found.unwrap_or_else(|| panic!("no span {name} among {:?}", names(&spans))).clone()
    }
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn one_trace_runs_from_the_caller_through_the_server_to_a_child_process() {
    let collector = Collector::default();
    let otlp_endpoint = Some(collector.start().await);
    let config = TelemetryConfig { otlp_endpoint, log: "off".to_owned(), ..TelemetryConfig::default() };
    let telemetry = Telemetry::init(&config).unwrap();
    assert!(Telemetry::init(&config).is_err(), "a process has one subscriber");

    let server = start(ServerConfig::default()).await;
    let mut request = Request::new(GenerateRequest { model: "traceparent".to_owned(), ..Default::default() });
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-{CALLER}-01").parse().unwrap());
    let response = server.client().generate(request).await.unwrap();
    assert_eq!(response.metadata().get("x-trace-id").unwrap(), TRACE);
    let mut stream = response.into_inner();
    let handed_on = said(stream.message().await.unwrap().unwrap());
    assert!(stream.message().await.unwrap().is_none());

    // What a worker does with the variable that the server gave it.
    let (name, value) = handed_on.split_once('=').unwrap();
    assert_eq!(name, trace::TRACEPARENT_ENV);
    let worker = tracing::info_span!("worker");
    trace::adopt_variables(&worker, vec![(name.to_owned(), value.to_owned())]);
    worker.in_scope(|| assert_eq!(trace::trace_id(&tracing::Span::current()).as_deref(), Some(TRACE)));
    drop(worker);

    server.stop().await;
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.unwrap();
    let call = collector.span(&format!("{GENERATION}/Generate"));
    assert_eq!(hex(&call.parent_span_id), CALLER);
    let worker = collector.span("worker");
    assert_eq!(worker.parent_span_id, call.span_id);
    assert!(value.contains(&hex(&call.span_id)), "{value}");
    let keys: Vec<_> = call.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(keys.contains(&"rpc.method") && keys.contains(&"rpc.grpc.status_code"), "{keys:?}");
}

#[test]
fn a_filter_or_endpoint_that_is_none_is_refused_by_name() {
    let config = TelemetryConfig { log: "rootstock=loud".to_owned(), ..TelemetryConfig::default() };
    assert!(Telemetry::init(&config).unwrap_err().to_string().contains("rootstock=loud"));
    let config =
        TelemetryConfig { otlp_endpoint: Some("not a url".to_owned()), ..TelemetryConfig::default() };
    assert!(Telemetry::init(&config).unwrap_err().to_string().contains("telemetry.otlp_endpoint"));
}
