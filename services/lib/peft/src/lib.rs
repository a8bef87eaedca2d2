//! Parameter-efficient fine-tuning: adapter layers and the PEFT directory format.
#![forbid(unsafe_code)]

mod adapter;
mod any;
mod biases;
mod bottleneck;
mod check;
mod config;
mod error;
mod files;
mod header;
mod merge;
mod modules;
mod names;
mod pattern;
mod select;
mod sum;
mod targets;
mod virtual_tokens;

pub use adapter::LoraAdapter;
pub use any::{AdapterConfig, Admitted, AnyAdapter};
pub use biases::Biases;
pub use bottleneck::{
    BottleneckAdapter, BottleneckConfig, MAX_REDUCTION_FACTOR, MAX_SCALING, MIN_REDUCTION_FACTOR,
};
pub use check::{SUPPORTED_DTYPES, TensorHeader, check_tensors, expected_shapes, resident_bytes};
pub use config::{InitLoraWeights, LoraConfig, MAX_ALPHA, MAX_CONFIG_BYTES, MAX_RANK};
pub use error::PeftError;
pub use files::{BOTTLENECK_WEIGHTS_FILE, CONFIG_FILE, WEIGHTS_FILE};
pub use header::{MAX_HEADER_BYTES, read_header};
pub use merge::merge;
pub use modules::{Module, SavedModule};
pub use names::{Half, tensor_name};
pub use pattern::MAX_PATTERN_BYTES;
pub use select::Target;
pub use sum::WeightedSum;
pub use targets::TargetModules;
pub use virtual_tokens::{
    MAX_ENCODER_WIDTH, MAX_VIRTUAL_TOKENS, VirtualTokens, VirtualTokensConfig, VirtualTokensKind,
};
