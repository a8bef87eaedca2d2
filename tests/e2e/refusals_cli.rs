//! Every bad input in the command line: exit code 1, a message that names file, row or field, and nothing stored.
use std::path::Path;

use rootstock_test_support::fixtures::{copy_of, golden, model_dir};
use rootstock_test_support::{Server, fixtures, rootstock};

use crate::ROOTSTOCK;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_checked_before_a_byte_is_sent() {
    let server = Server::start(ROOTSTOCK).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let import = async |dir: &Path| run(&["models", "import", text(dir), "--name", "m"]).await.refused();

    let dir = copy_of("tied");
    let config = dir.path().join("config.json");
    let llama = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, llama.replace("LlamaForCausalLM", "GPT2LMHeadModel")).unwrap();
    let message = import(dir.path()).await;
    assert!(message.contains("GPT2LMHeadModel") && message.contains("LlamaForCausalLM"), "{message}");
    std::fs::write(&config, llama).unwrap();
    std::fs::rename(dir.path().join("model.safetensors"), dir.path().join("model.bin")).unwrap();
    let message = import(dir.path()).await;
    assert!(message.contains("model.bin is a pickle") && message.contains("safetensors"), "{message}");
    std::fs::remove_file(dir.path().join("model.bin")).unwrap();
    assert!(import(dir.path()).await.contains("has no *.safetensors"));
    assert!(import(&dir.path().join("nowhere")).await.contains("nowhere"));
    let name = run(&["models", "import", text(dir.path()), "--name", "No Name"]).await.refused();
    assert!(name.contains("No Name"), "{name}");

    run(&["models", "import", text(model_dir().path()), "--name", "tiny"]).await.ok();
    run(&["models", "import", text(&golden("untied")), "--name", "other"]).await.ok();
    let adapter = async |dir: &Path, base: &str| {
        run(&["adapters", "import", text(dir), "--name", "a", "--base", base]).await.refused()
    };
    let message = adapter(&golden("lora"), "other").await;
    assert!(message.contains("base model other") && message.contains("tensor"), "{message}");
    let message = adapter(&golden("lora"), "nobody").await;
    assert!(message.contains("NOT_FOUND") && message.contains("models list"), "{message}");
    let message = adapter(&golden("tied"), "tiny").await;
    assert!(message.contains("adapter_config.json"), "{message}");

    let files = tempfile::tempdir().unwrap();
    let data = async |name: &str, bytes: &[u8]| {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        run(&["data", "import", text(&path), "--name", "d"]).await.refused()
    };
    let message =
        data("rows.jsonl", b"{\"instruction\":\"q\",\"output\":\"a\"}\n{\"instruction\":\"q\"}\n").await;
    assert!(message.contains("rows.jsonl: row 2") && message.contains("\"output\""), "{message}");
    let message = data("text.txt", b"good\nb\xffd\n").await;
    assert!(
        message.contains("text.txt") && message.contains("UTF-8") && message.contains("line 2"),
        "{message}"
    );

    let clients = server.clients();
    assert_eq!(
        clients.checkpoint().list_artifacts(None, None).await.unwrap().len(),
        2,
        "the two good models alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_say_what_to_do_when_something_is_not_there() {
    let server = Server::start(ROOTSTOCK).await;
    fixtures::stage(&server.clients()).await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    let message =
        run(&["generate", "--model", "tiny", "--adapter", "nobody", "--prompt", "x"]).await.refused();
    assert!(message.contains("NOT_FOUND") && message.contains("adapters/nobody"), "{message}");
    let message = run(&["adapters", "publish", "nobody"]).await.refused();
    assert!(message.contains("has no version") && message.contains("adapters import"), "{message}");
    assert!(run(&["jobs", "show", "nobody"]).await.refused().contains("NOT_FOUND"));
    let message =
        run(&["generate", "--model", "tiny", "--prompt", "x", "--temperature", "-1"]).await.refused();
    assert!(message.contains("INVALID_FIELD") && message.contains("temperature"), "{message}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "output: a\nbase_modle: tiny\n").unwrap();
    let message = run(&["train", text(file.path())]).await.refused();
    assert!(message.contains("did you mean base_model?"), "{message}");
    assert_eq!(run(&["generate"]).await.code, Some(2), "a usage error");

    let nobody = rootstock(ROOTSTOCK, "http://127.0.0.1:1", &["models", "list"]).await.refused();
    assert!(nobody.contains("http://127.0.0.1:1") && nobody.contains("rootstock serve"), "{nobody}");
}
