//! Carries the trace of the current span to the server, in W3C `traceparent` metadata.
use opentelemetry::trace::TraceContextExt;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What the generated clients run on.
pub type Transport = InterceptedService<Channel, Propagate>;

/// Metadata with the trace id, the span id and whether the trace is recorded.
const TRACEPARENT: &str = "traceparent";
/// Metadata with what other tracing systems add.
const TRACESTATE: &str = "tracestate";

/// The interceptor that adds the metadata. Without telemetry there is no trace, and nothing is added.
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagate;

impl Interceptor for Propagate {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let context = Span::current().context();
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return Ok(request);
        }
        let parent = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        if let Ok(value) = parent.parse::<MetadataValue<Ascii>>() {
            request.metadata_mut().insert(TRACEPARENT, value);
        }
        let state = span.trace_state().header();
        if let Some(value) =
            Some(state).filter(|state| !state.is_empty()).and_then(|state| state.parse().ok())
        {
            request.metadata_mut().insert(TRACESTATE, value);
        }
        Ok(request)
    }
}
