//! Turns a panic in a handler or in its stream into INTERNAL, so that the caller hears something and others go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next};
use crate::methods::Method;
use crate::status::Failure;

/// `running -> ended | panicked`; after a panic the handler or stream is dropped and never polled again, so what it
/// left half-done is not seen by anyone but shared state, which must be consistent at every point that can panic.
#[derive(Clone)]
pub(crate) struct Catch;

impl Middleware for Catch {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response.map(|body| Body::new(Caught { inner: Some(body), method })),
            Err(payload) => failure(method, payload.as_ref()).into_response(),
        }
    }
}

fn failure(method: &Method, payload: &(dyn Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Failure::internal(format_args!("{} panicked: {text}", method.name))
}

struct Caught {
    inner: Option<Body>,
    method: &'static Method,
}

impl http_body::Body for Caught {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx))) {
            Ok(frame) => frame,
            Err(payload) => {
                self.inner = None;
                let trailers = failure(self.method, payload.as_ref()).into_trailers();
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}
