//! The one stack of middleware that every call to every service passes, outermost first, each line with its reason.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tonic::body::Body;
use tower::{Service, ServiceBuilder};

use crate::metrics::Metrics;
use auth::Admission;
use deadline::Caps;
use drain::Drain;
use limit::Limits;
use middleware::{Callee, wrap};

pub mod auth;
pub mod deadline;

pub(crate) mod drain;
mod explain;
pub(crate) mod limit;
mod measure;
mod middleware;
mod panic;
mod trace;

/// What the stack needs from the server.
pub(crate) struct Parts {
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
    pub(crate) caps: Caps,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) limits: Limits,
}

/// Puts the stack around the services.
pub(crate) fn stack(
    parts: Parts,
    routes: impl Callee,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    ServiceBuilder::new()
        // The span comes first: whatever happens further in is logged and timed under the caller's trace.
        .layer(wrap(trace::Trace))
        // Every call is counted with the code its caller sees, so measuring is outside of all that choose one.
        .layer(wrap(measure::Measure::new(parts.metrics)))
        // A panic below becomes INTERNAL, and is measured and traced as such.
        .layer(wrap(panic::Catch))
        // tonic's own errors (no such method, undecodable request) get the details that every error carries.
        .layer(wrap(explain::Explain))
        // Shutting down ends watches at once and, when the grace is over, everything else.
        .layer(wrap(parts.drain))
        // A call lives no longer than its caller waits, nor than the server allows.
        .layer(wrap(parts.caps))
        // Who may call at all is decided before a permit is spent on the call.
        .layer(wrap(auth::Gate::new(parts.admission)))
        // What is too much is refused at once, not queued; innermost, so a permit counts work and nothing else.
        .layer(wrap(parts.limits))
        .service(routes)
}
