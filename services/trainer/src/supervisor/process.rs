//! How a worker process is started: its program, and what it finds in its environment.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use rootstock_client::Endpoints;
use rootstock_kernels::THREADS_VARIABLE;
use rootstock_runtime::trace::TRACEPARENT_ENV;
use tokio::process::{Child, Command};

use crate::{config::Config, names::JobId, worker::variables};

/// Where workers write, below the service's folder: one folder each.
pub(crate) const SCRATCH: &str = "scratch";

/// What makes a worker verify its job instead of computing it.
const VERIFY: &str = "--verify";
/// A token that no job is leased to.
const NO_LEASE: &str = "none";

/// The variable that rayon reads, for operations outside the kernels.
const RAYON_THREADS: &str = "RAYON_NUM_THREADS";

/// Starts worker processes.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    pub(crate) config: Arc<Config>,
    pub(crate) endpoints: Endpoints,
    pub(crate) data_dir: PathBuf,
    /// The folder in which each worker gets one of its own.
    pub(crate) scratch_dir: PathBuf,
}

/// A worker process, and the folder that goes with it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    scratch_dir: PathBuf,
}

impl Process {
    /// Removes what the process, which has ended, has left behind.
    pub(crate) async fn clean_up(self) {
        match tokio::fs::remove_dir_all(&self.scratch_dir).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "what a worker left behind can't be removed");
            }
            _ => {}
        }
    }
}

impl Launcher {
    /// Starts a worker for a job. It is killed when its handle is dropped.
    pub(super) fn start(&self, job: &JobId, token: &str, traceparent: &str) -> io::Result<Process> {
        let (mut command, scratch_dir) = self.command(job, token)?;
        // For its last words; it says nothing else there.
        command.stdout(Stdio::piped());
        if !traceparent.is_empty() {
            command.env(TRACEPARENT_ENV, traceparent);
        }
        Ok(Process { child: command.spawn()?, scratch_dir })
    }

    /// Starts a process that verifies a job, with pipes to it and from it; it leases nothing.
    pub(crate) fn verify(&self, job: &JobId) -> io::Result<Process> {
        let (mut command, scratch_dir) = self.command(job, NO_LEASE)?;
        command.arg(VERIFY).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Process { child: command.spawn()?, scratch_dir })
    }

    fn command(&self, job: &JobId, token: &str) -> io::Result<(Command, PathBuf)> {
        let scratch_dir = self.scratch_dir.join(uuid::Uuid::new_v4().simple().to_string());
        let mut command = Command::new(self.program()?);
        command
            .args(&self.config.worker_args)
            .arg("--job")
            .arg(job.to_string())
            .env(variables::TOKEN, token)
            .env(variables::PARENT, std::process::id().to_string())
            .env(variables::DATA_DIR, self.data_dir.as_os_str())
            .env(variables::SCRATCH_DIR, scratch_dir.as_os_str())
            .env(variables::HEARTBEAT_MILLIS, self.config.heartbeat.as_millis().to_string())
            .env(variables::LEASE_MILLIS, self.config.lease_timeout.as_millis().to_string())
            .env(variables::CACHE_BYTES, self.config.cache_bytes.to_string())
            .envs(self.endpoints.to_env())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if self.config.worker_threads > 0 {
            // More than the machine has would be refused.
            let most = std::thread::available_parallelism().map_or(1, usize::from);
            let threads = self.config.worker_threads.min(most).to_string();
            command.env(THREADS_VARIABLE, &threads).env(RAYON_THREADS, &threads);
        }
        // A Ctrl-C in the server's terminal is for the server, which then ends its workers in order.
        #[cfg(unix)]
        command.process_group(0);
        Ok((command, scratch_dir))
    }

    fn program(&self) -> io::Result<PathBuf> {
        if self.config.worker_command == Path::new("") {
            std::env::current_exe()
        } else {
            Ok(self.config.worker_command.clone())
        }
    }
}
