//! Ends a call when its caller has stopped waiting, or when the server's cap for its kind is reached.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use rootstock_proto::common::v1::ErrorReason;
use tokio::time::Instant;
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next, until};
use crate::methods::{Kind, Method};
use crate::status::Failure;

/// The metadata in which gRPC callers say how long they wait.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The most digits that gRPC allows in a timeout.
const MAX_DIGITS: usize = 8;

/// How long before the caller gives up the server does: the answer still has to reach it, and tonic's own timer,
/// whose error has no details, must not win.
const ANSWER_MARGIN: Duration = Duration::from_millis(10);

/// When a call's time is up. Handlers find it in the request's extensions and hand what remains to the calls they
/// make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a call; `None` only outside of the server's stack.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get().copied()
    }

    /// What is left of it.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The longest that calls of each kind may take, whatever the caller asks for.
///
/// `running -> ended | expired`. The deadline covers the whole call, streams included: at expiry the handler or its
/// stream is dropped and the caller gets DEADLINE_EXCEEDED, as response or as trailers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) unary: Duration,
    pub(crate) stream: Duration,
    pub(crate) watch: Duration,
}

impl Caps {
    fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Unary | Kind::Probe => self.unary,
            Kind::Stream => self.stream,
            Kind::Watch => self.watch,
        }
    }
}

impl Middleware for Caps {
    async fn handle(
        &self,
        method: &'static Method,
        mut request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        let received = Instant::now();
        let asked = match timeout_of(request.headers()) {
            Ok(asked) => asked,
            Err(failure) => return failure.into_response(),
        };
        let cap = self.of(method.kind);
        let (wait, message) = match asked {
            Some(asked) if asked <= cap => {
                let margin = ANSWER_MARGIN.min(asked / 10);
                (asked - margin, "the call's deadline has passed")
            }
            _ => (cap, "the call took longer than the server allows"),
        };
        let deadline = received + wait;
        request.extensions_mut().insert(Deadline(deadline));
        let expired = async move {
            tokio::time::sleep_until(deadline).await;
            Failure::new(ErrorReason::DeadlineExceeded, message)
        };
        until(next.run(request), Box::pin(expired)).await
    }
}

/// The caller's timeout: at most eight digits and a unit.
fn timeout_of(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse_timeout);
    let refused = || Failure::field(GRPC_TIMEOUT, "not a gRPC timeout; write it like \"500m\" or \"30S\"");
    parsed.map(Some).ok_or_else(refused)
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let well_formed = (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| well_formed)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use http_body::{Body as _, Frame};
    use tonic::{Code, Status};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::layers::middleware::wrap;
    use crate::status::code_of;

    const GENERATE: &str = "/rootstock.inference.v1.GenerationService/Generate";

    /// A stream that always has more to say, or never anything. It shows when it is dropped, which is when a permit is given back.
    #[derive(Clone)]
    struct Stream {
        talks: bool,
        _held: Arc<()>,
    }

    impl http_body::Body for Stream {
        type Data = bytes::Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
            if !self.talks {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(bytes::Bytes::from_static(b"x")))))
        }
    }

    /// Calls Generate, with an hour as the server's cap, which answers with a stream or not at all.
    async fn call(timeout: Option<&str>, answer: Option<Stream>) -> Response<Body> {
        let hour = Duration::from_secs(3600);
        let caps = Caps { unary: hour, stream: hour, watch: hour };
        let service = wrap(caps).layer(service_fn(move |_| {
            let answer = answer.clone();
            async move {
                match answer {
                    Some(stream) => Ok::<_, Infallible>(Response::new(Body::new(stream))),
                    None => std::future::pending().await,
                }
            }
        }));
        let mut request = Request::builder().uri(GENERATE);
        if let Some(timeout) = timeout {
            request = request.header(GRPC_TIMEOUT, timeout);
        }
        service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The same, answered with a silent stream or not at all.
    async fn generate(timeout: Option<&str>, answers: bool) -> Response<Body> {
        call(timeout, answers.then(|| Stream { talks: false, _held: Arc::default() })).await
    }

    async fn code_of_trailers(mut body: Body) -> Option<Code> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap().unwrap();
        frame.trailers_ref().and_then(code_of)
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_never_answers_is_cut_just_before_its_caller_gives_up() {
        let began = Instant::now();
        let response = generate(Some("500m"), false).await;
        assert_eq!(code_of(response.headers()), Some(Code::DeadlineExceeded));
        let took = began.elapsed();
        assert!(took < Duration::from_millis(500) && took > Duration::from_millis(450), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_covers_the_stream_after_the_headers() {
        let began = Instant::now();
        let response = generate(Some("2S"), true).await;
        assert_eq!(code_of(response.headers()), None);
        assert_eq!(code_of_trailers(response.into_body()).await, Some(Code::DeadlineExceeded));
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_caps_callers_that_would_wait_longer_or_forever() {
        for patience in [None, Some("99999999H")] {
            let began = Instant::now();
            assert_eq!(
                code_of_trailers(generate(patience, true).await.into_body()).await,
                Some(Code::DeadlineExceeded)
            );
            assert_eq!(began.elapsed().as_secs(), 3600);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_nobody_reads_holds_nothing_beyond_its_deadline_or_a_minute() {
        for (timeout, ends_after) in [("2S", 2), ("99999999H", 61)] {
            // Whether a frame has been taken or none.
            for frames in [0, 1] {
                let held = Arc::<()>::default();
                let stream = Stream { talks: true, _held: Arc::clone(&held) };
                let mut body = call(Some(timeout), Some(stream)).await.into_body();
                for _ in 0..frames {
                    let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                    assert!(frame.unwrap().unwrap().is_data());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert_eq!(Arc::strong_count(&held), 2);
                tokio::time::sleep(Duration::from_secs(ends_after - 1)).await;
                assert_eq!(Arc::strong_count(&held), 1, "{timeout}");
                assert_eq!(code_of_trailers(body).await, Some(Code::DeadlineExceeded));
            }
        }
    }

    #[tokio::test]
    async fn a_timeout_that_is_none_is_refused() {
        assert_eq!(code_of(generate(Some("soon"), true).await.headers()), Some(Code::InvalidArgument));
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse_timeout("500m"), Some(Duration::from_millis(500)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(parse_timeout("30S"), Some(Duration::from_secs(30)));
        for wrong in ["", "S", "30", "+30S", "123456789S", "3 S", "30s", "3\u{e9}"] {
            assert_eq!(parse_timeout(wrong), None, "{wrong:?}");
        }
    }
}
