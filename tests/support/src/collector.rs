//! An OpenTelemetry collector that keeps the spans it is sent.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A span as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedSpan {
    /// The process that sent it.
    pub process: String,
    /// What it is called.
    pub name: String,
    /// Its trace, in hexadecimal.
    pub trace: String,
    /// Its id, in hexadecimal.
    pub id: String,
    /// The id of its parent; empty for the root.
    pub parent: String,
    /// Its attributes that are text.
    pub attributes: BTreeMap<String, String>,
}

/// A running collector; it runs as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Collector {
    endpoint: String,
    spans: Arc<Mutex<Vec<CollectedSpan>>>,
}

struct Sink(Arc<Mutex<Vec<CollectedSpan>>>);

impl Collector {
    /// Starts a collector on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let spans = Arc::default();
        let sink = TraceServiceServer::new(Sink(Arc::clone(&spans)));
        let server = tonic::transport::Server::builder().add_service(sink);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { endpoint, spans }
    }

    /// Where spans are to be sent.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What was sent so far.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let described = resource.resource.map(|resource| texts(resource.attributes)).unwrap_or_default();
            let process = described.get("service.name").cloned().unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(CollectedSpan {
                    process: process.clone(),
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    attributes: texts(span.attributes),
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .filter_map(|attribute| match attribute.value {
            Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some((attribute.key, text)),
            _ => None,
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
