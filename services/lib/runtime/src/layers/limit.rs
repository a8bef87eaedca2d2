//! Bounds how many calls run at once and refuses what is too much at once, before it costs anything.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use rootstock_proto::common::v1::ErrorReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next, is_last};
use crate::methods::{Kind, Method};
use crate::status::Failure;

/// Two counts of permits, one for work and one for watches.
///
/// `arrived -> running (holds a permit) -> ended (permit back) | shed`. Nothing waits: a call finds a permit or gets
/// OVERLOADED with RetryInfo in the same poll, so rejections stay fast however far demand exceeds capacity.
///
/// How streams count: a permit belongs to the call, not to its response's headers. It is held until the last message
/// is sent, the caller hangs up or reads nothing for a minute, the deadline expires or the server cuts the stream, since
/// each of these drops the body that holds it; it can neither leak nor be given back early. Watches only listen, so they
/// have a count of their own and can't starve work, nor be starved by it. Health checks always pass: a busy server is
/// alive.
#[derive(Clone)]
pub(crate) struct Limits {
    work: Pool,
    watches: Pool,
}

#[derive(Clone)]
struct Pool {
    what: &'static str,
    size: usize,
    permits: Arc<Semaphore>,
}

impl Limits {
    pub(crate) fn new(work: usize, watches: usize) -> Self {
        Self { work: Pool::new("calls", work), watches: Pool::new("watches", watches) }
    }
}

impl Pool {
    fn new(what: &'static str, size: usize) -> Self {
        let size = size.min(Semaphore::MAX_PERMITS);
        Self { what, size, permits: Arc::new(Semaphore::new(size)) }
    }

    fn acquire(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            let message = format!("{} {} are running, which is the limit; retry later", self.size, self.what);
            Failure::new(ErrorReason::Overloaded, message)
        })
    }
}

impl Middleware for Limits {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        let pool = match method.kind {
            Kind::Probe => return next.run(request).await,
            Kind::Watch => &self.watches,
            Kind::Unary | Kind::Stream => &self.work,
        };
        match pool.acquire() {
            Ok(permit) => {
                next.run(request).await.map(|inner| Body::new(Holding { inner, permit: Some(permit) }))
            }
            Err(failure) => failure.into_response(),
        }
    }
}

struct Holding {
    inner: Body,
    permit: Option<OwnedSemaphorePermit>,
}

impl http_body::Body for Holding {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if is_last(frame.as_ref()) {
            self.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
