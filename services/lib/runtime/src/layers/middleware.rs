//! The shape that all middleware here shares, so that each file tells only what is its own.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;
use rootstock_proto::common::v1::ErrorReason;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service, ServiceExt};

use crate::methods::{self, Method};
use crate::status::{Failure, code_of};

/// What a middleware wraps: the services, or the next middleware.
pub(crate) trait Callee:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Callee for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// One middleware: it sees each call and decides whether, when and with what to go on.
pub(crate) trait Middleware: Clone + Send + Sync + 'static {
    fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// The rest of the stack, for one call.
pub(crate) struct Next<S>(S);

impl<S: Callee> Next<S> {
    pub(crate) async fn run(self, request: Request<Body>) -> Response<Body> {
        match self.0.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A middleware as a tower layer.
pub(crate) fn wrap<M: Middleware>(middleware: M) -> Wrap<M> {
    Wrap(middleware)
}

#[derive(Clone)]
pub(crate) struct Wrap<M>(M);

impl<M: Middleware, S> Layer<S> for Wrap<M> {
    type Service = Wrapped<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Wrapped { middleware: self.0.clone(), inner }
    }
}

#[derive(Clone)]
pub(crate) struct Wrapped<M, S> {
    middleware: M,
    inner: S,
}

impl<M: Middleware, S: Callee> Service<Request<Body>> for Wrapped<M, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // `Next` waits for the rest of the stack, with the clone that it calls.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = methods::lookup(request.uri().path());
        let (middleware, next) = (self.middleware.clone(), Next(self.inner.clone()));
        Box::pin(async move { Ok(middleware.handle(method, request, next).await) })
    }
}

/// How long a caller may take nothing of a response that is there before the call is ended.
const UNREAD: Duration = Duration::from_secs(60);

/// Runs a call until it ends, `cut` says why it must, or its caller takes nothing of it for [`UNREAD`].
///
/// `waiting -> streaming -> ended`; a cut while waiting is the response, a cut while streaming is the trailers. Either
/// way the handler's future or stream is dropped, which stops its work and gives back what it holds.
pub(crate) async fn until(
    call: impl Future<Output = Response<Body>>,
    mut cut: Pin<Box<dyn Future<Output = Failure> + Send>>,
) -> Response<Body> {
    tokio::select! {
        biased;
        response = call => response.map(|body| Until::watch(body, cut)),
        failure = &mut cut => failure.into_response(),
    }
}

/// A body that a task of its own ends: nobody polls the body of a caller that doesn't read.
struct Until {
    running: Arc<Mutex<Running>>,
    watch: AbortHandle,
}

struct Running {
    inner: Option<Body>,
    /// Why it was cut, until its caller has been told.
    cut: Option<Failure>,
    /// Who waits for the next frame.
    waiting: Option<Waker>,
    /// Since when there has been something that nobody took.
    unread_since: Option<Instant>,
}

impl Until {
    fn watch(inner: Body, cut: impl Future<Output = Failure> + Send + 'static) -> Body {
        // An error is all in its headers.
        if inner.is_end_stream() {
            return inner;
        }
        let unread_since = Some(Instant::now());
        let running = Running { inner: Some(inner), cut: None, waiting: None, unread_since };
        let running = Arc::new(Mutex::new(running));
        let watched = Arc::clone(&running);
        let watch = tokio::spawn(async move {
            let failure = tokio::select! {
                failure = cut => failure,
                failure = unread(&watched) => failure,
            };
            // Dropped outside of the lock.
            let (_inner, waiting) = watched.lock().end(failure);
            waiting.into_iter().for_each(Waker::wake);
        });
        Body::new(Self { running, watch: watch.abort_handle() })
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Running {
    /// Leaves the failure for whoever polls next, if the call goes on.
    fn end(&mut self, failure: Failure) -> (Option<Body>, Option<Waker>) {
        let inner = self.inner.take();
        self.cut = inner.is_some().then_some(failure);
        (inner, self.waiting.take())
    }
}

/// Resolves when the caller has taken nothing for too long.
async fn unread(running: &Mutex<Running>) -> Failure {
    loop {
        let since = running.lock().unread_since;
        let waited = since.map_or(Duration::ZERO, |since| since.elapsed());
        if waited >= UNREAD {
            let message = "the caller has not read for too long; read faster, or hang up";
            return Failure::new(ErrorReason::DeadlineExceeded, message);
        }
        tokio::time::sleep(UNREAD - waited).await;
    }
}

impl http_body::Body for Until {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let mut running = self.running.lock();
        if let Some(failure) = running.cut.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(failure.into_trailers()))));
        }
        let Some(inner) = &mut running.inner else { return Poll::Ready(None) };
        let frame = Pin::new(inner).poll_frame(cx);
        match &frame {
            Poll::Ready(last) if is_last(last.as_ref()) => running.inner = None,
            // The next is asked for once this one is on its way.
            Poll::Ready(_) => running.unread_since = Some(Instant::now()),
            Poll::Pending => (running.waiting, running.unread_since) = (Some(cx.waker().clone()), None),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let running = self.running.lock();
        running.cut.is_none() && running.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let running = self.running.lock();
        running.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

/// Whether nothing comes after this frame.
pub(crate) fn is_last(frame: Option<&Result<Frame<bytes::Bytes>, Status>>) -> bool {
    match frame {
        None | Some(Err(_)) => true,
        Some(Ok(frame)) => frame.is_trailers(),
    }
}

/// Hears once how a call ended; `CANCELLED` if it is dropped before, which is how a caller's hanging up looks.
pub(crate) struct Ending(Option<Box<dyn FnOnce(Code) + Send>>);

impl Ending {
    pub(crate) fn new(heard: impl FnOnce(Code) + Send + 'static) -> Self {
        Self(Some(Box::new(heard)))
    }

    fn with(&mut self, code: Code) {
        if let Some(heard) = self.0.take() {
            heard(code);
        }
    }

    /// Follows the response to its end.
    pub(crate) fn follow(mut self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = code_of(response.headers()) {
            self.with(code);
            return response;
        }
        response.map(|inner| Body::new(Followed { inner, ending: self }))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.with(Code::Cancelled);
    }
}

struct Followed {
    inner: Body,
    ending: Ending,
}

impl http_body::Body for Followed {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    self.ending.with(code);
                }
            }
            Some(Err(status)) => self.ending.with(status.code()),
            None => self.ending.with(Code::Unknown),
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
