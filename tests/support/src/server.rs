//! `rootstock serve` as a process of its own, on free ports and a data directory that outlives it.
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rootstock_client::{Clients, Endpoints, Service};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::eventually;

/// How long a server may take to serve.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const END_TIMEOUT: Duration = Duration::from_secs(60);
/// How the line begins that says that it serves.
const SERVING: &str = "rootstock is serving on ";
/// What a test that fails shows of the log.
const LOG_TAIL_LINES: usize = 60;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    binary: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl ServerOptions {
    /// All services, with the settings that suit a test.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let options = Self { binary: binary.into(), args: Vec::new(), env: Vec::new() };
        options.env("ROOTSTOCK_TRAINER_RETRY_DELAY", "50ms").env("ROOTSTOCK_TRAINER_HEARTBEAT", "100ms")
    }

    /// Adds flags of `rootstock serve`.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Adds an environment variable, which workers inherit.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts a server on a fresh data directory.
    ///
    /// # Panics
    /// When it doesn't serve in time.
    pub async fn start(self) -> Server {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let mut server =
            Server { options: self, dir, child: None, endpoint: String::new(), metrics: String::new() };
        server.start_again().await;
        server
    }
}

/// A server and its data directory. Dropping it kills the process and removes the directory.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    dir: TempDir,
    child: Option<Child>,
    endpoint: String,
    metrics: String,
}

impl Server {
    /// A server with all services.
    ///
    /// # Panics
    /// When it doesn't serve in time.
    pub async fn start(binary: &str) -> Self {
        ServerOptions::new(binary).start().await
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where /metrics and /healthz are.
    pub fn metrics_endpoint(&self) -> &str {
        &self.metrics
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Clients of all its services.
    ///
    /// # Panics
    /// When the server isn't running.
    pub fn clients(&self) -> Clients {
        let endpoints = Endpoints::single(&self.endpoint).expect("a started server has an endpoint");
        Clients::new(endpoints).expect("clients connect lazily")
    }

    /// Clients of its services, and of the checkpoint service of another server.
    ///
    /// # Panics
    /// When one of them isn't running.
    pub fn clients_beside(&self, store: &Self) -> Clients {
        let mut endpoints = Endpoints::single(&self.endpoint).expect("a started server has an endpoint");
        endpoints.set(Service::Checkpoint, &store.endpoint).expect("a started server has an endpoint");
        Clients::new(endpoints).expect("clients connect lazily")
    }

    /// Its process id.
    ///
    /// # Panics
    /// When the server isn't running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the server is running")
    }

    /// The processes that it has started: its workers.
    pub fn workers(&self) -> Vec<u32> {
        children_of(self.pid())
    }

    /// Kills the server as `kill -9` does, and with it the workers, if they shall die too.
    ///
    /// # Panics
    /// When the server isn't running.
    pub async fn kill9(&mut self, workers_too: bool) {
        let workers = self.workers();
        let mut child = self.child.take().expect("the server is running");
        child.kill().await.expect("a child can be killed");
        if workers_too {
            for worker in workers {
                signal("KILL", worker).await;
            }
        }
    }

    /// Sends SIGTERM and doesn't wait.
    pub async fn ask_to_end(&self) {
        signal("TERM", self.pid()).await;
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it doesn't end in time.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end().await;
        self.ended().await
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it doesn't end in time.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server is running");
        let ended = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
        ended.expect("the server ends in time").expect("a child can be waited for")
    }

    /// Starts a server on the same data directory, after the last one has ended.
    ///
    /// # Panics
    /// When it doesn't serve in time.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server is running");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("the log can be written");
        let mut command = Command::new(&self.options.binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data"]);
        command.arg(self.data_dir()).args(&self.options.args);
        without_settings(&mut command);
        command.envs(self.options.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let first = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
        let line = match first {
            Ok(Ok(Some(line))) => line,
            other => panic!("the server does not serve: {other:?}\n{}", self.log_tail()),
        };
        (self.endpoint, self.metrics) = addresses(&line);
        self.child = Some(child);
        // Nobody reads what else it prints, but nothing must block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    }

    /// Waits until it has a worker.
    ///
    /// # Panics
    /// When it has none in time.
    pub async fn worker(&self) -> u32 {
        eventually(Duration::from_secs(20), "a worker runs", || async { self.workers().first().copied() })
            .await
    }

    /// The end of its log, for tests that fail.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the end of the server's log:\n{}", self.log_tail());
        }
    }
}

/// Takes away what the developer's own shell says about servers.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROOTSTOCK_") {
            command.env_remove(name);
        }
    }
}

/// `rootstock is serving on URL (metrics URL/metrics)`.
fn addresses(line: &str) -> (String, String) {
    let rest = line.strip_prefix(SERVING).unwrap_or_else(|| panic!("unexpected first line: {line}"));
    let (endpoint, metrics) = rest.split_once(" (metrics ").expect("the line names the metrics");
    let metrics = metrics.strip_suffix("/metrics)").expect("the line ends with the metrics");
    (endpoint.to_owned(), metrics.to_owned())
}

/// Sends a signal through the shell, whose `kill` is everywhere.
///
/// # Panics
/// When there is no shell.
pub async fn signal(name: &str, pid: u32) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null());
    // A process that has ended already is as good.
    let _ = command.status().await.expect("sh can be started");
}

/// Whether a process lives; a zombie does not.
pub fn lives(pid: u32) -> bool {
    stat(&Path::new("/proc").join(pid.to_string())).is_some_and(|(state, _)| state != "Z")
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc can be read");
    processes
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let (state, its_parent) = stat(&path)?;
            (its_parent == parent && state != "Z").then_some(pid)
        })
        .collect()
}

/// State and parent of a process.
fn stat(process: &Path) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name before it stands in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
