//! Counts and times every call by service, method and code.

use std::time::Instant;

use http::{Request, Response};
use tonic::body::Body;

use super::middleware::{Callee, Ending, Middleware, Next};
use crate::methods::Method;
use crate::metrics::Metrics;

/// `began (in flight) -> ended (counted with its code and its time)`. A stream ends with its last message; one that
/// the caller drops counts as CANCELLED.
#[derive(Clone)]
pub(crate) struct Measure {
    metrics: Metrics,
}

impl Measure {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl Middleware for Measure {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        let began = Instant::now();
        self.metrics.call_began(method);
        let metrics = self.metrics.clone();
        let ending = Ending::new(move |code| metrics.call_ended(method, code, began.elapsed()));
        ending.follow(next.run(request).await)
    }
}
