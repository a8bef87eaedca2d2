//! W3C trace context at the edges of a process: into the server's span, out to calls, down to child processes.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The environment variable that hands a trace to a child process.
pub const TRACEPARENT_ENV: &str = "TRACEPARENT";

/// The environment variable that goes with it where a vendor has added state.
pub const TRACESTATE_ENV: &str = "TRACESTATE";

/// Makes the caller's span, if the request's metadata names one, the parent of `span`, which must not have been
/// entered yet.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    adopt(span, &TraceContextPropagator::new().extract(&Headers(headers)));
}

/// Adds the current span's trace context to the metadata of an outgoing call.
pub fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeadersMut(headers));
}

/// The environment variables with which a child process continues the current span's trace.
pub fn child_env() -> Vec<(String, String)> {
    let mut env = Variables(Vec::new());
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut env);
    env.0
}

/// Makes the span that the parent process handed over in its environment the parent of `span`, which must not have
/// been entered yet. Does nothing where there is none.
pub fn adopt_env(span: &Span) {
    let read = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
    adopt_variables(span, [TRACEPARENT_ENV, TRACESTATE_ENV].into_iter().filter_map(read).collect());
}

/// [`adopt_env`] with the variables given.
pub fn adopt_variables(span: &Span, variables: Vec<(String, String)>) {
    adopt(span, &TraceContextPropagator::new().extract(&Variables(variables)));
}

/// The id of the trace a span belongs to, as 32 hexadecimal digits; `None` where telemetry isn't initialised.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let id = context.span().span_context().trace_id();
    (id != opentelemetry::TraceId::INVALID).then(|| id.to_string())
}

fn adopt(span: &Span, context: &Context) {
    if context.span().span_context().is_valid() {
        // It fails where no telemetry layer listens, and then there is nothing to link.
        let _ = span.set_parent(context.clone());
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

/// Environment variables, whose names are the header names in capitals.
struct Variables(Vec<(String, String)>);

impl Extractor for Variables {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Injector for Variables {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.push((key.to_ascii_uppercase(), value));
        }
    }
}
