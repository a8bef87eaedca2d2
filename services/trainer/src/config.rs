//! The settings of the training service.

use std::{path::PathBuf, time::Duration};

use rootstock_runtime::config::units;
use serde::{Deserialize, Serialize};

/// What this process is started with to be a worker.
const WORKER_VERB: &str = "worker";

/// The settings of the training service, section `trainer`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Jobs computed at once, each by a worker process of its own.
    pub workers: usize,
    /// Jobs that may wait; more are refused.
    pub max_queued: u32,
    /// Jobs of one tenant that may wait; more are refused.
    pub max_queued_per_tenant: u32,
    /// Jobs of one tenant computed at once; those of others begin before its next one.
    pub workers_per_tenant: u32,
    /// Watch streams that may be open; more are refused.
    pub max_watchers: usize,
    /// Workers that may be lost one after the other without a state being saved, before the job fails.
    pub max_attempts: u32,
    /// How often a worker says that it lives, and hears whether its job was cancelled.
    #[serde(with = "units::duration")]
    pub heartbeat: Duration,
    /// A worker that was not heard for so long is given up and killed.
    #[serde(with = "units::duration")]
    pub lease_timeout: Duration,
    /// How long the worker of a cancelled job has to stop by itself before it is killed.
    #[serde(with = "units::duration")]
    pub cancel_grace: Duration,
    /// How long the first worker after a crash waits; it doubles with each crash that follows without progress.
    #[serde(with = "units::duration")]
    pub retry_delay: Duration,
    /// Threads that a worker computes with; 0 leaves it to the worker.
    pub worker_threads: usize,
    /// Memory that a job may take by its estimate; 0 is all that the machine has.
    #[serde(with = "units::bytes")]
    pub memory_bytes: u64,
    /// Bytes of artifacts that a worker keeps in its local cache.
    #[serde(with = "units::bytes")]
    pub cache_bytes: u64,
    /// The program that is a worker; empty means this process's own.
    pub worker_command: PathBuf,
    /// Its arguments before `--job NAME`.
    pub worker_args: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 1,
            max_queued: 1000,
            max_queued_per_tenant: 1000,
            workers_per_tenant: 1000,
            max_watchers: 1024,
            max_attempts: 5,
            heartbeat: Duration::from_millis(250),
            lease_timeout: Duration::from_secs(30),
            cancel_grace: Duration::from_millis(700),
            retry_delay: Duration::from_millis(500),
            worker_threads: 0,
            memory_bytes: 0,
            cache_bytes: 64 << 30,
            worker_command: PathBuf::new(),
            worker_args: vec![WORKER_VERB.to_owned()],
        }
    }
}

/// A setting that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trainer.{key} {problem}")]
pub struct ConfigProblem {
    /// The setting.
    pub key: &'static str,
    /// What it must be.
    pub problem: &'static str,
}

impl Config {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let checks = [
            (self.workers >= 1, "workers", "must be at least 1"),
            (self.max_queued >= 1, "max_queued", "must be at least 1"),
            (self.max_queued_per_tenant >= 1, "max_queued_per_tenant", "must be at least 1"),
            (self.workers_per_tenant >= 1, "workers_per_tenant", "must be at least 1"),
            (self.max_watchers >= 1, "max_watchers", "must be at least 1"),
            (self.max_attempts >= 1, "max_attempts", "must be at least 1"),
            (!self.heartbeat.is_zero(), "heartbeat", "must not be 0"),
            (self.lease_timeout > 2 * self.heartbeat, "lease_timeout", "must be longer than two heartbeats"),
        ];
        match checks.into_iter().find(|(holds, _, _)| !holds) {
            Some((_, key, problem)) => Err(ConfigProblem { key, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_nonsense_is_named() {
        Config::default().validate().unwrap();
        let none = Config { workers: 0, ..Config::default() };
        assert_eq!(none.validate().unwrap_err().to_string(), "trainer.workers must be at least 1");
        let deaf = Config { lease_timeout: Duration::from_millis(400), ..Config::default() };
        assert_eq!(deaf.validate().unwrap_err().key, "lease_timeout");
    }
}
