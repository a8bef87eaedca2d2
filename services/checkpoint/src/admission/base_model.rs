//! Base models: a configuration that there is a model for, and the tensors that it asks for.
use std::collections::BTreeMap;

use rootstock_artifacts::Digest;
use rootstock_artifacts::check::TensorInfo;
use rootstock_artifacts::check::safetensors::Dtype;
use rootstock_model::{AnyConfig, ConfigError};
use serde::Deserialize;

use super::{AdmissionError, Inspection, MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES};

/// The configuration.
pub(super) const CONFIG: &str = "config.json";
/// Which tensor lies in which file, for weights in several.
const INDEX: &str = "model.safetensors.index.json";
/// Types that weights may be stored in.
const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::BF16, Dtype::F16];

/// The part of the index that says where tensors lie.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Inspection {
    /// A base model artifact.
    pub(super) fn base_model(
        mut self,
        tensors: &BTreeMap<String, Vec<TensorInfo>>,
    ) -> Result<Option<Digest>, AdmissionError> {
        let bytes = self.small(CONFIG, MAX_CONFIG_BYTES)?.unwrap_or_default();
        let config = AnyConfig::from_json(&bytes).map_err(refusal)?;
        account(&config, tensors)?;
        if let Some(index) = self.small(INDEX, MAX_TOKENIZER_BYTES)? {
            check_index(&index, tensors)?;
        }
        match self.tokenizer()? {
            // Ids without a row in the embedding table could be asked for, and not be computed.
            Some((size, _)) if size > config.vocab_size() => Err(AdmissionError::Tokenizer(format!(
                "the tokenizer has {size} ids, but config.json: vocab_size is {}",
                config.vocab_size()
            ))),
            Some((_, digest)) => Ok(Some(digest)),
            None => Ok(self.tokenizer_digest),
        }
    }
}

fn refusal(error: ConfigError) -> AdmissionError {
    match error {
        ConfigError::Architecture { .. } => AdmissionError::Architecture(error.to_string()),
        // The other messages name the file themselves.
        other => {
            let text = other.to_string();
            let problem = text
                .strip_prefix("config.json")
                .map_or(text.as_str(), |rest| rest.trim_start_matches([':', ' ']));
            AdmissionError::file(CONFIG, problem)
        }
    }
}

/// Compares the tensors with those that the configuration asks for.
fn account(config: &AnyConfig, tensors: &BTreeMap<String, Vec<TensorInfo>>) -> Result<(), AdmissionError> {
    let mut wanted: BTreeMap<String, Vec<usize>> =
        config.tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (file, tensor) in tensors.iter().flat_map(|(file, tensors)| tensors.iter().map(move |t| (file, t))) {
        let name = tensor.name.as_str();
        let refuse = |problem: String| AdmissionError::tensor(file, format!("tensor `{name}` {problem}"));
        if let Some(other) = seen.insert(name, file) {
            return Err(refuse(format!("is in {other} too")));
        }
        let Some(shape) = wanted.remove(&config.canonical(name)) else {
            if config.passes_over(name) {
                continue;
            }
            return Err(refuse("fits nowhere in a model of this config.json".into()));
        };
        if shape != tensor.shape {
            return Err(refuse(format!("has shape {:?}, but config.json asks for {shape:?}", tensor.shape)));
        }
        if !DTYPES.contains(&tensor.dtype) {
            return Err(refuse(format!("is stored as {:?}; F32, BF16 and F16 are read", tensor.dtype)));
        }
    }
    match wanted.first_key_value() {
        None => Ok(()),
        Some((missing, _)) => {
            let file = tensors.keys().next().map_or(CONFIG, String::as_str);
            Err(AdmissionError::tensor(
                file,
                format!("tensor `{missing}` is missing, and so are {} more", wanted.len() - 1),
            ))
        }
    }
}

/// Checks that each tensor lies where the index says.
fn check_index(bytes: &[u8], tensors: &BTreeMap<String, Vec<TensorInfo>>) -> Result<(), AdmissionError> {
    let index: Index = serde_json::from_slice(bytes).map_err(|error| AdmissionError::file(INDEX, error))?;
    for (file, tensor) in tensors.iter().flat_map(|(file, tensors)| tensors.iter().map(move |t| (file, t))) {
        match index.weight_map.get(&tensor.name) {
            Some(said) if said == file => {}
            Some(said) => {
                let problem = format!("says that tensor `{}` is in {said}, but it is in {file}", tensor.name);
                return Err(AdmissionError::file(INDEX, problem));
            }
            None => return Err(AdmissionError::file(INDEX, format!("lacks tensor `{}`", tensor.name))),
        }
    }
    Ok(())
}
