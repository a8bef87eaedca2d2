//! A span per call, child of the caller's span, open until the last message is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::middleware::{Callee, Ending, Middleware, Next};
use crate::methods::Method;
use crate::status::code_name;
use crate::trace;

/// The response metadata with which a caller finds its call in the server's log.
pub(crate) const TRACE_ID_HEADER: &str = "x-trace-id";

/// Opens a span `rpc` with OpenTelemetry's names around a call and its stream.
///
/// `opened (parent from traceparent) -> running -> closed with the code`. Health checks and reflection get none: probes
/// would drown everything else.
#[derive(Clone)]
pub(crate) struct Trace;

impl Middleware for Trace {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        if method.is_infrastructure() {
            return next.run(request).await;
        }
        let span = open(method);
        trace::set_parent(&span, request.headers());
        let trace_id = trace::trace_id(&span);
        if let Some(id) = &trace_id {
            span.record("trace_id", id);
        }
        let ending = Ending::new({
            let span = span.clone();
            move |code| close(&span, code)
        });
        let mut response = ending.follow(next.run(request).instrument(span.clone()).await);
        if let Some(value) = trace_id.and_then(|id| HeaderValue::try_from(id).ok()) {
            response.headers_mut().insert(TRACE_ID_HEADER, value);
        }
        response.map(|inner| Body::new(InSpan { inner, span }))
    }
}

fn open(method: &Method) -> Span {
    tracing::info_span!(
        "rpc",
        otel.name = %format_args!("{}/{}", method.service, method.name),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = &*method.service,
        rpc.method = &*method.name,
        rpc.grpc.status_code = Empty,
        trace_id = Empty,
    )
}

fn close(span: &Span, code: Code) {
    span.record("rpc.grpc.status_code", code as i64);
    if is_server_fault(code) {
        span.record("otel.status_code", "ERROR");
    }
    span.in_scope(|| tracing::debug!(code = code_name(code), "call ended"));
}

/// The codes that OpenTelemetry counts as errors of the server, not of the caller.
fn is_server_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

struct InSpan {
    inner: Body,
    span: Span,
}

impl http_body::Body for InSpan {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        Pin::new(&mut this.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
