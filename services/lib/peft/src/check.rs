//! Admission of an adapter by its header alone: every tensor must have its place, and every place its tensor.

use std::collections::BTreeMap;

use rootstock_model::{Config, Projection};
use safetensors::Dtype;

use crate::{Half, LoraConfig, PeftError, tensor_name};

/// Name, shape and dtype of a stored tensor.
pub type TensorHeader = (String, Vec<usize>, Dtype);

/// The dtypes in which adapters are read.
pub const SUPPORTED_DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

/// Checks that the tensors of an adapter are exactly those its configuration asks for on this base model:
/// a pair per chosen module, A [r, in] and B [out, r], in a dtype that is read.
///
/// # Errors
/// Names the first tensor, in order of names, that is unknown, stored twice, missing, of another rank or shape, or of a
/// dtype that is not read.
pub fn check_tensors(config: &LoraConfig, base: &Config, tensors: &[TensorHeader]) -> Result<(), PeftError> {
    config.validate()?;
    let places = places(config, base)?;
    let mut present = BTreeMap::new();
    for (name, shape, dtype) in tensors {
        if present.insert(name.as_str(), (shape.as_slice(), *dtype)).is_some() {
            return Err(PeftError::DuplicateTensor(name.clone()));
        }
    }
    for (name, (shape, dtype)) in &present {
        let place = places.get(*name).ok_or_else(|| unknown(name))?;
        if !SUPPORTED_DTYPES.contains(dtype) {
            return Err(PeftError::Dtype { name: (*name).to_owned(), dtype: format!("{dtype:?}") });
        }
        place.check_shape(name, shape)?;
    }
    missing(&places, &present)
}

/// Where a tensor belongs and what it must look like.
struct Place {
    layer: usize,
    projection: Projection,
    half: Half,
    /// Columns of A, rows of B.
    width: usize,
    rank: usize,
}

impl Place {
    fn shape(&self) -> [usize; 2] {
        match self.half {
            Half::A => [self.rank, self.width],
            Half::B => [self.width, self.rank],
        }
    }

    fn check_shape(&self, name: &str, found: &[usize]) -> Result<(), PeftError> {
        if found == self.shape() {
            return Ok(());
        }
        // A pair of another rank is a mistake of its own, with a remedy of its own.
        let rank = match (self.half, found) {
            (Half::A, &[rank, width]) | (Half::B, &[width, rank]) if width == self.width => Some(rank),
            _ => None,
        };
        let name = name.to_owned();
        Err(match rank {
            Some(found) => PeftError::Rank { name, found, expected: self.rank },
            None => PeftError::Shape { name, found: found.to_vec(), expected: self.shape().to_vec() },
        })
    }
}

/// Every tensor the configuration asks for, by name.
fn places(config: &LoraConfig, base: &Config) -> Result<BTreeMap<String, Place>, PeftError> {
    let mut places = BTreeMap::new();
    for (layer, projection) in config.target_modules.select(base)? {
        let (out, input) = projection.shape(base);
        for (half, width) in [(Half::A, input), (Half::B, out)] {
            let place = Place { layer, projection, half, width, rank: config.r };
            places.insert(tensor_name(layer, projection, half), place);
        }
    }
    Ok(places)
}

fn missing(
    places: &BTreeMap<String, Place>,
    present: &BTreeMap<&str, (&[usize], Dtype)>,
) -> Result<(), PeftError> {
    let Some((name, place)) = places.iter().find(|(name, _)| !present.contains_key(name.as_str())) else {
        return Ok(());
    };
    let other = tensor_name(place.layer, place.projection, place.half.other());
    Err(if present.contains_key(other.as_str()) {
        PeftError::MissingHalf { missing: name.clone(), present: other }
    } else {
        PeftError::MissingTensor(name.clone())
    })
}

/// Says why a name has no place, as far as the name tells.
fn unknown(name: &str) -> PeftError {
    let reason = if name.contains(".lora_magnitude_vector") {
        "it belongs to DoRA, which is not supported"
    } else if name.contains(".lora_embedding_") {
        "it adapts the embedding, which is not supported"
    } else if !name.contains(".lora_A.") && !name.contains(".lora_B.") {
        "it is not a LoRA matrix"
    } else {
        "its module is not among target_modules, or the base model has no such layer"
    };
    PeftError::UnknownTensor { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
