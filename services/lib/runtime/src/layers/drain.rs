//! Ends calls when the server shuts down: watches at once, the rest when the grace is over.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use rootstock_proto::common::v1::ErrorReason;
use tokio::sync::watch;
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next, until};
use crate::methods::{Kind, Method};
use crate::status::Failure;

/// How long a watch goes on after draining began, to send what is queued: a health watcher hears NOT_SERVING.
const FAREWELL: Duration = Duration::from_millis(100);

/// Shared by the server, which moves it on, and by every call.
///
/// `Serving -> Draining -> Cut`. While draining, calls and generate streams run to their end and a watch, which has
/// none, is ended with SHUTTING_DOWN so that its client goes on elsewhere from its last event. A call that still
/// arrives on an open connection is served. At `Cut` everything left ends with SHUTTING_DOWN.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Cut,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Serving)) }
    }

    pub(crate) fn begin(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    pub(crate) fn cut(&self) {
        self.phase.send_replace(Phase::Cut);
    }

    /// Resolves when calls of this kind must end.
    async fn over(self, kind: Kind) -> Failure {
        let mut phases = self.phase.subscribe();
        let last = if kind == Kind::Watch { Phase::Draining } else { Phase::Cut };
        // The sender lives as long as this future, so there is always an answer.
        let reached = phases.wait_for(|phase| *phase >= last).await.map(|phase| *phase);
        if matches!(reached, Ok(Phase::Draining)) {
            tokio::time::sleep(FAREWELL).await;
        }
        Failure::new(ErrorReason::ShuttingDown, "the server is shutting down; retry, another replica answers")
    }
}

impl Middleware for Drain {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        until(next.run(request), Box::pin(self.clone().over(method.kind))).await
    }
}
