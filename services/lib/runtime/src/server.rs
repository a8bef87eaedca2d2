//! The gRPC server of a process: its limits, the services mounted on it, and how it starts and stops.
//!
//! Stopping: shutdown is requested -> every service is NOT_SERVING, and after `drain_delay` no connection is accepted
//! and open ones get a GOAWAY -> watches end, calls and streams run on -> when the last one ends, or at the latest
//! after `drain_grace`, `run` returns and the caller flushes telemetry.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tower::Service;

use crate::config::units::{duration, optional_duration};
use crate::health::Health;
use crate::layers::auth::{Admission, Everyone};
use crate::layers::deadline::Caps;
use crate::layers::drain::Drain;
use crate::layers::limit::Limits;
use crate::layers::{Parts, stack};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// The largest message in either direction; services set it with `max_decoding_message_size` and
/// `max_encoding_message_size`, larger things travel in chunks.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Metadata of one request beyond this is refused.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// Streams that a peer has reset and that still wait to be seen; more of them end the connection (rapid reset).
const MAX_PENDING_RESETS: usize = 20;

/// How long connections get to send the last status of streams that were cut at the end of the grace.
const CUT_FLUSH: Duration = Duration::from_secs(1);

/// Where the server listens and what it allows (section `server`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// The address of the gRPC port.
    pub listen: SocketAddr,
    /// The address of the HTTP port with `/metrics` and `/healthz`.
    pub metrics_listen: SocketAddr,
    /// Calls and streams at once, over all connections; more get OVERLOADED at once.
    pub max_concurrent_requests: usize,
    /// Watches at once, over all connections.
    pub max_watches: usize,
    /// HTTP/2 streams at once on one connection; more wait at the client.
    pub max_concurrent_streams: u32,
    /// The longest unary call.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// The longest stream that does work (Generate, UploadBlob, ...).
    #[serde(with = "duration")]
    pub stream_timeout: Duration,
    /// The longest watch; clients resume after it.
    #[serde(with = "duration")]
    pub watch_timeout: Duration,
    /// How long the server goes on accepting after it said NOT_SERVING, for load balancers to notice.
    #[serde(with = "duration")]
    pub drain_delay: Duration,
    /// How long running calls get to finish after that.
    #[serde(with = "duration")]
    pub drain_grace: Duration,
    /// How often an idle connection is pinged.
    #[serde(with = "duration")]
    pub keepalive_interval: Duration,
    /// How long the answer may take before the connection counts as dead.
    #[serde(with = "duration")]
    pub keepalive_timeout: Duration,
    /// After this age a connection is asked to be replaced (its streams finish), so that clients spread over new
    /// replicas; none: never.
    #[serde(with = "optional_duration")]
    pub max_connection_age: Option<Duration>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 7400).into(),
            metrics_listen: (Ipv4Addr::LOCALHOST, 7401).into(),
            max_concurrent_requests: 1024,
            max_watches: 4096,
            max_concurrent_streams: 1024,
            request_timeout: Duration::from_secs(300),
            stream_timeout: Duration::from_secs(3600),
            watch_timeout: Duration::from_secs(24 * 3600),
            drain_delay: Duration::ZERO,
            drain_grace: Duration::from_secs(30),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(20),
            max_connection_age: None,
        }
    }
}

/// Why the server ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener or the transport failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors compiled into the binary are broken.
    #[error("reflection can't be built from the descriptors")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// A server with services on it; see the module for how it stops.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    metrics: Metrics,
    health: Health,
    admission: Arc<dyn Admission>,
    routes: Routes,
    names: BTreeSet<&'static str>,
}

impl Server {
    /// A server with nothing on it but health and reflection.
    pub fn new(config: ServerConfig, metrics: Metrics, health: Health) -> Self {
        let routes = Routes::new(health.server());
        Self { config, metrics, health, admission: Arc::new(Everyone), routes, names: BTreeSet::new() }
    }

    /// Replaces who may call.
    #[must_use]
    pub fn admission(mut self, admission: Arc<dyn Admission>) -> Self {
        self.admission = admission;
        self
    }

    /// Adds a service. It is NOT_SERVING until [`Health::set`] says otherwise.
    #[must_use]
    pub fn mount<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.health.register(S::NAME);
        self.names.insert(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Serves on `listener` until `shutdown` is requested and running calls have ended or the grace is over.
    ///
    /// # Errors
    /// The transport fails. Calls that had to be cut are no error; they are in the log.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServerError> {
        let drain = Drain::new();
        let transport = transport(&self.config);
        let parts = Parts {
            metrics: self.metrics,
            drain: drain.clone(),
            caps: Caps {
                unary: self.config.request_timeout,
                stream: self.config.stream_timeout,
                watch: self.config.watch_timeout,
            },
            admission: self.admission,
            limits: Limits::new(self.config.max_concurrent_requests, self.config.max_watches),
        };
        let routes = with_reflection(self.routes, &self.names).map_err(ServerError::Reflection)?;
        let stack = stack(parts, routes.prepare());
        let incoming = TcpIncoming::from(listener)
            .with_nodelay(Some(true))
            .with_keepalive(Some(self.config.keepalive_interval));

        let (config, health) = (self.config, self.health);
        let drained = drain.clone();
        let (draining, grace_begins) = tokio::sync::oneshot::channel();
        let stop = async move {
            shutdown.requested().await;
            health.drain();
            tokio::time::sleep(config.drain_delay).await;
            tracing::info!(grace = ?config.drain_grace, "draining: no new connections");
            drained.begin();
            let _ = draining.send(());
        };
        let serving = transport.serve_with_incoming_shutdown(stack, incoming, stop);
        let grace_over = async move {
            match grace_begins.await {
                Ok(()) => tokio::time::sleep(config.drain_grace).await,
                Err(_) => std::future::pending().await,
            }
        };
        let mut serving = Box::pin(serving);
        tokio::select! {
            ended = &mut serving => return Ok(ended?),
            () = grace_over => {}
        }
        tracing::warn!(grace = ?config.drain_grace, "calls were still running after the grace; cutting them");
        drain.cut();
        match tokio::time::timeout(CUT_FLUSH, serving).await {
            Ok(ended) => Ok(ended?),
            Err(_) => Ok(()),
        }
    }
}

/// tonic's transport with every default that matters set on purpose.
fn transport(config: &ServerConfig) -> tonic::transport::Server {
    let transport = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(config.keepalive_interval))
        .http2_keepalive_timeout(Some(config.keepalive_timeout))
        .max_concurrent_streams(config.max_concurrent_streams)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_header_list_size(MAX_HEADER_BYTES);
    match config.max_connection_age {
        Some(age) => transport.max_connection_age(age),
        None => transport,
    }
}

/// Adds reflection in both of its versions, listing what is mounted.
fn with_reflection(
    routes: Routes,
    mounted: &BTreeSet<&'static str>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let builder = || {
        let mut builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(rootstock_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        for name in crate::methods::services_of(tonic_health::pb::FILE_DESCRIPTOR_SET) {
            builder = builder.with_service_name(name);
        }
        mounted.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(routes.add_service(builder().build_v1()?).add_service(builder().build_v1alpha()?))
}
