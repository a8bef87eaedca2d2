//! A server from its first connection to its end: serve, drain, join the background work, close the stores.
use std::time::Duration;

use rootstock_inference::InProcess;
use rootstock_runtime::{Health, Metrics, Server, Shutdown, metrics};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::ServeError;
use super::assembly::{Process, Services};
use super::lock::DataLock;

/// How often a starting server is asked whether it serves.
const READY_POLL: Duration = Duration::from_millis(5);
/// How long background work has to end once the server has drained.
const TASKS_GRACE: Duration = Duration::from_secs(10);

/// A server that runs in this process. Dropping it doesn't end it.
#[derive(Debug)]
pub struct Running {
    /// Where clients reach it: `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// Where /metrics and /healthz are.
    pub metrics_endpoint: String,
    in_process: Option<InProcess>,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
    ended: JoinHandle<Result<(), ServeError>>,
}

/// Everything that a server is made of.
pub(super) struct Driver {
    pub(super) server: Server,
    pub(super) services: Services,
    pub(super) listener: TcpListener,
    pub(super) metrics_listener: TcpListener,
    pub(super) process: Process,
    pub(super) lock: DataLock,
}

impl Running {
    pub(super) fn begin(endpoint: String, metrics_endpoint: String, driver: Driver) -> Self {
        let in_process = driver.services.in_process();
        let health = driver.process.health.clone();
        let metrics = driver.process.metrics.clone();
        let shutdown = driver.process.shutdown.clone();
        let ended = tokio::spawn(driver.drive());
        Self { endpoint, metrics_endpoint, in_process, health, metrics, shutdown, ended }
    }

    /// Waits until every service serves.
    pub(super) async fn ready(self) -> Result<Self, ServeError> {
        loop {
            if self.health.is_serving("") == Some(true) {
                return Ok(self);
            }
            if self.ended.is_finished() || self.shutdown.is_requested() {
                self.stop().await?;
                return Err(ServeError::NotReady);
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Generation without a network, where it generates.
    pub fn in_process(&self) -> Option<&InProcess> {
        self.in_process.as_ref()
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What ends it.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it ended badly.
    pub async fn join(self) -> Result<(), ServeError> {
        self.ended.await.unwrap_or_else(|error| Err(ServeError::io("the server", error.into())))
    }

    /// Drains it, and waits until it has ended.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub async fn stop(self) -> Result<(), ServeError> {
        self.shutdown.request();
        self.join().await
    }

    /// Lets it run until SIGTERM or SIGINT, then drains it.
    ///
    /// # Errors
    /// As [`join`](Self::join), or when there can't be a signal handler.
    pub async fn until_signal(mut self) -> Result<(), ServeError> {
        let signals =
            Shutdown::on_signals().map_err(|source| ServeError::io("the signal handler", source))?;
        tokio::select! {
            () = signals.requested() => self.stop().await,
            ended = &mut self.ended => ended.unwrap_or_else(|error| Err(ServeError::io("the server", error.into()))),
        }
    }
}

impl Driver {
    async fn drive(self) -> Result<(), ServeError> {
        let Process { metrics, health, tasks, shutdown, .. } = self.process;
        // Metrics and /healthz are there while the server drains.
        let drained = Shutdown::new();
        let http = tokio::spawn(metrics::serve_http(self.metrics_listener, metrics, health, drained.clone()));
        let served = self.server.run(self.listener, shutdown.clone()).await;
        // Also when the transport failed, so that everything else ends.
        shutdown.request();
        let joined = tasks.join(TASKS_GRACE).await;
        self.services.shutdown().await;
        drained.request();
        let http = http.await;
        drop(self.lock);
        served?;
        joined?;
        match http {
            Ok(ended) => ended.map_err(|source| ServeError::io("the metrics listener", source)),
            Err(error) => Err(ServeError::io("the metrics listener", error.into())),
        }
    }
}
