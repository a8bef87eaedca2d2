//! A PEFT directory before it is sent: a configuration that can be applied, and tensors that fit the base model.
use std::fs::File;
use std::path::Path;

use rootstock_model::Config;
use rootstock_peft::{AdapterConfig, CONFIG_FILE, TensorHeader};

use super::{NamedFile, dir};
use crate::CliError;

/// A directory that can be sent, if it fits the base model.
#[derive(Debug)]
pub(crate) struct Adapter {
    pub(crate) files: Vec<NamedFile>,
    pub(crate) left_out: Vec<String>,
    config: AdapterConfig,
    tensors: Vec<TensorHeader>,
}

/// Reads and checks a directory.
pub(crate) fn read(path: &Path) -> Result<Adapter, CliError> {
    let at = |problem: String| CliError::refused(format!("{}: {problem}", path.display()));
    let config = dir::list(path, |name| name == CONFIG_FILE)?.read(path, CONFIG_FILE)?;
    let config = AdapterConfig::from_json(&config).map_err(|error| at(error.to_string()))?;
    let file = config.weights_file();
    let listing = dir::list(path, |name| name == CONFIG_FILE || name == file)?;
    let weights = listing
        .path(file)
        .ok_or_else(|| at(format!("has no {file}; save the adapter with {}", saving(&config))))?;
    let failed = |source| CliError::io(weights.display().to_string(), source);
    let mut file = File::open(weights).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let tensors = config.read_header(&mut file, size).map_err(|error| at(error.to_string()))?;
    Ok(Adapter { files: listing.files, left_out: listing.left_out, config, tensors })
}

impl Adapter {
    /// Checks every tensor against the base model's shape.
    pub(crate) fn check_fits(&self, base: &Config, base_name: &str) -> Result<(), CliError> {
        self.config.check_tensors(base, &self.tensors).map_err(|error| {
            let file = self.config.weights_file();
            CliError::refused(format!("{file} does not fit the base model {base_name}: {error}"))
        })
    }
}

/// How the library that makes such adapters writes safetensors.
fn saving(config: &AdapterConfig) -> &'static str {
    match config {
        AdapterConfig::Lora(_) | AdapterConfig::VirtualTokens(_) => {
            "save_pretrained(..., safe_serialization=True)"
        }
        AdapterConfig::Bottleneck(_) => "save_adapter(..., use_safetensors=True)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
    }

    fn config_of(name: &str) -> Config {
        Config::from_json(&std::fs::read(golden(name).join("config.json")).unwrap()).unwrap()
    }

    #[test]
    fn an_adapter_fits_the_model_it_was_made_for_and_no_other() {
        let adapter = read(&golden("lora")).unwrap();
        adapter.check_fits(&config_of("tied"), "tied").unwrap();
        let error = adapter.check_fits(&config_of("untied"), "untied").unwrap_err().to_string();
        assert!(error.contains("base model untied") && error.contains("down_proj"), "{error}");
    }

    #[test]
    fn bottlenecks_are_looked_for_where_their_library_writes_them() {
        let dir = tempfile::tempdir().unwrap();
        let (config, weights) = (dir.path().join(CONFIG_FILE), dir.path().join("adapter.safetensors"));
        std::fs::copy(golden("bottleneck/houlsby").join(CONFIG_FILE), config).unwrap();
        std::fs::write(dir.path().join("adapter_model.safetensors"), b"").unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("has no adapter.safetensors") && error.contains("save_adapter"), "{error}");
        std::fs::copy(golden("bottleneck/houlsby/adapter.safetensors"), weights).unwrap();
        let adapter = read(dir.path()).unwrap();
        adapter.check_fits(&config_of("tied"), "tied").unwrap();
        assert_eq!(adapter.left_out, ["adapter_model.safetensors"]);
        let error = adapter.check_fits(&config_of("untied"), "untied").unwrap_err().to_string();
        assert!(error.contains("adapter.safetensors does not fit"), "{error}");
    }

    #[test]
    fn what_is_missing_and_what_is_not_supported_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("has no adapter_config.json"));
        let config = std::fs::read_to_string(golden("lora").join(CONFIG_FILE)).unwrap();
        std::fs::write(dir.path().join(CONFIG_FILE), &config).unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("has no adapter_model.safetensors"));
        let biased = config.replace("\"bias\": \"none\"", "\"bias\": \"some\"");
        std::fs::write(dir.path().join(CONFIG_FILE), biased).unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("bias"));
        std::fs::write(dir.path().join("adapter_model.bin"), b"PK\x03\x04").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("adapter_model.bin is a pickle"));
    }
}
