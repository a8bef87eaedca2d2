//! The four services over gRPC: decode, call, encode.

pub(crate) mod adapters;
pub(crate) mod encoder;
pub(crate) mod evaluation;
pub(crate) mod generation;

#[cfg(test)]
mod tests;
