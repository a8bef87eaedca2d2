//! One worker's life as its supervisor sees it.
//!
//! ```text
//! started ── exits ─────────────────────────────┐
//!    ├────── not heard for lease_timeout ─ kill ┤
//!    ├────── cancelled ─ grace ─────────── kill ┼─> released: ended, queued again, or failed
//!    └────── server shuts down ─────────── kill ┘
//! ```

use std::process::ExitStatus;

use rootstock_runtime::Shutdown;
use tokio::{
    process::Child,
    time::{Instant, interval, sleep_until},
};

use super::{Supervisor, leases::Entry};
use crate::{
    store::{Claim, Release, Released, State},
    worker::last_words,
};

/// Why a worker is gone.
enum Gone {
    /// With its last words.
    Exited(ExitStatus, String),
    Silent,
    Cancelled,
    Shutdown,
    Failed(std::io::Error),
}

impl Gone {
    fn message(&self) -> String {
        match self {
            Self::Exited(status, words) => {
                let colon = if words.is_empty() { "" } else { ": " };
                format!("the worker ended before the job did: {status}{colon}{words}")
            }
            Self::Silent => "the worker was not heard any more and was killed".to_owned(),
            Self::Cancelled => "the worker of a cancelled job was killed".to_owned(),
            Self::Shutdown => "the server is shutting down; the job goes on after its restart".to_owned(),
            Self::Failed(error) => format!("the worker could not be started or watched: {error}"),
        }
    }
}

impl Supervisor {
    /// Starts the worker, waits until it is gone, and settles what becomes of its job.
    pub(super) async fn attend(&self, claim: Claim, token: String, shutdown: Shutdown) {
        let entry = self.leases.enter(&claim.id);
        let gone = match self.launcher.start(&claim.id, &token, &claim.traceparent) {
            Err(error) => Gone::Failed(error),
            Ok(mut process) => {
                tracing::info!(pid = process.child.id(), "worker started");
                self.metrics.workers_started.inc();
                self.metrics.workers.inc();
                let gone = self.watch(&mut process.child, &entry, &shutdown).await;
                self.metrics.workers.dec();
                process.clean_up().await;
                gone
            }
        };
        drop(entry);
        self.release(&claim, &token, &gone).await;
    }

    async fn watch(&self, child: &mut Child, entry: &Entry, shutdown: &Shutdown) -> Gone {
        let mut look = interval(self.config.heartbeat);
        let mut killed_at = None;
        let gone = loop {
            let kill = async {
                match killed_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                exited = child.wait() => return match exited {
                    Ok(status) => Gone::Exited(status, last_words::hear(child).await),
                    Err(error) => Gone::Failed(error),
                },
                () = entry.cancelled() => killed_at = Some(Instant::now() + self.config.cancel_grace),
                () = kill => break Gone::Cancelled,
                () = shutdown.requested() => break Gone::Shutdown,
                _ = look.tick() => {
                    if entry.heard().elapsed() > self.config.lease_timeout {
                        break Gone::Silent;
                    }
                }
            }
        };
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "the worker could not be killed");
        }
        gone
    }

    async fn release(&self, claim: &Claim, token: &str, gone: &Gone) {
        let message = gone.message();
        let how = Release {
            message: &message,
            max_stalled: i64::from(self.config.max_attempts),
            retry_delay: self.config.retry_delay,
            blameless: matches!(gone, Gone::Shutdown),
        };
        match self.store.release(&claim.id, token, how).await {
            Ok(Released::NotHeld) => match gone {
                // As it does when its job has ended.
                Gone::Exited(status, _) if status.success() => tracing::debug!("worker gone"),
                _ => tracing::info!(reason = message, "worker gone"),
            },
            Ok(Released::Paused) => tracing::info!(reason = message, "worker gone; the job is paused"),
            Ok(Released::Requeued) => {
                self.metrics.workers_lost.inc();
                tracing::warn!(reason = message, "worker gone; the job is queued again");
            }
            Ok(Released::Failed) => {
                self.metrics.workers_lost.inc();
                self.metrics.job_ended(State::Failed);
                tracing::error!(reason = message, "worker gone once too often; the job has failed");
            }
            // The job stays leased to a worker that is gone until the next start, which queues it again.
            Err(error) => {
                tracing::error!(%error, reason = message, "the job of a lost worker could not be queued");
            }
        }
        self.bells.ring(&claim.id);
        self.janitor.notify_one();
    }
}
