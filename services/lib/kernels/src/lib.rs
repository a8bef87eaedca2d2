//! Differentiable tensor operations, one per file: what candle does not have, or does slowly.
//!
//! Each operation is a function on [`candle_core::Tensor`]. On the CPU it is a fused kernel, which candle's tape can differentiate,
//! beside a `_backward` function for callers that walk a model without a tape; on other devices it is composed of candle's own
//! operations. All results are the same bits on every run, whatever the number of threads.

mod adafactor;
mod adamw;
mod arena;
mod argmax;
mod attention;
pub mod bench;
mod bias;
mod clip;
mod composed;
mod cpu;
mod cross_entropy;
mod cuda;
mod dispatch;
mod dropout;
mod elastic;
mod embedding;
mod finite;
mod gelu;
mod gemm;
mod gradient;
mod large_pages;
mod layer_norm;
mod linear;
mod lion;
mod lora_linear;
mod mapped;
mod matmul;
mod memory;
mod noise;
mod optimizer;
mod random;
mod residual;
mod rms_norm;
mod rotary;
mod segments;
mod sgd;
mod simd;
mod swiglu;
mod team;
#[cfg(test)]
mod testing;
mod tile;
mod weight;

pub use adafactor::AdafactorOptions;
pub use adamw::{AdamW, AdamWOptions};
pub use arena::{ARENA_BLOCK_BYTES, WeightArena};
pub use argmax::argmax;
pub use attention::{
    Attended, Heads, KeyValuePage, KeyValues, Sight, attention, attention_backward, attention_cached,
    attention_forward,
};
pub use bias::{add_bias, bias_gradient};
pub use clip::{clip_by_global_norm, global_norm, scale_gradients};
pub use composed::with_composed;
pub use cpu::with_numbers;
pub use cross_entropy::{
    HeadGradients, IGNORE_INDEX, LossOptions, LossSum, cross_entropy, cross_entropy_of_logits,
    cross_entropy_of_logits_with_gradient, cross_entropy_sum, cross_entropy_with_gradients,
};
pub use cuda::cuda_devices;
pub use dispatch::{DISPATCH_VARIABLE, Dispatch, DispatchError, dispatch, requested_dispatch, with_dispatch};
pub use dropout::{DropoutKey, DropoutMask, dropout};
pub use elastic::{ElasticPenalty, Fisher};
pub use embedding::{embedding, embedding_backward};
pub use finite::{all_finite, first_not_finite};
pub use gelu::{gelu, gelu_backward};
pub use gemm::{Format, INT8_GROUP};
pub use gradient::{Gradient, RowGradient};
pub use large_pages::LargePages;
pub use layer_norm::{LayerNormGradients, layer_norm, layer_norm_backward};
pub use linear::{InputGradient, LinearInput, OutputGradient, linear, linear_weight_gradient};
pub use lion::LionOptions;
pub use lora_linear::{
    DoraGradients, DoraPair, FactorRows, LoraMap, LoraPair, LoraRows, dora_backward, dora_linear,
    lora_backward, lora_linear, lora_linear_rows, lora_norms,
};
pub use mapped::MappedFile;
pub use memory::keep_freed_memory;
pub use noise::embedding_noise;
pub use optimizer::{At, Optimizer, Read, Rule, StepRates};
pub use random::Random;
pub use residual::add;
pub use rms_norm::{rms_norm, rms_norm_backward};
pub use rotary::{RopeScaling, RotaryTable, Rotation, rotary};
pub use segments::Segments;
pub use sgd::SgdOptions;
pub use swiglu::{swiglu, swiglu_backward};
pub use team::{
    THREADS_VARIABLE, ThreadsError, map as map_on_threads, requested_threads, share_out, with_threads,
};
pub use weight::LinearWeight;
