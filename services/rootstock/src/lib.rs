//! The `rootstock` binary as a library: the composition root that mounts any set of services, the worker that the
//! training service starts, the demo, and the measurements.
//!
//! Only this crate sees all services; they see each other through the contract alone.
#![forbid(unsafe_code)]

pub mod bench;
pub mod demo;
pub mod serve;
pub mod worker;
