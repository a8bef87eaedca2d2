//! Prometheus metrics: one registry per process, the calls of every service, and the HTTP port that shows them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use tokio::net::TcpListener;
use tonic::Code;

use crate::health::Health;
use crate::methods::Method;
use crate::shutdown::Shutdown;
use crate::status::code_name;

/// Upper bounds of the latency histogram in seconds: a health check to a training run's watch stream.
pub const LATENCY_BUCKETS: [f64; 16] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];

/// The media type of what [`Metrics::encode`] returns.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process's registry; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Mutex<Registry>,
    calls: Family<CallLabels, Counter>,
    latency: Family<CallLabels, Histogram>,
    in_flight: Family<MethodLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    service: String,
    method: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    service: String,
    method: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the metrics of calls in it.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let calls = Family::<CallLabels, Counter>::default();
        let latency =
            Family::<CallLabels, Histogram>::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS));
        let in_flight = Family::<MethodLabels, Gauge>::default();
        registry.register("rootstock_rpc_calls", "Calls that have ended, by their code", calls.clone());
        registry.register(
            "rootstock_rpc_seconds",
            "Time from a call's first byte to its last message",
            latency.clone(),
        );
        registry.register("rootstock_rpc_in_flight", "Calls that have not ended yet", in_flight.clone());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("rootstock_build", "The version of this process", build);
        Self { shared: Arc::new(Shared { registry: Mutex::new(registry), calls, latency, in_flight }) }
    }

    /// Adds a metric; name it `rootstock_{service}_{what}` and leave out the suffix `_total` of counters.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.shared.registry.lock().register(name, help, metric);
    }

    /// Every metric in OpenMetrics text.
    ///
    /// # Errors
    /// A registered metric can't be encoded.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.shared.registry.lock())?;
        Ok(text)
    }

    pub(crate) fn call_began(&self, method: &Method) {
        self.shared.in_flight.get_or_create(&method_labels(method)).inc();
    }

    pub(crate) fn call_ended(&self, method: &Method, code: Code, took: Duration) {
        let labels = CallLabels {
            service: method.service.to_string(),
            method: method.name.to_string(),
            code: code_name(code).to_owned(),
        };
        self.shared.in_flight.get_or_create(&method_labels(method)).dec();
        self.shared.calls.get_or_create(&labels).inc();
        self.shared.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

fn method_labels(method: &Method) -> MethodLabels {
    MethodLabels { service: method.service.to_string(), method: method.name.to_string() }
}

/// Serves `GET /metrics` and `GET /healthz` over HTTP/1.1 until shutdown is requested.
///
/// `/healthz` answers 200 when every service serves and 503 otherwise, with one `name: SERVING` line per service.
///
/// # Errors
/// The listener fails.
pub async fn serve_http(
    listener: TcpListener,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/metrics", get(show_metrics).with_state(metrics))
        .route("/healthz", get(show_health).with_state(health));
    axum::serve(listener, app).with_graceful_shutdown(async move { shutdown.requested().await }).await
}

async fn show_metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, OPEN_METRICS)], text),
        Err(error) => {
            tracing::error!(%error, "metrics can't be encoded");
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new())
        }
    }
}

async fn show_health(State(health): State<Health>) -> impl IntoResponse {
    let serving = health.is_serving("").unwrap_or(false);
    let lines = health
        .snapshot()
        .into_iter()
        .map(|(name, serving)| format!("{name}: {}\n", if serving { "SERVING" } else { "NOT_SERVING" }));
    let code = if serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, lines.collect::<String>())
}
