//! Logs and traces of one process: a subscriber that prints, and an OTLP exporter on a thread of its own.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Spans that are exported: ours, but not those of the transport, or exporting would make spans to export.
const EXPORTED: &str = "info,h2=off,hyper=off,hyper_util=off,tonic=off,tower=off,opentelemetry=off";

/// How long [`Telemetry::shutdown`] waits for the collector.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(15);

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// What to print and where to send traces (section `telemetry`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetryConfig {
    /// Which events are printed, in the syntax of `RUST_LOG`.
    pub log: String,
    /// Print one JSON object per event instead of lines for people.
    pub json: bool,
    /// The gRPC endpoint of an OpenTelemetry collector (`http://127.0.0.1:4317`); none: nothing is exported.
    pub otlp_endpoint: Option<String>,
    /// What this process is called in traces.
    pub service_name: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log: "info,h2=warn,hyper=warn,sqlx=warn".to_owned(),
            json: false,
            otlp_endpoint: None,
            service_name: "rootstock".to_owned(),
        }
    }
}

/// Why telemetry doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log` is no filter.
    #[error("telemetry.log {filter:?} is no log filter; write it like \"info,rootstock_trainer=debug\"")]
    Filter {
        /// The filter as configured.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The exporter can't be built.
    #[error("telemetry.otlp_endpoint {endpoint:?} can't be used; write it like \"http://127.0.0.1:4317\"")]
    Exporter {
        /// The endpoint as configured.
        endpoint: String,
        /// What is wrong with it.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The exporter's runtime can't start.
    #[error("the telemetry thread can't start")]
    Runtime(#[source] std::io::Error),
    /// The process has a subscriber.
    #[error("telemetry is initialised already")]
    Twice(#[source] TryInitError),
}

/// The running telemetry of this process; shutting it down (or dropping it) flushes what is still queued.
///
/// `running -> flushed`. The exporter lives on a runtime of its own, because on the server's runtime a flush can
/// wait for a worker thread that waits for the flush.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    runtime: Option<Runtime>,
}

impl Telemetry {
    /// Installs the process's subscriber and panic hook. Needs no async runtime and may be called inside one.
    ///
    /// # Errors
    /// A setting is wrong, or telemetry runs already.
    pub fn init(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let telemetry = Self::start(config)?;
        let filter = EnvFilter::try_new(&config.log)
            .map_err(|source| TelemetryError::Filter { filter: config.log.clone(), source })?;
        let printed = if config.json {
            tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        } else {
            let colours = std::io::stderr().is_terminal();
            tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr).boxed()
        };
        tracing_subscriber::registry()
            .with(telemetry.layer())
            .with(printed.with_filter(filter))
            .try_init()
            .map_err(TelemetryError::Twice)?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        log_panics();
        Ok(telemetry)
    }

    /// The exporter without the subscriber, for a process that composes its own from [`Telemetry::layer`].
    ///
    /// # Errors
    /// The endpoint is wrong, or no thread is left.
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name(config.service_name.clone()).build();
        let builder = SdkTracerProvider::builder().with_resource(resource);
        let Some(endpoint) = &config.otlp_endpoint else {
            // Without an exporter spans still get ids, so logs can be joined and contexts are handed on.
            return Ok(Self { provider: builder.build(), runtime: None });
        };
        let runtime = exporter_runtime().map_err(TelemetryError::Runtime)?;
        let exporter = {
            let _inside = runtime.enter();
            SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build()
        };
        let exporter =
            exporter.map_err(|source| TelemetryError::Exporter { endpoint: endpoint.clone(), source })?;
        Ok(Self { provider: builder.with_batch_exporter(exporter).build(), runtime: Some(runtime) })
    }

    /// The layer that turns tracing's spans into OpenTelemetry's.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer: Tracer = self.provider.tracer("rootstock");
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(EnvFilter::new(EXPORTED))
    }

    /// Sends what is queued; blocks for 15 seconds at most, so call it off the async runtime.
    pub fn shutdown(mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "some traces were not exported");
        }
        runtime.shutdown_background();
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.flush();
    }
}

fn exporter_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("telemetry")
        .enable_all()
        .build()
}

/// Panics go to the log, in the span they happen in, instead of raw to stderr.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(payload, location, "panic");
    }));
}
