//! An answer that was printed as JSON can be asked again, and what can't be the same is refused by its name.
use rootstock_test_support::{Server, ServerOptions, fixtures, rootstock};
use serde_json::Value;

use crate::ROOTSTOCK;

/// Writes a record where `--replay` finds it.
fn file(record: &Value) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), record.to_string()).unwrap();
    file
}

async fn replay(server: &Server, record: &Value) -> rootstock_test_support::cli::Outcome {
    let file = file(record);
    rootstock(ROOTSTOCK, server.endpoint(), &["generate", "--replay", file.path().to_str().unwrap()]).await
}

/// A server with the tiny model and two published adapters of it.
async fn staged(options: ServerOptions) -> Server {
    let server = options.start().await;
    let clients = server.clients();
    let base = fixtures::stage(&clients).await;
    for (id, alpha) in [("a", 8), ("b", 16)] {
        let dir = fixtures::scaled_adapter(alpha);
        let version = fixtures::store_adapter(&clients, dir.path(), id, &base).await.unwrap();
        clients.adapters().publish_adapter(format!("adapters/{id}"), &version.digest, None).await.unwrap();
    }
    server
}

/// A random answer that nobody gave a seed for.
async fn answer(server: &Server, adapter: &str) -> Value {
    let mut args = vec!["generate", "--prompt", "colour 1?", "--max-tokens", "12", "--ignore-eos", "--json"];
    args.extend(["--temperature", "0.8", "--top-p", "0.95", "--model", "tiny"]);
    if !adapter.is_empty() {
        args.extend(["--adapter", adapter]);
    }
    rootstock(ROOTSTOCK, server.endpoint(), &args).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_answer_is_given_again_though_its_adapter_has_moved() {
    let server = staged(ServerOptions::new(ROOTSTOCK)).await;
    let answers =
        [answer(&server, "").await, answer(&server, "a").await, answer(&server, "a=0.5,b=-1").await];
    let clients = server.clients();
    let dir = fixtures::scaled_adapter(64);
    let base = answers[0]["base_digest"].as_str().unwrap();
    let newer = fixtures::store_adapter(&clients, dir.path(), "a", base).await.unwrap();
    clients.adapters().publish_adapter("adapters/a", &newer.digest, None).await.unwrap();
    for record in &answers {
        assert_eq!(replay(&server, record).await.ok(), "the same 12 tokens\n", "{record}");
    }
    let mut other = answers[1].clone();
    let was = other["tokens"][5]["id"].as_u64().unwrap();
    other["tokens"][5]["id"] = (was ^ 1).into();
    let message = replay(&server, &other).await.refused();
    assert!(message.contains(&format!("token 5 (from 0) was {}, and is {was}", was ^ 1)), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_completions_are_what_their_seeds_give_and_are_given_again() {
    let server = staged(ServerOptions::new(ROOTSTOCK)).await;
    let ask = async |n: &str, seed: &str| {
        let args = ["generate", "--prompt", "colour 1?", "--max-tokens", "12", "--ignore-eos", "--json"];
        let more = ["--temperature", "0.8", "--model", "tiny", "--adapter", "a", "--n", n, "--seed", seed];
        rootstock(ROOTSTOCK, server.endpoint(), &[&args[..], &more].concat()).await.json()
    };
    let mut record = ask("3", "7").await;
    assert_eq!(record["tokens"], ask("1", "7").await["tokens"]);
    assert_eq!(record["others"][0]["tokens"], ask("1", "8").await["tokens"]);
    assert_eq!(record["others"][1]["tokens"], ask("1", "9").await["tokens"]);
    assert_eq!(replay(&server, &record).await.ok(), "the same 36 tokens\n", "{record}");
    let was = record["others"][1]["tokens"][5]["id"].as_u64().unwrap();
    record["others"][1]["tokens"][5]["id"] = (was ^ 1).into();
    let message = replay(&server, &record).await.refused();
    assert!(message.contains("completion 2: token 5 (from 0)"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_the_same_is_refused_by_its_name() {
    let server = staged(ServerOptions::new(ROOTSTOCK)).await;
    let record = answer(&server, "a").await;
    let portable = staged(ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_DISPATCH", "portable")).await;
    let message = replay(&portable, &record).await.refused();
    assert!(message.contains("dispatch path") && message.contains("portable"), "{message}");
    let int8 = staged(ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_INFERENCE_WEIGHT_DTYPE", "int8")).await;
    let message = replay(&int8, &record).await.refused();
    assert!(message.contains("format of the weights") && message.contains("int8"), "{message}");
    let empty = Server::start(ROOTSTOCK).await;
    let message = replay(&empty, &record).await.refused();
    assert!(message.contains("NOT_FOUND"), "{message}");

    let with = |field: &str, value: Value| {
        let mut record = record.clone();
        record[field] = value;
        record
    };
    let older = replay(&server, &with("engine_version", "0.0.0".into())).await;
    assert!(older.stderr.contains("the engine's version was 0.0.0"), "{}", older.stderr);
    assert_eq!(older.ok(), "the same 12 tokens\n");
    for (field, value, told) in [
        ("tokenizer_digest", Value::from("sha256:0"), "the tokenizer was sha256:0"),
        ("switches", serde_json::json!([{"at_token": 3}]), "moved to another version"),
        ("base_digest", Value::Null, "base_digest: is missing"),
    ] {
        let message = replay(&server, &with(field, value)).await.refused();
        assert!(message.contains(told), "{message}");
    }
}
