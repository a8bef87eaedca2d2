//! What the end-to-end tests share: servers as real processes, a proxy that cuts connections, a collector of traces, and
//! tiny models, tokenizers and data.
#![forbid(unsafe_code)]

pub mod cli;
pub mod collector;
pub mod eventually;
pub mod fixtures;
pub mod jobs;
pub mod proxy;
pub mod server;
pub mod streams;

pub use cli::{Outcome, rootstock};
pub use collector::{CollectedSpan, Collector};
pub use eventually::eventually;
pub use proxy::Proxy;
pub use server::{Server, ServerOptions};
pub use streams::{Generated, Generation, generate, prompt_request, start_generation};
