//! The shape that all middleware here shares, so that each file tells only what is its own.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
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

/// Runs a call until it ends or `cut` says why it must.
///
/// `waiting -> streaming -> ended`; a cut while waiting is the response, a cut while streaming is the trailers. Either
/// way the handler's future or stream is dropped, which stops its work.
pub(crate) async fn until(
    call: impl Future<Output = Response<Body>>,
    mut cut: Pin<Box<dyn Future<Output = Failure> + Send>>,
) -> Response<Body> {
    tokio::select! {
        biased;
        response = call => response.map(|body| Body::new(Until { inner: Some(body), cut })),
        failure = &mut cut => failure.into_response(),
    }
}

struct Until {
    inner: Option<Body>,
    cut: Pin<Box<dyn Future<Output = Failure> + Send>>,
}

impl http_body::Body for Until {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        // First, or a stream that is always ready would outlive its cut.
        if let Poll::Ready(failure) = this.cut.as_mut().poll(cx) {
            this.inner = None;
            return Poll::Ready(Some(Ok(Frame::trailers(failure.into_trailers()))));
        }
        let frame = Pin::new(inner).poll_frame(cx);
        if matches!(&frame, Poll::Ready(last) if is_last(last.as_ref())) {
            this.inner = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
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
