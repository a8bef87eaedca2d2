//! Admission of an adapter by its header alone: every tensor must have its place, and every place its tensor.

use std::collections::{BTreeMap, BTreeSet};

use rootstock_kernels::{Format, LinearWeight};
use rootstock_model::Config;
use safetensors::Dtype;

use crate::{
    Half, LoraConfig, Module, PeftError,
    names::{Part, part_name},
    select::Target,
};

/// Name, shape and dtype of a stored tensor.
pub type TensorHeader = (String, Vec<usize>, Dtype);

/// The dtypes in which adapters are read.
pub const SUPPORTED_DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

/// Checks that the tensors of an adapter are exactly those its configuration asks for on this base model: a pair per chosen module, A
/// [r, in] and B [out, r], with DoRA its magnitudes [out], a weight [V, H] per replaced module and a bias [out] per one of the base's
/// that is replaced, in a dtype that is read. PEFT saves
/// an adapted embedding's or head's own weight as well; it may be there, and must then be the base's.
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
        let place = places.get(*name).ok_or_else(|| unknown(config, name))?;
        if !SUPPORTED_DTYPES.contains(dtype) {
            return Err(PeftError::Dtype { name: (*name).to_owned(), dtype: format!("{dtype:?}") });
        }
        place.check_shape(name, shape)?;
    }
    missing(&places, &present)
}

/// The shape of every tensor that the configuration asks for on this base model, by name.
///
/// # Errors
/// As [`LoraConfig::targets`].
pub fn expected_shapes(
    config: &LoraConfig,
    base: &Config,
) -> Result<BTreeMap<String, Vec<usize>>, PeftError> {
    Ok(places(config, base)?.into_iter().map(|(name, place)| (name, place.shape)).collect())
}

/// Bytes that an adapter of this configuration takes when it is packed for serving.
///
/// # Errors
/// As [`LoraConfig::targets`].
pub fn resident_bytes(config: &LoraConfig, base: &Config, format: Format) -> Result<usize, PeftError> {
    Ok(places(config, base)?.values().map(|place| place.bytes(format)).sum())
}

/// Checks that tensors are exactly those of these shapes, in a dtype that is read; `reason` tells why another one fits nowhere.
///
/// # Errors
/// As [`check_tensors`].
pub(crate) fn check_exactly(
    shapes: &BTreeMap<String, Vec<usize>>,
    tensors: &[TensorHeader],
    reason: &str,
) -> Result<(), PeftError> {
    let mut present = BTreeSet::new();
    for (name, shape, dtype) in tensors {
        if !present.insert(name) {
            return Err(PeftError::DuplicateTensor(name.clone()));
        }
        let name = name.clone();
        let Some(expected) = shapes.get(&name) else {
            return Err(PeftError::UnknownTensor { name, reason: reason.to_owned() });
        };
        if !SUPPORTED_DTYPES.contains(dtype) {
            return Err(PeftError::Dtype { name, dtype: format!("{dtype:?}") });
        }
        if shape != expected {
            return Err(PeftError::Shape { name, found: shape.clone(), expected: expected.clone() });
        }
    }
    match shapes.keys().find(|name| !present.contains(name)) {
        Some(missing) => Err(PeftError::MissingTensor(missing.clone())),
        None => Ok(()),
    }
}

/// Where a tensor belongs and what it must look like.
struct Place {
    module: Module,
    part: Part,
    shape: Vec<usize>,
}

impl Place {
    /// Which dimension is the rank.
    fn rank(&self) -> Option<usize> {
        match self.part {
            Part::Half(Half::A) => Some(0),
            Part::Half(Half::B) => Some(1),
            Part::Magnitude | Part::Whole | Part::Copy | Part::Bias | Part::AdaptedBias => None,
        }
    }

    fn check_shape(&self, name: &str, found: &[usize]) -> Result<(), PeftError> {
        if found == self.shape {
            return Ok(());
        }
        let name = name.to_owned();
        // A pair of another rank is a mistake of its own, with a remedy of its own.
        if let (Some(rank), &[_, _]) = (self.rank(), found)
            && found[1 - rank] == self.shape[1 - rank]
        {
            return Err(PeftError::Rank { name, found: found[rank], expected: self.shape[rank] });
        }
        Err(PeftError::Shape { name, found: found.to_vec(), expected: self.shape.clone() })
    }

    /// Bytes in memory: an embedding's A is kept as rows, magnitudes with the factors made of them, a copy of the base's not at all.
    fn bytes(&self, format: Format) -> usize {
        let numbers: usize = self.shape.iter().product();
        let element = if format == Format::Bf16 { size_of::<u16>() } else { size_of::<f32>() };
        match (self.part, self.module) {
            (Part::Copy, _) => 0,
            (Part::Bias | Part::AdaptedBias, _) => numbers * size_of::<f32>(),
            (Part::Magnitude, _) => 2 * numbers * size_of::<f32>(),
            (Part::Half(Half::A), Module::Embedding) => numbers * element,
            (Part::Half(_) | Part::Whole, _) => {
                LinearWeight::packed_bytes(self.shape[0], self.shape[1], format)
            }
        }
    }
}

/// Every tensor the configuration asks for or allows, by name.
fn places(config: &LoraConfig, base: &Config) -> Result<BTreeMap<String, Place>, PeftError> {
    let mut places = BTreeMap::new();
    let mut put = |module, part, shape: &[usize]| {
        places.insert(part_name(module, part), Place { module, part, shape: shape.to_vec() });
    };
    let table = [base.vocab_size, base.hidden_size];
    for Target { module, rank, .. } in config.targets(base)? {
        let (out, input) = module.shape(base);
        put(module, Part::Half(Half::A), &[rank, input]);
        put(module, Part::Half(Half::B), &[out, rank]);
        if config.use_dora {
            put(module, Part::Magnitude, &[out]);
        }
        if !matches!(module, Module::Layer(..)) {
            put(module, Part::Copy, &table);
        }
    }
    for module in &config.modules_to_save {
        put(Module::from(*module), Part::Whole, &table);
    }
    for own in config.own_biases(base)? {
        let (part, module) = (own.part(), Module::Layer(own.layer, own.projection));
        put(module, part, &[module.shape(base).0]);
    }
    Ok(places)
}

fn missing(
    places: &BTreeMap<String, Place>,
    present: &BTreeMap<&str, (&[usize], Dtype)>,
) -> Result<(), PeftError> {
    let absent =
        |(name, place): &(&String, &Place)| place.part != Part::Copy && !present.contains_key(name.as_str());
    let Some((name, place)) = places.iter().find(absent) else { return Ok(()) };
    if let Part::Half(half) = place.part {
        let other = part_name(place.module, Part::Half(half.other()));
        if present.contains_key(other.as_str()) {
            return Err(PeftError::MissingHalf { missing: name.clone(), present: other });
        }
    }
    Err(PeftError::MissingTensor(name.clone()))
}

/// Says why a name has no place, as far as the name tells.
fn unknown(config: &LoraConfig, name: &str) -> PeftError {
    let whole = [Module::Embedding, Module::Head].map(|module| part_name(module, Part::Whole));
    let reason = if name.ends_with(".lora_magnitude_vector") && !config.use_dora {
        "it belongs to DoRA, but use_dora is off"
    } else if whole.iter().any(|whole| whole == name) {
        "it replaces a module that modules_to_save does not name"
    } else if name.ends_with(".base_layer.weight") {
        "it is the weight of a module that carries no pair"
    } else if !name.contains(".lora_") {
        "it is not a LoRA matrix"
    } else {
        "its module is not among target_modules, or the base model has no such layer"
    };
    PeftError::UnknownTensor { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
