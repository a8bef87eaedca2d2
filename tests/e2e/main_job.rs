//! The main job, end to end: text, tokenizer, base model, adapter, swap, answers. All with the command line.
use std::path::Path;

use rootstock_test_support::{Server, fixtures, rootstock};

use crate::ROOTSTOCK;

const BASE: &str = "output: small\nnew_model:\n  tokenizer: words\n  hidden_size: 32\n  intermediate_size: 64\n  \
    num_hidden_layers: 2\n  num_attention_heads: 4\n  num_key_value_heads: 2\n  max_position_embeddings: 128\n  \
    tie_word_embeddings: true\ndataset: text\nvalidation_split: 0.1\nobjective: causal\nblock_size: 32\nmethod: full\n\
    learning_rate: 3e-3\nmax_steps: 30\nper_device_train_batch_size: 4\nlogging_steps: 5\n";

const ADAPTER: &str = "output: colours\nbase_model: small\ndataset: colours\nobjective: supervised\n\
    prompt_template: qa_en\nmax_length: 96\nmethod: lora\nr: 8\ntarget_modules: all-linear\nlearning_rate: 1e-2\nmax_steps: 20\n\
    per_device_train_batch_size: 4\nlogging_steps: 5\n";

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_text_to_a_better_answer_with_the_command_line_alone() {
    let server = Server::start(ROOTSTOCK).await;
    let files = tempfile::tempdir().unwrap();
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;

    let text = write(files.path(), "text.jsonl", &fixtures::text(60));
    let rows = write(files.path(), "rows.jsonl", &fixtures::rows(20));
    let imported = run(&["data", "import", &text, "--name", "text", "--json"]).await.json();
    assert_eq!((imported["name"].as_str(), imported["rows"].as_i64()), (Some("datasets/text"), Some(60)));
    run(&["data", "import", &rows, "--name", "colours"]).await.ok();
    let tokenizer =
        run(&["tokenizer", "train", "--name", "words", "--dataset", "text", "--vocab-size", "280", "--json"])
            .await;
    assert_eq!(tokenizer.json()["vocab_size"], 280);

    let base = run(&["train", &write(files.path(), "base.yaml", BASE)]).await;
    assert!(base.stderr.contains("loss") && base.stderr.contains("tokens/s"), "{}", base.stderr);
    assert!(base.ok().starts_with("sha256:"));
    let trained = run(&["train", &write(files.path(), "adapter.yaml", ADAPTER), "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded");
    let digest = trained["result_digest"].as_str().unwrap().to_owned();

    let unpublished = run(&["generate", "--adapter", "colours", "--prompt", "colour 1?"]).await.refused();
    assert!(unpublished.contains("NOT_FOUND"), "{unpublished}");
    let published = run(&["adapters", "publish", "colours", "--json"]).await.json();
    assert_eq!(
        (published["digest"].as_str(), published["generation"].as_i64()),
        (Some(digest.as_str()), Some(1))
    );

    let ask = ["generate", "--prompt", "Question: colour 1?\nAnswer:", "--max-tokens", "8", "--ignore-eos"];
    let base = run(&ask).await.ok();
    let adapted = run(&[&ask[..], &["--adapter", "colours"]].concat()).await.ok();
    assert!(!adapted.trim().is_empty());
    assert_ne!(base, adapted, "the adapter changes the answer");
    let told =
        run(&[&ask[..], &["--adapter", "colours", "--json", "--logprobs", "2", "--prompt-logprobs", "1"]]
            .concat())
        .await
        .json();
    assert_eq!(told["text"].as_str().unwrap().trim_end(), adapted.trim_end());
    assert_eq!(told["adapter_digest"].as_str(), Some(digest.as_str()));
    assert_eq!(told["completion_tokens"], 8);
    assert_eq!(told["tokens"][0]["top_logprobs"].as_array().unwrap().len(), 2);
    let scored = told["prompt_logprobs"].as_array().unwrap();
    assert_eq!(scored.len() as i64, told["prompt_tokens"].as_i64().unwrap() - 1);
    assert!(
        scored.iter().all(|token| token["logprob"].as_f64() <= token["top_logprobs"][0]["logprob"].as_f64())
    );
}
