//! A server in a directory, and what tests ask of it.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rootstock_artifacts::{Digest, Faults};
use rootstock_checkpoint::{Config, Deps, Handle, build_with_faults};
use rootstock_client::proto::checkpoint::v1::Artifact;
use rootstock_client::{
    ArtifactDraft, CheckpointClient, ClientError, ClientOptions, Clients, Endpoints, ErrorReason, Progress,
    Service,
};
use rootstock_runtime::{Health, Metrics, Server, ServerConfig, Shutdown, Tasks};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long nothing must change for a store to count as dead.
const SETTLE: Duration = Duration::from_millis(20);

/// A running server.
pub(super) struct Running {
    pub(super) client: CheckpointClient,
    pub(super) address: SocketAddr,
    pub(super) faults: Faults,
    pub(super) metrics: Metrics,
    dir: PathBuf,
    handle: Handle,
    shutdown: Shutdown,
    tasks: Tasks,
    server: JoinHandle<()>,
}

/// Starts a server in `dir` with the default configuration.
pub(super) async fn start(dir: &Path) -> Running {
    start_with(dir, Config::default()).await
}

/// Starts a server in `dir`.
pub(super) async fn start_with(dir: &Path, config: Config) -> Running {
    let faults = Faults::armable();
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let (metrics, health) = (Metrics::new(), Health::new());
    let deps = Deps {
        metrics: metrics.clone(),
        health: health.clone(),
        tasks: tasks.clone(),
        data_dir: dir.to_owned(),
    };
    let handle = build_with_faults(config, deps, faults.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = handle.mount(Server::new(ServerConfig::default(), metrics.clone(), health));
    let stop = shutdown.clone();
    let server = tokio::spawn(async move { server.run(listener, stop).await.unwrap() });
    let clients = clients(address);
    clients.wait_ready_for(&[Service::Checkpoint], PATIENCE).await.unwrap();
    let client = clients.checkpoint();
    Running { client, address, faults, metrics, dir: dir.to_owned(), handle, shutdown, tasks, server }
}

/// Clients of whatever listens at an address.
pub(super) fn clients(address: SocketAddr) -> Clients {
    let options = ClientOptions { deadline: PATIENCE, max_outage: PATIENCE, ..ClientOptions::default() };
    Clients::with_options(Endpoints::single(&address.to_string()).unwrap(), options).unwrap()
}

impl Running {
    /// Stops the server as SIGTERM does.
    pub(super) async fn stop(self) {
        self.shutdown.request();
        self.server.await.unwrap();
        self.handle.shutdown().await;
        self.tasks.join(PATIENCE).await.unwrap();
    }

    /// Leaves behind, in a directory of its own, what a process leaves that is killed now.
    pub(super) async fn kill(self) -> tempfile::TempDir {
        // After a crash what is under way runs into its end at the next step; the image is of the moment after that.
        let mut before = Vec::new();
        let mut now = files(&self.dir);
        while now != before {
            tokio::time::sleep(SETTLE).await;
            before = std::mem::replace(&mut now, files(&self.dir));
        }
        let image = tempfile::tempdir().unwrap();
        copy(&self.dir, image.path());
        self.server.abort();
        self.shutdown.request();
        image
    }

    /// All files of the store with their sizes, but the catalog, which keeps its own books.
    pub(super) fn stored_files(&self) -> Vec<(String, u64)> {
        files(&self.dir).into_iter().filter(|(name, _)| !name.starts_with("catalog.")).collect()
    }

    /// Where a blob lies.
    pub(super) fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.parse::<Digest>().unwrap().hex();
        self.dir.join("checkpoint/blobs").join(&hex[..2]).join(hex)
    }

    /// Uploads and commits.
    pub(super) async fn commit(&self, draft: ArtifactDraft) -> Result<Artifact, ClientError> {
        self.client.upload_artifact(draft, &Progress::none()).await
    }
}

/// All files below a directory with their sizes; those that vanish meanwhile are left out.
pub(super) fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(metadata) = path.metadata() {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), metadata.len()));
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The reason of a refusal, which must be one.
#[track_caller]
pub(super) fn reason<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ErrorReason {
    result.unwrap_err().reason.expect("an answer of the service has a reason")
}

/// Waits until a condition holds.
pub(super) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
