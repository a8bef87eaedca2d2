//! Weights on their way into a model: from safetensors files, single or sharded, with every tensor in them accounted for, or drawn.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{ARENA_BLOCK_BYTES, Format, MappedFile, Random, WeightArena};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    AnyConfig, ModelError, TensorSpec,
    error::file_name,
    weight::{Loaded, Matrix, Vector, Weight},
};

/// Loads the tensors that a model has from memory-mapped safetensors files, except those that it passes over. Matrices are packed in
/// this format one by one, so that no second copy of the model is in memory; vectors are always f32.
///
/// # Errors
/// As [`Decoder::load`](crate::Decoder::load).
pub(crate) fn read(
    config: &AnyConfig,
    files: &[PathBuf],
    format: Format,
    device: &Device,
) -> Result<Take, ModelError> {
    let expected = config.tensors().into_iter().map(|spec| (spec.name.clone(), spec)).collect();
    let (loaded, unexpected) = (BTreeMap::new(), Vec::new());
    let arena = WeightArena::new(ARENA_BLOCK_BYTES);
    let mut reader = Reader { expected, config, format, device, loaded, unexpected, arena };
    files.iter().try_for_each(|file| reader.read(file))?;
    Ok(Take(reader.finish()?))
}

/// Fresh weights: matrices from N(0, `std`^2), norms 1, biases 0; f32. Each weight's numbers depend on the seed and its name alone.
///
/// # Errors
/// When the device can't take the tensors.
pub(crate) fn draw(
    tensors: Vec<TensorSpec>,
    std: f64,
    seed: u64,
    device: &Device,
) -> Result<Take, ModelError> {
    let (mut loaded, mut arena) = (BTreeMap::new(), WeightArena::new(ARENA_BLOCK_BYTES));
    for spec in tensors {
        let tensor = match spec.shape.len() {
            1 if spec.name.ends_with("bias") => Tensor::zeros(spec.shape, DType::F32, device)?,
            1 => Tensor::ones(spec.shape, DType::F32, device)?,
            _ => Random::named(seed, &spec.name).normal_tensor(spec.shape, 0.0, std, device)?,
        };
        loaded.insert(spec.name, Loaded::new(tensor, Format::F32, &mut arena)?);
    }
    Ok(Take(loaded))
}

/// Weights that are taken out by name.
#[derive(Debug)]
pub(crate) struct Take(pub(crate) BTreeMap<String, Loaded>);

impl Take {
    pub(crate) fn matrix(&mut self, name: String) -> Result<Matrix, ModelError> {
        match self.0.remove(&name) {
            Some(Loaded::Matrix(numbers)) => Ok(Weight::new(name, numbers)),
            _ => Err(ModelError::MissingTensors(vec![name])),
        }
    }

    pub(crate) fn vector(&mut self, name: String) -> Result<Vector, ModelError> {
        match self.0.remove(&name) {
            Some(Loaded::Vector(numbers)) => Ok(Weight::new(name, numbers)),
            _ => Err(ModelError::MissingTensors(vec![name])),
        }
    }
}

struct Reader<'a> {
    expected: BTreeMap<String, TensorSpec>,
    config: &'a AnyConfig,
    format: Format,
    device: &'a Device,
    loaded: BTreeMap<String, Loaded>,
    unexpected: Vec<String>,
    arena: WeightArena,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path) -> Result<(), ModelError> {
        let file = file_name(path);
        let map = MappedFile::open(path).map_err(|source| ModelError::Io { file: file.clone(), source })?;
        let views = SafeTensors::deserialize(map.bytes())
            .map_err(|error| ModelError::Format { file, problem: error.to_string() })?;
        for (name, view) in views.iter() {
            let name = self.config.canonical(name);
            if let Some(spec) = self.expected.get(&name) {
                let tensor = self.convert(spec, &view)?;
                let loaded = Loaded::new(tensor, self.format, &mut self.arena)?;
                if self.loaded.insert(name.clone(), loaded).is_some() {
                    return Err(ModelError::DuplicateTensor(name));
                }
                map.forget(view.data());
            } else if !self.config.passes_over(&name) {
                self.unexpected.push(name);
            }
        }
        Ok(())
    }

    fn convert(&self, spec: &TensorSpec, view: &TensorView<'_>) -> Result<Tensor, ModelError> {
        if view.shape() != spec.shape {
            let (name, found, expected) = (spec.name.clone(), view.shape().to_vec(), spec.shape.clone());
            return Err(ModelError::Shape { name, found, expected });
        }
        let stored = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                return Err(ModelError::Dtype { name: spec.name.clone(), dtype: format!("{other:?}") });
            }
        };
        let wanted = match self.format {
            _ if spec.shape.len() == 1 => DType::F32,
            // As f16 it is packed.
            Format::F32 | Format::F16 => DType::F32,
            Format::Bf16 => DType::BF16,
            // Rounded once, from what is stored.
            Format::Int8 if stored == DType::BF16 => DType::BF16,
            Format::Int8 => DType::F32,
        };
        let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu)?;
        Ok(tensor.to_dtype(wanted)?.to_device(self.device)?)
    }

    fn finish(mut self) -> Result<BTreeMap<String, Loaded>, ModelError> {
        self.unexpected.sort();
        if !self.unexpected.is_empty() {
            return Err(ModelError::UnexpectedTensors(self.unexpected));
        }
        let missing: Vec<String> =
            self.expected.into_keys().filter(|name| !self.loaded.contains_key(name)).collect();
        if missing.is_empty() { Ok(self.loaded) } else { Err(ModelError::MissingTensors(missing)) }
    }
}
