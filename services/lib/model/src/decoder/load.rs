//! Loading a decoder from safetensors files, single or sharded, with every tensor in them accounted for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use rootstock_kernels::{ARENA_BLOCK_BYTES, Format, MappedFile, WeightArena};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{Config, Decoder, HEAD, ModelError, TensorSpec, error::file_name, weight::Loaded};

/// Buffers that older checkpoints hold and nobody reads: the frequencies follow from the configuration.
const UNUSED_SUFFIX: &str = ".rotary_emb.inv_freq";

impl Decoder {
    /// Loads a model from memory-mapped safetensors files. Matrices are packed in this format, or in that of a dtype, one by one, so
    /// that no second copy of the model is in memory; norms are always f32. As int8 the model is for answers alone.
    ///
    /// # Errors
    /// Names the tensor that is missing, unexpected, doubled, of the wrong shape or of a dtype that is not read, or the file that
    /// can't be read. A stored output projection is passed over when the configuration ties it to the embedding.
    pub fn load(
        config: Config,
        files: &[PathBuf],
        format: impl Into<Format>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        let expected: BTreeMap<String, TensorSpec> =
            config.tensors().into_iter().map(|spec| (spec.name.clone(), spec)).collect();
        let mut reader = Reader {
            expected,
            format: format.into(),
            device,
            loaded: BTreeMap::new(),
            unexpected: Vec::new(),
            arena: WeightArena::new(ARENA_BLOCK_BYTES),
        };
        for file in files {
            reader.read(file, config.tie_word_embeddings)?;
        }
        let loaded = reader.finish()?;
        Self::from_loaded(config, loaded, device)
    }
}

struct Reader<'a> {
    expected: BTreeMap<String, TensorSpec>,
    format: Format,
    device: &'a Device,
    loaded: BTreeMap<String, Loaded>,
    unexpected: Vec<String>,
    arena: WeightArena,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path, tied: bool) -> Result<(), ModelError> {
        let file = file_name(path);
        let map = MappedFile::open(path).map_err(|source| ModelError::Io { file: file.clone(), source })?;
        let views = SafeTensors::deserialize(map.bytes())
            .map_err(|error| ModelError::Format { file, problem: error.to_string() })?;
        for (name, view) in views.iter() {
            if let Some(spec) = self.expected.get(name) {
                let tensor = self.convert(spec, &view)?;
                let loaded = Loaded::new(tensor, self.format, &mut self.arena)?;
                if self.loaded.insert(name.to_owned(), loaded).is_some() {
                    return Err(ModelError::DuplicateTensor(name.to_owned()));
                }
                map.forget(view.data());
            } else if !(name.ends_with(UNUSED_SUFFIX) || tied && name == HEAD) {
                self.unexpected.push(name.to_owned());
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
            Format::F32 => DType::F32,
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
