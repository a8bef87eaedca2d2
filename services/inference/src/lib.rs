//! The inference service: generation, adapter swapping and evaluation on one shared base model.
//!
//! A request is bound at admission ([`bind`]) to a base model ([`models`]) and a lease on one generation of an adapter
//! ([`adapters`]), which its alias stands for at that moment ([`aliases`]); the [`engine`] computes it on threads of
//! its own. Publishing ([`publish`]) loads a version before its alias moves; a running request hears of it
//! ([`follower`]), and finishes, goes on with the new version or ends. What aliases want in memory is kept there
//! ([`warm`]). [`evaluation`]s run through the same engine, behind everybody else. What encoders are asked waits in a queue of its
//! own ([`encoders`]).
#![forbid(unsafe_code)]

mod adapters;
mod aliases;
mod bind;
mod config;
mod constraint;
mod convert;
mod encoders;
mod engine;
mod error;
mod evaluation;
mod follower;
mod generation;
mod grpc;
mod in_process;
mod metrics;
mod models;
mod publish;
mod residency;
mod residents;
mod routing;
mod sampling;
mod service;
mod stop;
mod store;
#[cfg(test)]
mod tests;
mod turns;
mod warm;

pub use config::{Config, ConfigProblem, WeightDtype};
pub use error::Error;
pub use in_process::InProcess;
pub use service::{Deps, Handle, build};
