//! Every training file of services/rootstock/examples does what it says, with the data beside it, and its result answers.
use std::path::{Path, PathBuf};

use rootstock_test_support::{Server, rootstock};
use serde_json::Value;

use crate::ROOTSTOCK;

/// The models that the others start from.
const BASES: [&str; 3] = ["base.yaml", "masked.yaml", "qwen2.yaml"];
/// The tokenizers of the examples, made as their comments say.
const TOKENIZERS: [&[&str]; 3] = [
    &["words", "--vocab-size", "280"],
    &["pieces", "--vocab-size", "280", "--model", "WordPiece"],
    &[
        "sentinels",
        "--vocab-size",
        "290",
        "--special-token",
        "<extra_id_0>",
        "--special-token",
        "<extra_id_1>",
        "--special-token",
        "<extra_id_2>",
        "--special-token",
        "[R]",
        "--special-token",
        "[X]",
        "--special-token",
        "[S]",
    ],
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Files of the examples with this ending, in order.
fn files(ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect();
    files.sort();
    files
}

fn key<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').split('#').next().unwrap().trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_trains_and_what_it_makes_answers() {
    let server = Server::start(ROOTSTOCK).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    for data in files("jsonl") {
        let name = data.file_stem().unwrap().to_str().unwrap().to_owned();
        run(&["data", "import", data.to_str().unwrap(), "--name", &name]).await.ok();
    }
    for tokenizer in TOKENIZERS {
        run(&[&["tokenizer", "train", "--dataset", "text", "--name"], tokenizer].concat()).await.ok();
    }
    let mut trained = 0;
    let others = files("yaml").into_iter().filter(|file| !BASES.iter().any(|base| file.ends_with(base)));
    for file in BASES.map(|base| examples().join(base)).into_iter().chain(others) {
        let job: Value = run(&["train", file.to_str().unwrap(), "--json"]).await.json();
        assert_eq!(job["state"], "succeeded", "{}: {job}", file.display());
        let text = std::fs::read_to_string(&file).unwrap();
        let output = key(&text, "output");
        let prompt = "Question: colour 1?\nAnswer:";
        let asked: &[&str] = match key(&text, "objective") {
            "masked" => &["fill-mask", "the [MASK] stone"],
            "classification" => &["classify", "the red stone"],
            _ => &["generate", "--prompt", prompt, "--max-tokens", "4", "--ignore-eos"],
        };
        let model = if key(&text, "method") != "full" {
            if text.contains("publication:") {
                assert_eq!(job["publication"]["published"], true, "{job}");
            } else {
                run(&["adapters", "publish", output]).await.ok();
            }
            ["--adapter", output]
        } else {
            ["--model", output]
        };
        let answer = run(&[asked, &model].concat()).await.ok();
        assert!(!answer.is_empty(), "{output} says nothing");
        trained += 1;
    }
    assert!(trained > 1, "there are examples");

    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let head = std::fs::read_to_string(examples().join("head.yaml")).unwrap();
    std::fs::write(file.path(), head.replace("lm_head", "no_head")).unwrap();
    let refused = run(&["train", file.path().to_str().unwrap()]).await.refused();
    assert!(refused.contains("trainable_modules[0]") && refused.contains("names nothing"), "{refused}");

    let go_on = std::fs::read_to_string(examples().join("go_on.yaml")).unwrap();
    let before = key(&go_on, "base_adapter");
    let other = go_on.replace(&format!("base_adapter: {before}"), "base_adapter: prompt");
    assert_ne!(other, go_on);
    std::fs::write(file.path(), other).unwrap();
    let failed = run(&["train", file.path().to_str().unwrap(), "--json"]).await;
    assert!(format!("{failed:?}").contains("is not a LoRA"), "{failed:?}");
}
