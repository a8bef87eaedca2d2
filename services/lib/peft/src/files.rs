//! PEFT's directory on disk: `adapter_config.json` and `adapter_model.safetensors`, read with every byte accounted for.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::Path,
    vec,
};

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{Format, INT8_GROUP, LinearWeight, WeightArena, first_not_finite};
use rootstock_model::Decoder;
use safetensors::Dtype;

use crate::{
    Half, LoraAdapter, LoraConfig, MAX_CONFIG_BYTES, Module, PeftError, check_tensors,
    header::{Entry, admitted},
    names::{Part, part_name},
};

/// The file that holds the settings.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// The file that holds the weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// The file that holds the weights of bottlenecks: what the `adapters` library calls it.
pub const BOTTLENECK_WEIGHTS_FILE: &str = "adapter.safetensors";
/// What PEFT wrote before safetensors.
const PICKLE_FILE: &str = "adapter_model.bin";
/// How far a copy of the base's weight may be from it, relatively: as far as rounding to bf16 twice takes it.
const COPY_TOLERANCE: f32 = 1.0 / 256.0;
/// And absolutely: what f16 has no smaller numbers for.
const COPY_FLOOR: f32 = 1e-7;
/// The same for a base that is int8, as a share of the largest number of a group: half a step, and what bf16 rounds of that.
const INT8_COPY_FLOOR: f32 = 0.51 / 127.0;

impl LoraAdapter {
    /// Reads a PEFT directory into frozen weights of `dtype` (f32 or bf16), packed for serving on a CPU; they may be stored as f32,
    /// f16 or bf16. DoRA's norms are made of the base's weights.
    ///
    /// # Errors
    /// When a file is missing, broken or a pickle; when the configuration asks for what is not supported; when a tensor
    /// fits nowhere, is missing, has another shape or dtype, holds a value that is not finite, or is said to be the base's and isn't.
    pub fn load(dir: &Path, base: &Decoder, dtype: DType, device: &Device) -> Result<Self, PeftError> {
        let weights = dir.join(WEIGHTS_FILE);
        if !weights.exists() && dir.join(PICKLE_FILE).exists() {
            return Err(PeftError::Pickle { file: PICKLE_FILE.to_owned() });
        }
        Self::load_files(&dir.join(CONFIG_FILE), &weights, base, dtype, device)
    }

    /// [`LoraAdapter::load`] from two files of any name, e.g. blobs named by digest.
    ///
    /// # Errors
    /// Those of [`LoraAdapter::load`].
    pub fn load_files(
        config: &Path,
        weights: &Path,
        base: &Decoder,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, PeftError> {
        let config = LoraConfig::from_json(&read_config(config)?)?;
        let file = File::open(weights).map_err(|error| PeftError::io(WEIGHTS_FILE, error))?;
        let bytes = file.metadata().map_err(|error| PeftError::io(WEIGHTS_FILE, error))?.len();
        Self::read_file(&config, BufReader::new(file), bytes, (base, dtype, device))
    }

    /// [`LoraAdapter::load`] from the contents of the two files.
    ///
    /// # Errors
    /// Those of [`LoraAdapter::load`].
    pub fn from_bytes(
        config: &[u8],
        weights: &[u8],
        base: &Decoder,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, PeftError> {
        let config = LoraConfig::from_json(config)?;
        Self::read_file(&config, weights, weights.len() as u64, (base, dtype, device))
    }

    fn read_file(
        config: &LoraConfig,
        mut reader: impl Read,
        bytes: u64,
        (base, dtype, device): (&Decoder, DType, &Device),
    ) -> Result<Self, PeftError> {
        let check = |headers: &[_]| check_tensors(config, base.config(), headers);
        let entries = admitted(&mut reader, bytes, check)?;
        Self::read(config, &mut Stored::new(reader, entries), (base, dtype, device))
    }

    pub(crate) fn read(
        config: &LoraConfig,
        stored: &mut Stored<impl Read>,
        (base, dtype, device): (&Decoder, DType, &Device),
    ) -> Result<Self, PeftError> {
        let mut tensors = Tensors(HashMap::new());
        // Magnitudes and biases are f32, whatever the matrices are.
        let dtype_of = |name: &str, shape: &[usize]| match original(name, base) {
            None if shape.len() != 1 => dtype,
            _ => DType::F32,
        };
        while let Some((name, tensor)) = stored.read_next(dtype_of, device)? {
            match original(&name, base) {
                Some(weight) => check_copy(&name, &tensor, weight)?,
                None => drop(tensors.0.insert(name, tensor)),
            }
        }
        tensors.adapter(config, base)
    }

    /// Writes the two files of a PEFT directory, which is made when it is not there. Each file appears whole or not at
    /// all; equal adapters give equal bytes.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, dir: &Path) -> Result<(), PeftError> {
        save_files(dir, &self.config().to_json(), (WEIGHTS_FILE, &self.weights_bytes()?))
    }

    /// The contents of `adapter_model.safetensors`: tensors sorted by name, so that equal adapters give equal bytes.
    ///
    /// # Errors
    /// When a tensor can't be brought to the CPU.
    pub fn weights_bytes(&self) -> Result<Vec<u8>, PeftError> {
        tensor_file(self.named_tensors()?)
    }
}

/// The contents of a safetensors file of these tensors.
pub(crate) fn tensor_file(tensors: Vec<(String, Tensor)>) -> Result<Vec<u8>, PeftError> {
    let tensors = tensors.into_iter().map(|(name, tensor)| {
        let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
        Ok((name, tensor))
    });
    let tensors: Vec<_> = tensors.collect::<Result<_, PeftError>>()?;
    // One key only: the map has no order, and the bytes must have one.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata)).map_err(|error| PeftError::format(WEIGHTS_FILE, error))
}

/// Writes the two files of an adapter's directory, which is made when it is not there. Each appears whole or not at all.
pub(crate) fn save_files(dir: &Path, config: &str, (file, weights): (&str, &[u8])) -> Result<(), PeftError> {
    fs::create_dir_all(dir).map_err(|error| PeftError::io(CONFIG_FILE, error))?;
    write_whole(dir, file, weights)?;
    write_whole(dir, CONFIG_FILE, config.as_bytes())
}

/// The tensors of a file, by name, until each has found its place.
struct Tensors(HashMap<String, Tensor>);

impl Tensors {
    fn adapter(mut self, config: &LoraConfig, base: &Decoder) -> Result<LoraAdapter, PeftError> {
        let mut adapter = LoraAdapter::empty(config, base.config())?;
        // In one block, since the pairs are read together for every token.
        let mut arena = WeightArena::new(packed_bytes(self.0.values()));
        for target in config.targets(base.config())? {
            let (a, b) =
                (self.take(target.module, Half::A.into())?, self.take(target.module, Half::B.into())?);
            let a = match target.module {
                Module::Embedding => a.t()?.contiguous()?.into(),
                _ => LinearWeight::frozen_in(&a, &mut arena)?,
            };
            adapter.insert(&target, a, LinearWeight::frozen_in(&b, &mut arena)?);
            if config.use_dora {
                adapter.rescale(target.module, self.take(target.module, Part::Magnitude)?, base)?;
            }
        }
        for own in config.own_biases(base.config())? {
            adapter.put_bias(own, self.take(Module::Layer(own.layer, own.projection), own.part())?);
        }
        for module in &config.modules_to_save {
            let weight = self.take(Module::from(*module), Part::Whole)?;
            adapter.replace(*module, LinearWeight::frozen_in(&weight, &mut arena)?);
        }
        Ok(adapter)
    }

    fn take(&mut self, module: Module, part: Part) -> Result<Tensor, PeftError> {
        let name = part_name(module, part);
        self.0.remove(&name).ok_or(PeftError::MissingTensor(name))
    }
}

/// The base's weight that a tensor is said to be a copy of.
fn original<'a>(name: &str, base: &'a Decoder) -> Option<&'a LinearWeight> {
    let copies = |module| part_name(module, Part::Copy) == name;
    match (copies(Module::Embedding), copies(Module::Head)) {
        (true, _) => Some(base.embedding_weight()),
        (_, true) => Some(base.head_weight()),
        (false, false) => None,
    }
}

/// Refuses a weight that PEFT saved with an adapted embedding or head, if it is not the base's own up to rounding: the pair was trained
/// on something else.
fn check_copy(name: &str, copy: &Tensor, weight: &LinearWeight) -> Result<(), PeftError> {
    for row in 0..copy.dim(0)? {
        let (found, expected) = (copy.get(row)?.to_vec1::<f32>()?, weight.row(row)?);
        let mut groups = found.chunks(INT8_GROUP).zip(expected.chunks(INT8_GROUP));
        if !groups.all(|(found, expected)| near(found, expected, weight.format())) {
            return Err(PeftError::Base(format!(
                "tensor {name} differs from the base's own in row {row}; name its module in modules_to_save to replace it"
            )));
        }
    }
    Ok(())
}

/// Whether so many numbers of a copy are those of a weight in this format, up to rounding.
fn near(found: &[f32], expected: &[f32], format: Format) -> bool {
    let largest = expected.iter().fold(0_f32, |largest, number| largest.max(number.abs()));
    let floor = if format == Format::Int8 { INT8_COPY_FLOOR * largest } else { 0.0 } + COPY_FLOOR;
    found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= COPY_TOLERANCE * b.abs() + floor)
}

pub(crate) fn read_config(path: &Path) -> Result<Vec<u8>, PeftError> {
    let file = File::open(path).map_err(|error| PeftError::io(CONFIG_FILE, error))?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser sees that there is too much.
    file.take(MAX_CONFIG_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| PeftError::io(CONFIG_FILE, error))?;
    Ok(bytes)
}

/// The tensors of a file whose header is read. They follow each other without gaps, as that was checked, so reading goes straight on.
pub(crate) struct Stored<R> {
    reader: R,
    entries: vec::IntoIter<Entry>,
    /// A tensor's bytes as the file has them.
    bytes: Vec<u8>,
}

impl<R: Read> Stored<R> {
    pub(crate) fn new(reader: R, entries: Vec<Entry>) -> Self {
        Self { reader, entries: entries.into_iter(), bytes: Vec::new() }
    }

    /// The next tensor with its name, in the dtype that follows from name and shape; refuses numbers that are not finite in that.
    pub(crate) fn read_next(
        &mut self,
        dtype: impl FnOnce(&str, &[usize]) -> DType,
        device: &Device,
    ) -> Result<Option<(String, Tensor)>, PeftError> {
        let Some(Entry { header: (name, shape, stored), bytes }) = self.entries.next() else {
            return Ok(None);
        };
        self.bytes.resize(bytes, 0);
        self.reader.read_exact(&mut self.bytes).map_err(|error| PeftError::io(WEIGHTS_FILE, error))?;
        let stored = match stored {
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => DType::F32,
        };
        let tensor = Tensor::from_raw_buffer(&self.bytes, stored, &shape, &Device::Cpu)?;
        let tensor = tensor.to_dtype(dtype(&name, &shape))?;
        match first_not_finite(&tensor)? {
            None => Ok(Some((name, tensor.to_device(device)?))),
            Some(element) => Err(PeftError::NotFinite { name, element }),
        }
    }
}

/// Bytes that tensors take when they are packed.
pub(crate) fn packed_bytes<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> usize {
    let bytes = |tensor: &Tensor| {
        let format = if tensor.dtype() == DType::BF16 { Format::Bf16 } else { Format::F32 };
        tensor.dims2().map_or(0, |(outputs, inputs)| LinearWeight::packed_bytes(outputs, inputs, format))
    };
    tensors.map(bytes).sum()
}

/// Writes beside the final name and renames, so that nobody reads half a file.
fn write_whole(dir: &Path, file: &str, bytes: &[u8]) -> Result<(), PeftError> {
    let partial = dir.join(format!(".{file}.partial"));
    let write = || -> io::Result<()> {
        let mut out = File::create(&partial)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        fs::rename(&partial, dir.join(file))
    };
    write().map_err(|error| {
        // Nothing half-written may stay; that it could not be removed changes nothing about the answer.
        let _ = fs::remove_file(&partial);
        PeftError::io(file, error)
    })
}

#[cfg(test)]
mod tests;
