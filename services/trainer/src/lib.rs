//! The training service and the worker process that computes its jobs.
//!
//! The service keeps jobs and their events in SQLite and starts one worker process for each running job; the worker
//! leases its job over gRPC, computes it and reports back. Killing a worker frees everything it held; the service
//! outlives it, and the job goes on from its newest saved state.
#![forbid(unsafe_code)]

mod canary;
mod config;
mod convert;
mod data;
mod error;
mod grpc;
mod jobs;
mod lineage;
mod memory;
mod metrics;
mod modules;
mod names;
mod resolve;
mod service;
mod spec;
mod states;
mod store;
mod supervisor;
mod verification;
mod watch;
mod withdrawal;
pub mod worker;

pub use config::{Config, ConfigProblem};
pub use error::Error;
pub use service::{Deps, Handle, build};
