//! Stories over the real binary: servers are processes on free ports, workers are their children, and nothing is played.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails where it stands")]

mod answers;
mod bench;
mod cancel;
mod command_line;
mod crash;
mod discovery;
mod drain;
mod encoders;
mod evaluation;
mod examples;
mod forgetting;
mod gauges;
mod golden;
mod held_out;
mod kills;
mod main_job;
mod memory;
mod methods;
mod metrics;
mod network;
mod objectives;
mod proof;
mod publication;
mod refusals;
mod refusals_cli;
mod registry;
mod replay;
mod store;
mod swap;
mod tokenizers;
mod trace;

use rootstock_client::{ClientError, ErrorReason};

/// The binary that cargo has built for these tests.
const ROOTSTOCK: &str = env!("CARGO_BIN_EXE_rootstock");

/// The message of a refusal, if it has this reason.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>, reason: ErrorReason) -> String {
    match result {
        Ok(granted) => panic!("granted, but {} was expected: {granted:?}", reason.as_str_name()),
        Err(error) => {
            assert_eq!(error.reason, Some(reason), "{error:?}");
            error.to_string()
        }
    }
}
