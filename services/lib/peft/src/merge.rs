//! Merging: the base model with an adapter's updates added to its weights, for readers that know no adapters.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use rootstock_kernels::LoraPair;
use rootstock_model::{Decoder, Projection};

use crate::{LoraAdapter, PeftError};

/// Every weight of the decoder by its Hugging Face name, with W + scale * B A [out, in] where the adapter has a pair.
/// Sums are made in f32 and rounded once to the dtype of the weight; dropout plays no part. The decoder is left alone.
///
/// # Errors
/// When the adapter was made for a model of another shape, or has more than pairs on projections.
pub fn merge(decoder: &Decoder, adapter: &LoraAdapter) -> Result<Vec<(String, Tensor)>, PeftError> {
    let layers = decoder.config().num_hidden_layers;
    if adapter.num_layers() != layers {
        let problem = format!("it was made for {} layers, the base has {layers}", adapter.num_layers());
        return Err(PeftError::Base(problem));
    }
    if let Some(field) = adapter.beyond_lora() {
        return Err(PeftError::Base(format!("an adapter with {field} can't be merged")));
    }
    let mut pairs = BTreeMap::new();
    for layer in 0..layers {
        for projection in Projection::ALL {
            if let Some(pair) = adapter.lora(layer, projection) {
                pairs.insert(projection.weight_name(layer), pair);
            }
        }
    }
    let tensors = decoder.named_tensors()?.into_iter().map(|(name, weight)| match pairs.get(&name) {
        Some(pair) => Ok((name.clone(), merged(&name, &weight, pair)?)),
        None => Ok((name, weight.detach())),
    });
    tensors.collect()
}

fn merged(name: &str, weight: &Tensor, pair: &LoraPair) -> Result<Tensor, PeftError> {
    let (a, b) = (pair.a.tensor()?.detach(), pair.b.tensor()?.detach());
    let (a, b) = (a.to_dtype(DType::F32)?, b.to_dtype(DType::F32)?);
    let update = (b.matmul(&a)? * pair.scale)?; // [out, in]
    if update.dims() != weight.dims() {
        let problem = format!("{name} is {:?}, its update {:?}", weight.dims(), update.dims());
        return Err(PeftError::Base(problem));
    }
    Ok((weight.detach().to_dtype(DType::F32)? + update)?.to_dtype(weight.dtype())?)
}
