//! What a worker is started with.

use std::{path::PathBuf, str::FromStr, time::Duration};

use rootstock_client::{ClientError, Endpoints};
use rootstock_runtime::trace::{TRACEPARENT_ENV, TRACESTATE_ENV};

use super::variables;
use crate::{config::Config, names::JobId};

/// What a worker is started with; a process finds it in its flags and its environment.
#[derive(Clone, Debug)]
pub struct WorkerArgs {
    /// `trainingJobs/{id}`.
    pub job: String,
    /// The token that leases the job.
    pub token: String,
    /// Where the services are.
    pub endpoints: Endpoints,
    /// The local cache lies in the folder `cache` in it.
    pub data_dir: PathBuf,
    /// Where the worker may write, alone; made if need be.
    pub scratch_dir: PathBuf,
    /// Bytes that the local cache may hold.
    pub cache_bytes: u64,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// Time without an answer to a heartbeat after which the worker stops.
    pub lease_timeout: Duration,
    /// The process that started the worker: when it is gone, the worker stops. `None` in the same process.
    pub parent: Option<u32>,
    /// The trace to go on with, as environment variables.
    pub trace: Vec<(String, String)>,
}

/// What a worker lacks to begin.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// The job's name is none.
    #[error("--job must be trainingJobs/{{id}}; workers are started by the training service")]
    Job,
    /// A variable is missing or can't be read.
    #[error("environment variable {0} is missing or malformed; workers are started by the training service")]
    Variable(&'static str),
    /// An address is none.
    #[error(transparent)]
    Endpoint(#[from] ClientError),
}

impl WorkerArgs {
    /// The arguments of a worker process for `job`, from its environment.
    ///
    /// # Errors
    /// Names what is missing or malformed.
    pub fn from_env(job: &str) -> Result<Self, ArgumentError> {
        Self::from_lookup(job, Endpoints::from_env()?, |name| std::env::var(name).ok())
    }

    fn from_lookup(
        job: &str,
        endpoints: Endpoints,
        lookup: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ArgumentError> {
        let needed = |name| lookup(name).filter(|text| !text.is_empty()).ok_or(ArgumentError::Variable(name));
        let defaults = Config::default();
        let millis = |name, default: Duration| {
            Ok::<_, ArgumentError>(number(&lookup, name)?.map_or(default, Duration::from_millis))
        };
        let trace = [TRACEPARENT_ENV, TRACESTATE_ENV];
        Ok(Self {
            job: JobId::from_name(job).ok_or(ArgumentError::Job)?.to_string(),
            token: needed(variables::TOKEN)?,
            endpoints,
            data_dir: needed(variables::DATA_DIR)?.into(),
            scratch_dir: needed(variables::SCRATCH_DIR)?.into(),
            cache_bytes: number(&lookup, variables::CACHE_BYTES)?.unwrap_or(defaults.cache_bytes),
            heartbeat: millis(variables::HEARTBEAT_MILLIS, defaults.heartbeat)?,
            lease_timeout: millis(variables::LEASE_MILLIS, defaults.lease_timeout)?,
            parent: number(&lookup, variables::PARENT)?,
            trace: trace.into_iter().filter_map(|name| Some((name.to_owned(), lookup(name)?))).collect(),
        })
    }
}

/// A number that may be missing, but not malformed.
fn number<T: FromStr>(
    lookup: impl Fn(&'static str) -> Option<String>,
    name: &'static str,
) -> Result<Option<T>, ArgumentError> {
    lookup(name).map(|text| text.parse().map_err(|_| ArgumentError::Variable(name))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(job: &str, given: &[(&'static str, &str)]) -> Result<WorkerArgs, ArgumentError> {
        let endpoints = Endpoints::single("127.0.0.1:1").unwrap();
        WorkerArgs::from_lookup(job, endpoints, |name| {
            given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const NEEDED: [(&str, &str); 3] =
        [(variables::TOKEN, "t"), (variables::DATA_DIR, "/d"), (variables::SCRATCH_DIR, "/s")];

    #[test]
    fn a_worker_begins_with_what_it_needs() {
        let given = [&NEEDED[..], &[(variables::HEARTBEAT_MILLIS, "20"), (variables::PARENT, "7")]].concat();
        let args = parse("trainingJobs/a", &given).unwrap();
        assert_eq!((args.heartbeat, args.parent), (Duration::from_millis(20), Some(7)));
        assert_eq!(args.lease_timeout, Config::default().lease_timeout);
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        assert!(matches!(parse("a", &NEEDED), Err(ArgumentError::Job)));
        let missing = parse("trainingJobs/a", &NEEDED[1..]);
        assert!(matches!(missing, Err(ArgumentError::Variable(variables::TOKEN))));
        let malformed = [&NEEDED[..], &[(variables::PARENT, "x")]].concat();
        assert!(matches!(
            parse("trainingJobs/a", &malformed),
            Err(ArgumentError::Variable(variables::PARENT))
        ));
    }
}
