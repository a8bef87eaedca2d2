//! Tests of the text crate, one module per part.
// An unwrap in a test's helper is a check of the test.
#![allow(clippy::unwrap_used)]

mod audit;
mod augment;
mod causal;
mod chat;
mod clean;
mod denoise;
mod documents;
mod fixtures;
mod formats;
mod fuzz;
mod kinds;
mod masked;
mod metrics;
mod mix;
mod prompt;
mod refusals;
mod rows;
mod stream;
mod supervised;
mod tokenizer;
mod train;
