//! A Hugging Face directory before it is sent: a known architecture, every tensor there and of its shape, a tokenizer
//! that can be built.
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rootstock_artifacts::check::Header;
use rootstock_artifacts::check::safetensors::Dtype;
use rootstock_model::AnyConfig;
use rootstock_text::{TextTokenizer, TokenizerSources};

use super::{NamedFile, dir};
use crate::CliError;

/// Endings of the files that make up a model: weights, configuration, tokenizer, and what tells where it is from.
const NEEDED: [&str; 5] = [".json", ".safetensors", ".jinja", ".txt", ".model"];
const SUPPORTED: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];
/// Names shown before the rest is counted.
const SHOWN: usize = 3;

/// A directory that can be sent.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) files: Vec<NamedFile>,
    pub(crate) left_out: Vec<String>,
    pub(crate) config: AnyConfig,
    pub(crate) tokenizer_digest: Option<String>,
}

/// Reads and checks a directory.
pub(crate) fn read(path: &Path) -> Result<Model, CliError> {
    let listing = dir::list(path, |name| NEEDED.iter().any(|end| name.ends_with(end)))?;
    let at = |problem: String| CliError::refused(format!("{}: {problem}", path.display()));
    let config = listing.read(path, "config.json")?;
    let config = AnyConfig::from_json(&config).map_err(|error| at(error.to_string()))?;
    let weights: Vec<&NamedFile> =
        listing.files.iter().filter(|(name, _)| name.ends_with(".safetensors")).collect();
    if weights.is_empty() {
        return Err(at("has no *.safetensors; save the model with save_pretrained".into()));
    }
    check_weights(&config, &weights).map_err(at)?;
    let tokenizer_digest = tokenizer_digest(path, &listing)?;
    Ok(Model { files: listing.files, left_out: listing.left_out, config, tokenizer_digest })
}

fn check_weights(config: &AnyConfig, files: &[&NamedFile]) -> Result<(), String> {
    let mut wanted: BTreeMap<String, Vec<usize>> =
        config.tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (file, path) in files {
        let header = header(path).map_err(|problem| format!("{file}: {problem}"))?;
        for tensor in header.tensors {
            let name = tensor.name;
            if let Some(other) = seen.insert(name.clone(), file) {
                return Err(format!("tensor {name} is in {other} and in {file}; keep one of the files"));
            }
            if !SUPPORTED.contains(&tensor.dtype) {
                return Err(format!(
                    "{file}: tensor {name} is {:?}; F32, F16 and BF16 are read",
                    tensor.dtype
                ));
            }
            match wanted.remove(&config.canonical(&name)) {
                Some(shape) if shape == tensor.shape => {}
                Some(shape) => {
                    let found = tensor.shape;
                    return Err(format!(
                        "{file}: tensor {name} has shape {found:?}, but config.json asks for {shape:?}"
                    ));
                }
                None if config.passes_over(&name) => {}
                None => {
                    return Err(format!("{file}: tensor {name} fits nowhere in a model of this config.json"));
                }
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = wanted.keys().take(SHOWN).map(String::as_str).collect();
    let count = wanted.len();
    Err(format!("lacks {count} tensors, among them {}; check that all shards are there", names.join(", ")))
}

fn header(path: &Path) -> Result<Header, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    Header::read(file, size).map_err(|error| format!("is no valid safetensors file: {error}"))
}

fn tokenizer_digest(path: &Path, listing: &dir::Listing) -> Result<Option<String>, CliError> {
    let optional = |name: &str| listing.path(name).map(dir::read).transpose();
    let Some(tokenizer_json) = optional("tokenizer.json")? else { return Ok(None) };
    let tokenizer_config = optional("tokenizer_config.json")?;
    let chat_template = optional("chat_template.jinja")?;
    let sources = TokenizerSources {
        tokenizer_json: &tokenizer_json,
        tokenizer_config: tokenizer_config.as_deref(),
        chat_template: chat_template.as_deref(),
    };
    let tokenizer = TextTokenizer::from_sources(&sources)
        .map_err(|error| CliError::refused(format!("{}: {error}", path.display())))?;
    Ok(Some(format!("sha256:{}", tokenizer.digest())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
    }

    fn copy(name: &str) -> tempfile::TempDir {
        let target = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(golden(name)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), target.path().join(entry.file_name())).unwrap();
        }
        target
    }

    fn refusal(dir: &tempfile::TempDir) -> String {
        read(dir.path()).unwrap_err().to_string()
    }

    #[test]
    fn what_transformers_wrote_passes_sharded_or_not() {
        for name in ["tied", "untied", "families/qwen3", "bert/masked_lm"] {
            let model = read(&golden(name)).unwrap();
            assert!(model.files.iter().any(|(file, _)| file == "config.json"));
            assert_eq!(model.tokenizer_digest, None);
        }
    }

    #[test]
    fn an_unknown_architecture_is_named() {
        let dir = copy("tied");
        let path = dir.path().join("config.json");
        let config = std::fs::read_to_string(&path).unwrap().replace("LlamaForCausalLM", "BertModel");
        std::fs::write(path, config).unwrap();
        assert!(refusal(&dir).contains("BertModel"), "{}", refusal(&dir));
    }

    #[test]
    fn a_missing_shard_a_missing_config_and_a_torn_file_are_named() {
        let dir = copy("untied");
        std::fs::remove_file(dir.path().join("model-00002-of-00003.safetensors")).unwrap();
        assert!(refusal(&dir).contains("check that all shards are there"), "{}", refusal(&dir));
        let dir = copy("tied");
        let weights = dir.path().join("model.safetensors");
        let bytes = std::fs::read(&weights).unwrap();
        std::fs::write(&weights, &bytes[..bytes.len() - 4]).unwrap();
        assert!(refusal(&dir).contains("model.safetensors"), "{}", refusal(&dir));
        std::fs::remove_file(dir.path().join("config.json")).unwrap();
        assert!(refusal(&dir).contains("has no config.json"), "{}", refusal(&dir));
    }

    #[test]
    fn a_pickle_is_refused_by_name_and_by_content() {
        let dir = copy("tied");
        std::fs::write(dir.path().join("pytorch_model.bin"), b"anything").unwrap();
        assert!(refusal(&dir).contains("pytorch_model.bin is a pickle"), "{}", refusal(&dir));
        let dir = copy("tied");
        std::fs::write(dir.path().join("model.safetensors"), b"\x80\x02}q\0.aaaaaaaa").unwrap();
        assert!(refusal(&dir).contains("model.safetensors is a pickle"), "{}", refusal(&dir));
    }

    #[test]
    fn a_model_of_another_shape_is_told_apart_by_its_tensor() {
        let dir = copy("tied");
        let path = dir.path().join("config.json");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, config.replace("\"intermediate_size\": 32", "\"intermediate_size\": 64"))
            .unwrap();
        let message = refusal(&dir);
        assert!(message.contains("down_proj") && message.contains("[40, 32]"), "{message}");
    }
}
