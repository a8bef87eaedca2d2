//! What goes with every call: the trace of the current span in W3C `traceparent` metadata, and whom the call is for.
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

/// Metadata with the tenant that a call is for; servers share their work among tenants.
const TENANT: &str = "rootstock-tenant";

/// The interceptor that adds the metadata. Without telemetry there is no trace, and without a tenant none is named.
#[derive(Clone, Debug, Default)]
pub struct Propagate {
    tenant: Option<MetadataValue<Ascii>>,
}

impl Propagate {
    /// Calls for a tenant; none if metadata can't hold the name.
    pub(crate) fn with_tenant(tenant: &str) -> Option<Self> {
        Some(Self { tenant: Some(tenant.parse().ok()?) })
    }
}

impl Interceptor for Propagate {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(tenant) = &self.tenant {
            request.metadata_mut().insert(TENANT, tenant.clone());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_goes_with_every_call_and_none_is_invented() {
        let mut named = Propagate::with_tenant("blue").unwrap();
        for _ in 0..2 {
            assert_eq!(named.call(Request::new(())).unwrap().metadata().get(TENANT).unwrap(), "blue");
        }
        assert!(Propagate::default().call(Request::new(())).unwrap().metadata().get(TENANT).is_none());
        assert!(Propagate::with_tenant("blue\n").is_none());
    }
}
