//! A Hugging Face directory on disk: its configuration, and its weights, sharded or in one file.

use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use rootstock_artifacts::check::{Header, safetensors::Dtype};
use rootstock_model::{Config, Decoder, ModelError};

use super::BenchError;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "safetensors";

/// A directory with a model.
#[derive(Clone, Debug)]
pub(super) struct ModelDir {
    pub(super) config: Config,
    weights: Vec<PathBuf>,
}

impl ModelDir {
    /// Reads the configuration and finds the weights.
    pub(super) fn read(dir: &Path) -> Result<Self, BenchError> {
        let config = dir.join(CONFIG);
        let json = std::fs::read(&config).map_err(BenchError::read(&config))?;
        let config = Config::from_json(&json).map_err(ModelError::from)?;
        let mut weights = entries(dir)?;
        weights.retain(|path| path.extension().is_some_and(|extension| extension == WEIGHTS));
        if weights.is_empty() {
            return Err(BenchError::Refused(format!("{} has no *.{WEIGHTS}", dir.display())));
        }
        Ok(Self { config, weights })
    }

    /// The model in memory.
    pub(super) fn load(&self, dtype: DType) -> Result<Decoder, BenchError> {
        Ok(Decoder::load(self.config.clone(), &self.weights, dtype, &Device::Cpu)?)
    }

    /// Bytes of its weights on disk.
    pub(super) fn bytes(&self) -> Result<u64, BenchError> {
        self.weights.iter().map(|path| file_bytes(path)).sum()
    }

    /// What a server has in memory that takes the weights as they are stored: bf16 stays, everything else is f32.
    pub(super) fn stored_dtype(&self) -> Result<DType, BenchError> {
        for path in &self.weights {
            let file = File::open(path).map_err(BenchError::read(path))?;
            let header = Header::read(file, file_bytes(path)?)
                .map_err(|error| BenchError::Refused(format!("{}: {error}", path.display())))?;
            if let Some(matrix) = header.tensors.iter().find(|tensor| tensor.shape.len() > 1) {
                return Ok(if matrix.dtype == Dtype::BF16 { DType::BF16 } else { DType::F32 });
            }
        }
        Ok(DType::F32)
    }
}

/// What lies directly in a directory, by name.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let failed = BenchError::read(dir);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(&failed)? {
        paths.push(entry.map_err(&failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Size of a file.
pub(super) fn file_bytes(path: &Path) -> Result<u64, BenchError> {
    Ok(std::fs::metadata(path).map_err(BenchError::read(path))?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
    }

    #[test]
    fn what_transformers_wrote_is_loaded_sharded_or_not() {
        for (name, shards) in [("tied", 1), ("untied", 3)] {
            let model = ModelDir::read(&golden(name)).unwrap();
            assert_eq!(model.weights.len(), shards);
            let decoder = model.load(DType::F32).unwrap();
            assert_eq!(decoder.config(), &model.config);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = ModelDir::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with(CONFIG), "{error}");
        std::fs::copy(golden("tied").join(CONFIG), dir.path().join(CONFIG)).unwrap();
        let error = ModelDir::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("has no *.safetensors"), "{error}");
    }
}
