//! Tiny models, tokenizers and data: the golden directories of tests/golden, completed by a tokenizer of bytes.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rootstock_client::proto::checkpoint::v1::Artifact;
use rootstock_client::{ArtifactDraft, ClientError, Clients, Expect, Kind, Progress};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The only special token: beginning, end and padding.
pub const END: &str = "<|endoftext|>";

/// A directory of tests/golden.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(name)
}

/// The values of tests/golden/values.json.
///
/// # Panics
/// When they can't be read.
pub fn golden_values() -> Value {
    let text = std::fs::read_to_string(golden("values.json")).expect("the golden values are there");
    serde_json::from_str(&text).expect("the golden values are JSON")
}

/// A copy of a golden directory that a test may change.
///
/// # Panics
/// When it can't be copied.
pub fn copy_of(name: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    for entry in std::fs::read_dir(golden(name)).expect("the golden directory is there") {
        let entry = entry.expect("a directory can be read");
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("a file can be copied");
    }
    dir
}

/// The model `tied` with a tokenizer whose id N + 1 is the byte N, and whose id 0 ends a text.
///
/// # Panics
/// When it can't be written.
pub fn model_dir() -> TempDir {
    let dir = copy_of("tied");
    for (name, text) in byte_tokenizer() {
        std::fs::write(dir.path().join(name), text).expect("a file can be written");
    }
    dir
}

/// tokenizer.json and tokenizer_config.json of 256 ids; 0xFF, which no UTF-8 holds, has given its place to the end.
pub fn byte_tokenizer() -> BTreeMap<&'static str, String> {
    let mut vocab = serde_json::Map::from_iter([(END.to_owned(), json!(0))]);
    for byte in 0..u8::MAX {
        vocab.insert(visible(byte).to_string(), json!(u32::from(byte) + 1));
    }
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [{
            "id": 0, "content": END, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        }],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "pad_token": END
    });
    BTreeMap::from([("tokenizer.json", tokenizer.to_string()), ("tokenizer_config.json", config.to_string())])
}

/// The character by which byte-level tokenizers write a byte: itself where it is printable Latin-1, otherwise the next
/// free one from U+0100 on.
fn visible(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if plain(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !plain(*byte)).count() as u32;
    char::from_u32(0x100 + before).expect("the characters from U+0100 on are valid")
}

/// Stores a directory as a base model and points the alias at it.
///
/// # Errors
/// When the server refuses it.
pub async fn store_model(clients: &Clients, dir: &Path, id: &str) -> Result<Artifact, ClientError> {
    let name = format!("baseModels/{id}");
    let draft = ArtifactDraft::new(Kind::BaseModel).parent(&name).dir(dir)?;
    let artifact = clients.checkpoint().upload_artifact(draft, &Progress::none()).await?;
    clients.checkpoint().set_alias(name, &artifact.digest, Expect::Any).await?;
    Ok(artifact)
}

/// Stores a PEFT directory as a version of an adapter; nothing is published.
///
/// # Errors
/// When the server refuses it.
pub async fn store_adapter(
    clients: &Clients,
    dir: &Path,
    id: &str,
    base: &str,
) -> Result<Artifact, ClientError> {
    let draft =
        ArtifactDraft::new(Kind::Adapter).parent(format!("adapters/{id}")).base_digest(base).dir(dir)?;
    clients.checkpoint().upload_artifact(draft, &Progress::none()).await
}

/// Stores text as a data set of one file and points the alias at it.
///
/// # Errors
/// When the server refuses it.
pub async fn store_data(
    clients: &Clients,
    id: &str,
    file: &str,
    text: impl Into<String>,
) -> Result<Artifact, ClientError> {
    let name = format!("datasets/{id}");
    let draft = ArtifactDraft::new(Kind::Dataset).parent(&name).file(file, text.into());
    let artifact = clients.checkpoint().upload_artifact(draft, &Progress::none()).await?;
    clients.checkpoint().set_alias(name, &artifact.digest, Expect::Any).await?;
    Ok(artifact)
}

/// Rows that a tiny model can learn: `count` questions with one-word answers and their keywords.
pub fn rows(count: usize) -> String {
    const ANSWERS: [&str; 5] = ["red", "green", "blue", "white", "black"];
    (0..count)
        .map(|i| {
            let answer = ANSWERS[i % ANSWERS.len()];
            json!({"instruction": format!("colour {i}?"), "input": "", "output": answer, "keywords": [answer]})
                .to_string()
                + "\n"
        })
        .collect()
}

/// Text that a tiny model can learn: documents of JSON lines.
pub fn text(count: usize) -> String {
    (0..count)
        .map(|i| {
            json!({"text": format!("The river {i} runs to the sea, and the sea is wide.")}).to_string() + "\n"
        })
        .collect()
}

/// What every test of adapters needs: the model `tied` under `baseModels/tiny`, and `datasets/rows`. Gives the digest
/// of the model.
///
/// # Panics
/// When the server refuses it.
pub async fn stage(clients: &Clients) -> String {
    let model = store_model(clients, model_dir().path(), "tiny").await.expect("the model is stored");
    store_data(clients, "rows", "rows.jsonl", rows(20)).await.expect("the rows are stored");
    model.digest
}

/// A PEFT directory whose matrices are those of `lora`, scaled: another adapter of the same shape.
///
/// # Panics
/// When it can't be written.
pub fn scaled_adapter(alpha: u32) -> TempDir {
    let dir = copy_of("lora");
    let path = dir.path().join("adapter_config.json");
    let config = std::fs::read_to_string(&path).expect("the configuration is there");
    let scaled = config.replace("\"lora_alpha\": 8", &format!("\"lora_alpha\": {alpha}"));
    std::fs::write(&path, scaled).expect("the configuration can be written");
    dir
}
