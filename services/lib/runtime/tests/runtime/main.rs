//! The runtime as services use it: a real server on port 0, a real client, and a scripted service behind them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails where it stands")]

mod calls;
mod config;
mod drain;
mod port;
mod signals;
mod status;
mod support;
mod tasks;
mod telemetry;
