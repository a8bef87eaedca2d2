//! Small files of every kind: real enough to be admitted, and easy to break.
use std::collections::BTreeMap;

use rootstock_client::{ArtifactDraft, Kind};
use rootstock_model::Config;
use rootstock_peft::{LoraConfig, TargetModules, expected_shapes};
use rootstock_text::{TrainOptions, train_byte_level_bpe};

/// Names and shapes of tensors.
pub(super) type Shapes = Vec<(String, Vec<usize>)>;

/// A `config.json` of a model that is nearly nothing.
pub(super) fn config_json(hidden: usize) -> String {
    format!(
        r#"{{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 300,
            "hidden_size": {hidden}, "intermediate_size": 12, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true}}"#
    )
}

pub(super) fn config(hidden: usize) -> Config {
    Config::from_json(config_json(hidden).as_bytes()).unwrap()
}

/// The tensors of that model.
pub(super) fn model_tensors(hidden: usize) -> Shapes {
    config(hidden).tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect()
}

/// A safetensors file with these tensors in F32; `fill` makes files differ.
pub(super) fn safetensors(tensors: &Shapes, fill: u8) -> Vec<u8> {
    let mut entries = BTreeMap::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * 4;
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        entries.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&entries).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(&header);
    file.resize(file.len() + end, fill);
    file
}

/// A base model without a tokenizer.
pub(super) fn base_model(hidden: usize) -> ArtifactDraft {
    ArtifactDraft::new(Kind::BaseModel)
        .parent("baseModels/tiny")
        .file("config.json", config_json(hidden))
        .file("model.safetensors", safetensors(&model_tensors(hidden), 1))
}

/// An `adapter_config.json` for two projections.
pub(super) fn adapter_config() -> LoraConfig {
    let modules = vec!["q_proj".to_owned(), "down_proj".to_owned()];
    LoraConfig { r: 2, target_modules: TargetModules::Names(modules), ..LoraConfig::default() }
}

/// The tensors of that adapter on a model of this width.
pub(super) fn adapter_tensors(hidden: usize) -> Shapes {
    expected_shapes(&adapter_config(), &config(hidden)).unwrap().into_iter().collect()
}

/// An adapter for a base model of this width; `fill` makes versions differ.
pub(super) fn adapter(base_digest: &str, hidden: usize, fill: u8) -> ArtifactDraft {
    ArtifactDraft::new(Kind::Adapter)
        .parent("adapters/greeter")
        .base_digest(base_digest)
        .file("adapter_config.json", adapter_config().to_json())
        .file("adapter_model.safetensors", safetensors(&adapter_tensors(hidden), fill))
}

/// Rows; `text` makes data sets differ.
pub(super) fn dataset(text: &str) -> ArtifactDraft {
    let row = serde_json::json!({"instruction": text, "output": "ja"});
    ArtifactDraft::new(Kind::Dataset).parent("datasets/rows").file("rows.jsonl", format!("{row}\n"))
}

/// A tokenizer.
pub(super) fn tokenizer(text: &str) -> ArtifactDraft {
    let options = TrainOptions { vocab_size: 270, ..TrainOptions::default() };
    let files = train_byte_level_bpe(std::iter::once(text), &options).unwrap();
    ArtifactDraft::new(Kind::Tokenizer)
        .parent("tokenizers/bytes")
        .file("tokenizer.json", files.tokenizer_json)
        .file("tokenizer_config.json", files.tokenizer_config_json)
}

/// Replaces or adds a file.
pub(super) fn with_file(mut draft: ArtifactDraft, name: &str, bytes: impl Into<Vec<u8>>) -> ArtifactDraft {
    draft.files.retain(|(present, _)| present != name);
    draft.file(name, bytes.into())
}

/// Takes a file out.
pub(super) fn without_file(mut draft: ArtifactDraft, name: &str) -> ArtifactDraft {
    draft.files.retain(|(present, _)| present != name);
    draft
}
