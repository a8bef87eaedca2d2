//! The decoder that training and inference share, and an encoder, with Hugging Face weight names.
#![forbid(unsafe_code)]

mod adapter;
mod bottleneck;
mod cache;
mod config;
mod decoder;
mod encoder;
mod error;
mod gradients;
mod interrupt;
mod layer;
mod lead;
mod load;
mod projection;
mod recompute;
mod save;
#[cfg(test)]
mod testing;
mod train;
mod weight;

pub use adapter::{Adapter, Beginning, EmbeddingChange, EmbeddingPair, HeadChange, Update};
pub use bottleneck::{Bottleneck, NonLinearity, Place, Reads};
pub use cache::{Block, KvCache};
pub use config::{
    AnyConfig, Config, ConfigError, EMBEDDING, FINAL_NORM, Family, HEAD, Layers, MAX_LAYERS, MAX_WIDTH,
    RopeScaling, TensorSpec,
};
pub use decoder::Decoder;
pub use encoder::{
    Encoder, EncoderBatch, EncoderRow,
    config::{EncoderConfig, Task},
};
pub use error::ModelError;
pub use gradients::Gradients;
pub use interrupt::Interrupt;
pub use layer::{Continued, ReadLogits, Wanted};
pub use projection::Projection;
pub use recompute::{Recompute, activation_bytes};
pub use rootstock_kernels::{DropoutKey, Format, LinearWeight, LoraPair, LossSum};
pub use save::{TensorFile, save_tensors};
pub use train::{Batch, Regularization, evaluate, forward_backward};
