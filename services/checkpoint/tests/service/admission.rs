//! What is admitted, and what is refused with which reason; nothing that is refused is stored.
use std::path::Path;

use rootstock_artifacts::Digest;
use rootstock_client::proto::checkpoint::v1::Artifact;
use rootstock_client::{ArtifactDraft, ErrorReason, Kind, Progress};

use super::files::{
    Shapes, adapter, adapter_config, adapter_tensors, base_model, config_json, dataset, model_tensors,
    safetensors, tokenizer, with_file, without_file,
};
use super::harness::{Running, start};

/// Commits what must be refused; returns the message.
#[track_caller]
fn refuse(server: &Running, draft: ArtifactDraft, reason: ErrorReason) -> impl Future<Output = String> {
    let place = std::panic::Location::caller();
    async move {
        let error = server.commit(draft).await.expect_err(&format!("admitted at {place}"));
        assert!(error.is(reason), "{place}: {error:?}");
        error.message
    }
}

/// Weights of these tensors, all zero.
fn zeros(tensors: &Shapes) -> Vec<u8> {
    safetensors(tensors, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_admitted_and_read_back_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let words = tokenizer("some words and some more words");
    let words = server.commit(words).await.unwrap();
    assert!(words.tokenizer_digest.parse::<Digest>().is_ok(), "found out by the server");
    let mut with_words = base_model(8);
    with_words.files.extend(tokenizer("some words and some more words").files);
    let base = server.commit(with_words).await.unwrap();
    assert_eq!(base.tokenizer_digest, words.tokenizer_digest);
    let version = server.commit(adapter(&base.digest, 8, 1)).await.unwrap();
    assert_eq!(version.tokenizer_digest, base.tokenizer_digest, "that of the base model");
    let state = ArtifactDraft::new(Kind::TrainingState)
        .base_digest(&base.digest)
        .file("trainer_state.json", "{\"step\": 3}".to_owned())
        .file("moments.safetensors", safetensors(&adapter_tensors(8), 3));
    server.commit(state).await.unwrap();
    let evidence = ArtifactDraft::new(Kind::Evaluation).file("evaluation.json", "{}".to_owned());
    server.commit(evidence.parent("evaluations/e1").annotation("rows", "0")).await.unwrap();
    let fisher = ArtifactDraft::new(Kind::Fisher).file("fisher.safetensors", zeros(&model_tensors(8)));
    server.commit(fisher.base_digest(&base.digest)).await.unwrap();
    let rows = with_file(dataset("hallo"), "more.json", "[{}, {\"a\": [1]}]");
    let rows = with_file(with_file(rows, "text.txt", "Grüße, 世界"), "README.md", "about it");
    let rows = server.commit(rows).await.unwrap();

    let listed = server.client.list_artifacts(None, None).await.unwrap();
    assert_eq!(listed.len(), 7);
    assert_eq!(listed[0], rows, "the newest comes first");
    assert_eq!(server.client.get_artifact(&version.digest).await.unwrap(), version);
    let by_version = format!("adapters/greeter/versions/{}", version.digest);
    assert_eq!(server.client.get_artifact(by_version).await.unwrap(), version);
    assert!(rows.create_time.is_some() && rows.size_bytes > 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_transformers_and_peft_wrote_are_admitted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let read = |kind, name: &str| ArtifactDraft::new(kind).dir(&golden.join(name)).unwrap();
    let tied = server.commit(read(Kind::BaseModel, "tied")).await.unwrap();
    server.commit(read(Kind::BaseModel, "untied")).await.unwrap();
    server.commit(read(Kind::Adapter, "lora").base_digest(&tied.digest)).await.unwrap();
    for family in ["llama", "mistral", "smollm3"] {
        server.commit(read(Kind::BaseModel, &format!("families/{family}"))).await.unwrap();
    }
    for family in ["qwen2", "qwen3"] {
        let base = server.commit(read(Kind::BaseModel, &format!("families/{family}"))).await.unwrap();
        let adapter = read(Kind::Adapter, &format!("families/{family}_lora"));
        server.commit(adapter.base_digest(&base.digest)).await.unwrap();
    }
    server.commit(read(Kind::BaseModel, "bert/masked_lm")).await.unwrap();
    let encoder = server.commit(read(Kind::BaseModel, "bert/classification")).await.unwrap();
    let adapter = read(Kind::Adapter, "lora").base_digest(&encoder.digest);
    let refused = refuse(&server, adapter, ErrorReason::BaseMismatch).await;
    assert!(refused.contains("adapters are for decoders"), "{refused}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_model_that_is_not_whole_is_refused_by_file_and_tensor() {
    use ErrorReason::{InvalidFile, PickleRefused, TensorMismatch, UnknownArchitecture};
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = || base_model(8);
    assert!(refuse(&server, without_file(base(), "config.json"), InvalidFile).await.contains("config.json"));
    assert!(
        refuse(&server, without_file(base(), "model.safetensors"), InvalidFile)
            .await
            .contains("*.safetensors")
    );
    assert!(
        refuse(&server, with_file(base(), "config.json", "{"), InvalidFile).await.contains("config.json")
    );
    let other = config_json(8).replace("LlamaForCausalLM", "GPT9");
    assert!(
        refuse(&server, with_file(base(), "config.json", other), UnknownArchitecture).await.contains("GPT9")
    );
    let pickle = b"\x80\x02}q\x00.".to_vec();
    assert!(
        refuse(&server, with_file(base(), "pytorch_model.bin", "x"), PickleRefused)
            .await
            .contains("pytorch_model.bin")
    );
    assert!(
        refuse(&server, with_file(base(), "weights.safetensors", pickle), PickleRefused)
            .await
            .contains("weights")
    );
    assert!(
        refuse(&server, with_file(base(), "model.safetensors", "not it"), InvalidFile)
            .await
            .contains("model.safetensors")
    );
    let mut cut = zeros(&model_tensors(8));
    cut.pop();
    assert!(
        refuse(&server, with_file(base(), "model.safetensors", cut), InvalidFile).await.contains("cover")
    );
    let mut header = zeros(&model_tensors(8));
    header[9] = b'!';
    assert!(
        refuse(&server, with_file(base(), "model.safetensors", header), InvalidFile).await.contains("header")
    );
    let mut tensors = model_tensors(8);
    let (missing, _) = tensors.pop().unwrap();
    let lacking = with_file(base(), "model.safetensors", zeros(&tensors));
    assert!(refuse(&server, lacking, TensorMismatch).await.contains(&missing));
    tensors.push((missing.clone(), vec![3]));
    let misshapen = with_file(base(), "model.safetensors", zeros(&tensors));
    assert!(refuse(&server, misshapen, TensorMismatch).await.contains(&missing));
    let extra = with_file(base(), "extra.safetensors", zeros(&vec![("nowhere.weight".into(), vec![1])]));
    assert!(refuse(&server, extra, TensorMismatch).await.contains("nowhere.weight"));
    let index = r#"{"weight_map": {}}"#;
    let misled = with_file(base(), "model.safetensors.index.json", index);
    assert!(refuse(&server, misled, InvalidFile).await.contains("index.json"));

    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tensor_that_a_family_has_and_another_has_not_is_missed_and_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let named = |name: &str, more: &str| {
        config_json(8).replace("LlamaForCausalLM", name).replace("\"model_type\": \"llama\"", more)
    };
    let qwen = named("Qwen2ForCausalLM", "\"model_type\": \"qwen2\"");
    let lacking = with_file(base_model(8), "config.json", qwen);
    let refused = refuse(&server, lacking, ErrorReason::TensorMismatch).await;
    assert!(refused.contains("q_proj.bias") || refused.contains("k_proj.bias"), "{refused}");
    let mut tensors = model_tensors(8);
    tensors.push(("model.layers.0.self_attn.q_proj.bias".into(), vec![8]));
    let beyond = with_file(base_model(8), "model.safetensors", zeros(&tensors));
    let refused = refuse(&server, beyond, ErrorReason::TensorMismatch).await;
    assert!(refused.contains("q_proj.bias") && refused.contains("fits nowhere"), "{refused}");
    tensors.pop();
    tensors.push(("model.layers.0.self_attn.rotary_emb.inv_freq".into(), vec![2]));
    server.commit(with_file(base_model(8), "model.safetensors", zeros(&tensors))).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokenizer_must_be_one_and_be_the_one_that_is_claimed() {
    use ErrorReason::{InvalidFile, TokenizerMismatch};
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = || base_model(8);
    assert!(
        refuse(&server, with_file(tokenizer("a b"), "tokenizer.json", "{}"), InvalidFile)
            .await
            .contains("tokenizer.json")
    );
    for template in ["{% for %}".to_owned(), format!("{{{{ 1{} }}}}", "+1".repeat(8000))] {
        let config = serde_json::json!({ "chat_template": template }).to_string();
        let refused =
            refuse(&server, with_file(tokenizer("a b"), "tokenizer_config.json", config), InvalidFile);
        assert!(refused.await.starts_with("tokenizer_config.json: chat_template: "));
    }
    let claimed = tokenizer("a b").tokenizer_digest(Digest::of(b"another").to_string());
    refuse(&server, claimed, TokenizerMismatch).await;
    let mut large = base();
    large.files.extend(tokenizer("a b").files);
    let small = config_json(8).replace("\"vocab_size\": 300", "\"vocab_size\": 100");
    let mut shrunk = model_tensors(8);
    shrunk.iter_mut().for_each(|(_, shape)| shape.iter_mut().filter(|n| **n == 300).for_each(|n| *n = 100));
    let large = with_file(with_file(large, "config.json", small), "model.safetensors", zeros(&shrunk));
    assert!(refuse(&server, large, TokenizerMismatch).await.contains("vocab_size is 100"));

    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_text_are_refused_by_row_and_file() {
    use ErrorReason::{InvalidFile, InvalidRow, PickleRefused};
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let rows = |name: &str, bytes: &[u8]| ArtifactDraft::new(Kind::Dataset).file(name, bytes.to_vec());
    let row = refuse(&server, rows("rows.jsonl", b"{}\n{}\n\"no object\"\n"), InvalidRow).await;
    assert!(row.contains("rows.jsonl") && row.contains("row 3"), "{row}");
    assert!(refuse(&server, rows("rows.json", b"[{}, 7]"), InvalidRow).await.contains("row 2"));
    assert!(refuse(&server, rows("rows.jsonl", b"{\"a\": \"\xff\"}"), InvalidRow).await.contains("UTF-8"));
    let text = refuse(&server, rows("text.txt", b"gr\xfc\xdfe"), InvalidFile).await;
    assert!(text.contains("text.txt") && text.contains("UTF-8"), "{text}");
    assert!(refuse(&server, rows("rows.xlsx", b"a,b"), InvalidFile).await.contains("*.jsonl"));
    assert!(refuse(&server, rows("rows.csv", b"a,\xff"), InvalidFile).await.contains("UTF-8"));
    assert!(refuse(&server, rows("rows.parquet", b"a,b"), InvalidFile).await.contains("PAR1"));
    assert!(refuse(&server, rows("ROWS.NDJSON", b"{}\n3\n"), InvalidRow).await.contains("row 2"));
    assert!(refuse(&server, rows("ROWS.CSV", b"a,\xff"), InvalidFile).await.contains("UTF-8"));
    assert!(refuse(&server, rows("rows.ndjson", b"{\"a\": \"\xff\"}"), InvalidRow).await.contains("UTF-8"));
    refuse(&server, rows("rows.pkl", b"{}"), PickleRefused).await;

    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_state_and_an_evaluation_must_be_json_objects() {
    use ErrorReason::InvalidFile;
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let state = ArtifactDraft::new(Kind::TrainingState).file("state.safetensors", zeros(&adapter_tensors(8)));
    refuse(&server, state.clone(), InvalidFile).await;
    assert!(
        refuse(&server, state.file("trainer_state.json", "[]".to_owned()), InvalidFile)
            .await
            .contains("trainer_state.json")
    );
    refuse(
        &server,
        ArtifactDraft::new(Kind::Evaluation).file("evaluation.json", "{".to_owned()),
        InvalidFile,
    )
    .await;

    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fisher_information_is_of_the_weights_of_the_base_model_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = server.commit(base_model(8)).await.unwrap().digest;
    let of =
        |width| ArtifactDraft::new(Kind::Fisher).file("fisher.safetensors", zeros(&model_tensors(width)));
    refuse(&server, of(8), ErrorReason::InvalidField).await;
    let wider = refuse(&server, of(16).base_digest(&base), ErrorReason::TensorMismatch).await;
    assert!(wider.contains("fisher.safetensors") && wider.contains("none of the base model's"), "{wider}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_must_fit_the_base_model_it_names() {
    use ErrorReason::{BaseMismatch, InvalidField, InvalidFile, NotFound, TensorMismatch, TokenizerMismatch};
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = server.commit(base_model(8)).await.unwrap().digest;
    let other = server.commit(base_model(16)).await.unwrap().digest;
    let rows = server.commit(dataset("no model")).await.unwrap().digest;

    refuse(&server, adapter("", 8, 0), InvalidField).await;
    refuse(&server, adapter(&rows, 8, 0), InvalidField).await;
    refuse(&server, adapter(&Digest::of(b"gone").to_string(), 8, 0), NotFound).await;
    let wider = refuse(&server, adapter(&other, 8, 0), BaseMismatch).await;
    assert!(wider.contains(&other) && wider.contains("has shape"), "{wider}");
    let mut config = adapter_config();
    config.base_model_name_or_path = Some(other.clone());
    let named = with_file(adapter(&base, 8, 0), "adapter_config.json", config.to_json());
    assert!(refuse(&server, named.clone(), BaseMismatch).await.contains("base_model_name_or_path"));
    let mut right = named;
    right.base_digest = other.clone();
    assert!(
        refuse(&server, right, BaseMismatch).await.contains("has shape"),
        "the label is right, the shapes are not"
    );

    let with_tensors =
        |tensors: &_| with_file(adapter(&base, 8, 0), "adapter_model.safetensors", safetensors(tensors, 0));
    let mut tensors = adapter_tensors(8);
    let (name, shape) = tensors.pop().unwrap();
    assert!(refuse(&server, with_tensors(&tensors), TensorMismatch).await.contains(&name), "missing");
    tensors.push((name.clone(), vec![shape[0] + 1, shape[1]]));
    assert!(refuse(&server, with_tensors(&tensors), TensorMismatch).await.contains(&name), "misshapen");
    tensors.pop();
    tensors.push((name, shape));
    let nowhere = "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight";
    tensors.push((nowhere.into(), vec![2, 8]));
    assert!(refuse(&server, with_tensors(&tensors), TensorMismatch).await.contains(nowhere));

    let mut config: serde_json::Value = serde_json::from_str(&adapter_config().to_json()).unwrap();
    config["bias"] = "some".into();
    let biased = with_file(adapter(&base, 8, 0), "adapter_config.json", config.to_string());
    assert!(refuse(&server, biased, InvalidFile).await.contains("bias"));
    // What is asked for must be there, as for serving: magnitudes too.
    config["bias"] = "none".into();
    config["use_dora"] = true.into();
    let dora = with_file(adapter(&base, 8, 0), "adapter_config.json", config.to_string());
    assert!(refuse(&server, dora, TensorMismatch).await.contains("lora_magnitude_vector"));
    refuse(&server, without_file(adapter(&base, 8, 0), "adapter_config.json"), InvalidFile).await;
    let stray = with_file(adapter(&base, 8, 0), "more.safetensors", safetensors(&vec![], 0));
    assert!(refuse(&server, stray, InvalidFile).await.contains("more.safetensors"));
    refuse(&server, without_file(adapter(&base, 8, 0), "adapter_model.safetensors"), InvalidFile).await;

    let mut with_words = base_model(8);
    with_words.files.extend(tokenizer("some words").files);
    let with_words = server.commit(with_words).await.unwrap();
    let mismatched = adapter(&with_words.digest, 8, 0).tokenizer_digest(Digest::of(b"another").to_string());
    refuse(&server, mismatched, TokenizerMismatch).await;
    assert_eq!(server.client.list_artifacts(None, Some(Kind::Adapter)).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validating_checks_everything_and_stores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let blob = server.client.upload_blob("rows.jsonl", b"{}\n".to_vec(), &Progress::none()).await.unwrap();
    let artifact = Artifact { kind: 5, blobs: vec![blob], ..Artifact::default() };
    let checked = server.client.commit_artifact(artifact.clone(), true).await.unwrap();
    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    assert_eq!(checked.create_time, None);
    let stored = server.client.commit_artifact(artifact, false).await.unwrap();
    assert_eq!(stored.digest, checked.digest);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_one_artifact_listed_under_each_parent() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let first = server.commit(dataset("same").parent("datasets/a")).await.unwrap();
    let again = server.commit(dataset("same").parent("datasets/a")).await.unwrap();
    assert_eq!(again, first);
    let elsewhere = server.commit(dataset("same").parent("datasets/b")).await.unwrap();
    assert_eq!((elsewhere.digest.as_str(), elsewhere.parent.as_str()), (first.digest.as_str(), "datasets/b"));
    assert_eq!(server.client.list_artifacts(None, None).await.unwrap().len(), 1);
    for parent in ["datasets/a", "datasets/b"] {
        let listed = server.client.list_artifacts(Some(parent), None).await.unwrap();
        assert_eq!((listed.len(), listed[0].parent.as_str()), (1, parent));
    }
    let version = |parent: &str| format!("{parent}/versions/{}", first.digest);
    assert!(server.client.get_artifact(version("datasets/b")).await.is_ok());
    let error = server.client.get_artifact(version("datasets/c")).await.unwrap_err();
    assert!(error.is(ErrorReason::NotFound), "{error:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weights_of_bottlenecks_lie_where_their_library_looks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let golden = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    let draft = |kind, name| ArtifactDraft::new(kind).dir(&golden(name)).unwrap();
    let base = server.commit(draft(Kind::BaseModel, "tied")).await.unwrap().digest;
    let bottlenecks = draft(Kind::Adapter, "bottleneck/houlsby").base_digest(&base);
    let mut renamed = bottlenecks.clone();
    server.commit(bottlenecks).await.unwrap();
    for (name, _) in &mut renamed.files {
        if name == "adapter.safetensors" {
            "adapter_model.safetensors".clone_into(name);
        }
    }
    assert!(
        refuse(&server, renamed, ErrorReason::InvalidFile).await.contains("belong into adapter.safetensors")
    );
}
