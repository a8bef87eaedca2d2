//! Every bad input over gRPC: the exact reason, a message that names what is wrong, and nothing half-applied.
use rootstock_client::proto::inference::v1::{GenerateRequest, SamplingParams};
use rootstock_client::proto::training::v1::TrainingJobState;
use rootstock_client::{ArtifactDraft, Clients, Digest, ErrorReason, Kind, Progress};
use rootstock_test_support::fixtures::{copy_of, golden, model_dir, store_adapter, store_data, store_model};
use rootstock_test_support::{Server, fixtures, generate, jobs, prompt_request};
use tempfile::TempDir;

use crate::{ROOTSTOCK, refusal};

/// A copy of a golden directory with one file changed.
fn changed(name: &str, file: &str, change: impl Fn(String) -> String) -> TempDir {
    let dir = copy_of(name);
    let path = dir.path().join(file);
    std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    dir
}

async fn artifacts(clients: &Clients) -> usize {
    clients.checkpoint().list_artifacts(None, None).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn base_models_that_are_not_what_they_say_are_refused_and_nothing_is_stored() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let bert = changed("tied", "config.json", |config| config.replace("LlamaForCausalLM", "BertModel"));
    let message = refusal(store_model(&clients, bert.path(), "m").await, ErrorReason::UnknownArchitecture);
    assert!(message.contains("BertModel"), "{message}");
    let wider = changed("tied", "config.json", |config| {
        config.replace("\"intermediate_size\": 32", "\"intermediate_size\": 64")
    });
    let message = refusal(store_model(&clients, wider.path(), "m").await, ErrorReason::TensorMismatch);
    assert!(message.contains("_proj"), "{message}");
    let shard = copy_of("untied");
    std::fs::remove_file(shard.path().join("model-00003-of-00003.safetensors")).unwrap();
    refusal(store_model(&clients, shard.path(), "m").await, ErrorReason::TensorMismatch);
    let pickle = copy_of("tied");
    std::fs::write(pickle.path().join("pytorch_model.bin"), b"\x80\x02}q\0.").unwrap();
    let message = refusal(store_model(&clients, pickle.path(), "m").await, ErrorReason::PickleRefused);
    assert!(message.contains("pytorch_model.bin"), "{message}");
    let disguised = copy_of("tied");
    std::fs::write(disguised.path().join("model.safetensors"), b"\x80\x02}q\0.0123456789").unwrap();
    refusal(store_model(&clients, disguised.path(), "m").await, ErrorReason::PickleRefused);
    let torn = copy_of("tied");
    let weights = torn.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 8]).unwrap();
    let message = refusal(store_model(&clients, torn.path(), "m").await, ErrorReason::InvalidFile);
    assert!(message.contains("model.safetensors"), "{message}");
    let bare = copy_of("tied");
    std::fs::remove_file(bare.path().join("config.json")).unwrap();
    let message = refusal(store_model(&clients, bare.path(), "m").await, ErrorReason::InvalidFile);
    assert!(message.contains("config.json"), "{message}");
    assert_eq!(artifacts(&clients).await, 0);
    refusal(clients.checkpoint().get_alias("baseModels/m").await, ErrorReason::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_that_do_not_fit_are_refused_and_nothing_is_served() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let base = store_model(&clients, model_dir().path(), "tiny").await.unwrap().digest;
    let other = store_model(&clients, &golden("untied"), "other").await.unwrap().digest;
    let before = artifacts(&clients).await;

    let message =
        refusal(store_adapter(&clients, &golden("lora"), "a", &other).await, ErrorReason::BaseMismatch);
    assert!(message.contains("lora_"), "{message}");
    let fewer = changed("lora", "adapter_config.json", |config| config.replace("\"gate_proj\",", ""));
    let message =
        refusal(store_adapter(&clients, fewer.path(), "a", &base).await, ErrorReason::TensorMismatch);
    assert!(message.contains("gate_proj"), "{message}");
    let biased = changed("lora", "adapter_config.json", |config| {
        config.replace("\"bias\": \"none\"", "\"bias\": \"some\"")
    });
    let message = refusal(store_adapter(&clients, biased.path(), "a", &base).await, ErrorReason::InvalidFile);
    assert!(message.contains("bias"), "{message}");
    let nobody = Digest::of(b"nobody").to_string();
    refusal(store_adapter(&clients, &golden("lora"), "a", &nobody).await, ErrorReason::NotFound);
    assert_eq!(artifacts(&clients).await, before);

    refusal(clients.adapters().publish_adapter("adapters/a", &nobody, None).await, ErrorReason::NotFound);
    let wrong_kind = clients.adapters().publish_adapter("adapters/a", &base, None).await.unwrap_err();
    assert!(wrong_kind.reason.is_some(), "{wrong_kind:?}");
    let lora = store_adapter(&clients, &golden("lora"), "a", &base).await.unwrap();
    clients.adapters().publish_adapter("adapters/a", &lora.digest, None).await.unwrap();
    let mut request = prompt_request("adapters/a", "hello", 4);
    request.model = "baseModels/other".into();
    refusal(generate(&clients, request).await, ErrorReason::BaseMismatch);
    assert!(
        clients.adapters().list_adapters().await.unwrap().iter().all(|listed| listed.digest == lora.digest)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_adapter_is_never_answered_by_the_base_model() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let base = fixtures::stage(&clients).await;
    let version = format!("adapters/a/versions/{}", Digest::of(b"nobody"));
    for adapter in ["adapters/nobody", version.as_str()] {
        for model in ["", "baseModels/tiny", base.as_str()] {
            let mut request = prompt_request(adapter, "hello", 4);
            request.model = model.into();
            refusal(generate(&clients, request).await, ErrorReason::NotFound);
        }
    }
    for adapter in ["nobody", "baseModels/tiny", "adapters/../x", base.as_str()] {
        let refused = generate(&clients, prompt_request(adapter, "hello", 4)).await.unwrap_err();
        assert!(
            matches!(refused.reason, Some(ErrorReason::InvalidField | ErrorReason::NotFound)),
            "{adapter}: {refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_can_not_be_read_is_refused_with_its_row() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let good = "{\"instruction\":\"q\",\"output\":\"a\"}\n";
    for (text, part) in
        [(format!("{good}{{\"instruction\":"), "row 2"), (format!("{good}{good}[1]\n"), "row 3")]
    {
        let message = refusal(store_data(&clients, "d", "rows.jsonl", text).await, ErrorReason::InvalidRow);
        assert!(message.contains("rows.jsonl") && message.contains(part), "{message}");
    }
    let binary = ArtifactDraft::new(Kind::Dataset)
        .parent("datasets/d")
        .file("rows.jsonl", [good.as_bytes(), b"{\"instruction\":\"\xff\"}\n"].concat());
    let binary = clients.checkpoint().upload_artifact(binary, &Progress::none()).await;
    let message = refusal(binary, ErrorReason::InvalidRow);
    assert!(message.contains("UTF-8"), "{message}");
    assert_eq!(artifacts(&clients).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_answer_fails_the_job_with_its_row_and_key() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let rows = "{\"instruction\":\"q\",\"output\":\"a\"}\n{\"instruction\":\"q\"}\n";
    let stored = store_data(&clients, "rows", "rows.jsonl", rows).await;
    let message = match stored {
        Err(error) => {
            assert_eq!(error.reason, Some(ErrorReason::InvalidRow), "{error:?}");
            error.to_string()
        }
        Ok(_) => match jobs::create(&clients, jobs::lora_spec("a", 2, 0)).await {
            Err(error) => error.to_string(),
            Ok(job) => {
                let job = jobs::ended(&clients, &job.name).await;
                assert_eq!(job.state(), TrainingJobState::Failed);
                assert_eq!(job.result_digest, "");
                job.error
            }
        },
    };
    assert!(message.contains("row 2") && message.contains("output"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_out_of_range_and_prompts_that_do_not_fit_are_refused_by_field() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let sampling = |change: fn(&mut SamplingParams)| {
        let mut request = prompt_request("", "hello", 4);
        change(request.sampling.as_mut().unwrap());
        request
    };
    for (field, request) in [
        ("temperature", sampling(|s| s.temperature = f64::NAN)),
        ("temperature", sampling(|s| s.temperature = -1.0)),
        ("top_p", sampling(|s| s.top_p = Some(0.0))),
        ("min_p", sampling(|s| s.min_p = 1.5)),
        ("top_k", sampling(|s| s.top_k = -1)),
        ("repetition_penalty", sampling(|s| s.repetition_penalty = Some(0.0))),
        ("logprobs", sampling(|s| s.logprobs = Some(21))),
        ("prompt_logprobs", sampling(|s| s.prompt_logprobs = Some(-1))),
        ("priority", GenerateRequest { priority: 101, ..prompt_request("", "hello", 4) }),
        ("max_tokens", sampling(|s| s.max_tokens = -1)),
        ("stop", sampling(|s| s.stop = vec![String::new()])),
    ] {
        let refused = generate(&clients, request).await.unwrap_err();
        assert_eq!(refused.reason, Some(ErrorReason::InvalidField), "{field}: {refused:?}");
        assert!(refused.field.as_deref().is_some_and(|named| named.contains(field)), "{field}: {refused:?}");
    }
    let long = generate(&clients, prompt_request("", "hello", 128)).await;
    let message = refusal(long, ErrorReason::ContextTooLong);
    assert!(message.contains("128") && message.contains('5'), "{message}");

    let mut spec = jobs::lora_spec("a", 2, 0);
    spec.arguments.as_mut().unwrap().learning_rate = -1.0;
    let message = refusal(jobs::create(&clients, spec).await, ErrorReason::InvalidField);
    assert!(message.contains("learning_rate"), "{message}");
    let mut spec = jobs::lora_spec("a", 2, 0);
    spec.dataset = "datasets/nobody".into();
    refusal(jobs::create(&clients, spec).await, ErrorReason::NotFound);
    assert!(clients.training().list_training_jobs().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokenizer_of_others_is_refused() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let base = fixtures::stage(&clients).await;
    let draft = ArtifactDraft::new(Kind::Adapter)
        .parent("adapters/a")
        .base_digest(&base)
        .tokenizer_digest(Digest::of(b"another tokenizer").to_string())
        .dir(&golden("lora"))
        .unwrap();
    let stored = clients.checkpoint().upload_artifact(draft, &Progress::none()).await;
    let refused = match stored {
        Err(error) => Err(error),
        Ok(artifact) => clients.adapters().publish_adapter("adapters/a", artifact.digest, None).await,
    };
    refusal(refused, ErrorReason::TokenizerMismatch);
}
