//! The training service over gRPC on a port of its own: jobs and their events, workers that come, report, crash or stay
//! silent, restarts, and whole jobs computed by the real worker.
//!
//! No service may depend on another's crate, so the store and the tokenizer behind it are stand-ins that keep what they
//! are given in memory; tests/e2e runs the same jobs against the real ones.
#![allow(clippy::unwrap_used, reason = "a test that can't go on shall end there")]

mod audits;
mod bench;
mod data;
mod encoders;
mod forgetting;
mod jobs;
mod mixes;
mod rest;
mod stages;
mod store;
mod tokens;
mod training;
mod workers;
