//! The environment variables in which a worker process finds what it was started for.

/// The token that leases the job.
pub const TOKEN: &str = "ROOTSTOCK_WORKER_TOKEN";
/// The id of the process that started the worker: without it the worker stops.
pub const PARENT: &str = "ROOTSTOCK_WORKER_PARENT";
/// Where the local cache lies.
pub const DATA_DIR: &str = "ROOTSTOCK_WORKER_DATA_DIR";
/// Where the worker may write, alone.
pub const SCRATCH_DIR: &str = "ROOTSTOCK_WORKER_SCRATCH_DIR";
/// Milliseconds between heartbeats.
pub const HEARTBEAT_MILLIS: &str = "ROOTSTOCK_WORKER_HEARTBEAT_MILLIS";
/// Milliseconds without an answer to a heartbeat after which the worker stops.
pub const LEASE_MILLIS: &str = "ROOTSTOCK_WORKER_LEASE_MILLIS";
/// Bytes that the local cache may hold.
pub const CACHE_BYTES: &str = "ROOTSTOCK_WORKER_CACHE_BYTES";
