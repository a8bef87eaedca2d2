//! One trace shows a training job from the client's call through trainer, worker, tokenizer and store, and one an answer from the
//! queue through its adapter's load to its last token.
use std::collections::BTreeSet;
use std::time::Duration;

use rootstock_test_support::cli::run;
use rootstock_test_support::fixtures::store_adapter;
use rootstock_test_support::{CollectedSpan, Collector, Server, ServerOptions, fixtures};
use tokio::time::{Instant, sleep};

use crate::ROOTSTOCK;

const TRAIN: &str = "output: colours\nbase_model: tiny\ndataset: rows\nobjective: supervised\nprompt_template: qa_en\n\
    max_length: 96\nmethod: lora\nmax_steps: 4\nsave_steps: 2\nper_device_train_batch_size: 4\n";

/// Who does what in the story of a job.
const EXPECTED: [(&str, &str); 6] = [
    ("rootstock", "TrainingService/CreateTrainingJob"),
    ("rootstock", "TrainingService/WatchTrainingJob"),
    ("rootstock", "TrainingWorkerService/LeaseJob"),
    ("rootstock", "TokenizationService/EncodeStream"),
    ("rootstock", "CheckpointService/CommitArtifact"),
    ("rootstock-worker", "train"),
];

/// What an answer of an adapter that is not in memory goes through.
const ANSWERED: [(&str, &str); 5] = [
    ("rootstock", "GenerationService/Generate"),
    ("rootstock", "load"),
    ("rootstock", "queue"),
    ("rootstock", "prefill"),
    ("rootstock", "decode"),
];

/// The spans of the command line's trace, once they are all there and hang together; until then what is missing.
fn whole_trace(spans: &[CollectedSpan], expected: &[(&str, &str)]) -> Result<Vec<CollectedSpan>, String> {
    let root = spans.iter().find(|span| span.process == "rootstock-cli" && span.parent.is_empty());
    let root = root.ok_or("there is no span of the command line")?;
    let trace: Vec<_> = spans.iter().filter(|span| span.trace == root.trace).cloned().collect();
    let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
    if let Some(orphan) = trace.iter().find(|s| !s.parent.is_empty() && !ids.contains(s.parent.as_str())) {
        return Err(format!("the parent of this span is missing: {orphan:?}"));
    }
    for (process, name) in expected {
        if !trace.iter().any(|span| span.process == *process && span.name.ends_with(name)) {
            return Err(format!("{process} has no span {name}"));
        }
    }
    Ok(trace)
}

/// A server whose spans are sent soon, with the model and rows of tests; and the model's digest.
async fn stage(collector: &Collector) -> (Server, String) {
    let server = ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_TELEMETRY_OTLP_ENDPOINT", collector.endpoint())
        // The exporter's own variable.
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .start()
        .await;
    let base = fixtures::stage(&server.clients()).await;
    (server, base)
}

/// Runs the command line, and waits for the whole of its trace.
async fn traced(
    server: &Server,
    collector: &Collector,
    args: &[&str],
    expected: &[(&str, &str)],
) -> Vec<CollectedSpan> {
    let env = [
        ("ROOTSTOCK_ENDPOINT", server.endpoint()),
        ("ROOTSTOCK_TELEMETRY_OTLP_ENDPOINT", collector.endpoint()),
    ];
    run(ROOTSTOCK, args, &env).await.ok();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match whole_trace(&collector.spans(), expected) {
            Ok(trace) => return trace,
            Err(missing) => assert!(Instant::now() < deadline, "{missing}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_covers_client_trainer_worker_tokenizer_and_store() {
    let collector = Collector::start().await;
    let (server, _) = stage(&collector).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TRAIN).unwrap();
    let trace = traced(&server, &collector, &["train", file.path().to_str().unwrap()], &EXPECTED).await;
    let worker = trace.iter().find(|span| span.process == "rootstock-worker").unwrap();
    let stores = |span: &CollectedSpan| span.name.ends_with("CommitArtifact") && span.parent == worker.id;
    assert!(trace.iter().any(stores), "the worker's calls are its children");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_shows_an_answer_in_the_queue_at_its_prompt_and_at_its_tokens() {
    let collector = Collector::start().await;
    let (server, base) = stage(&collector).await;
    let adapter = store_adapter(&server.clients(), &fixtures::golden("lora"), "cold", &base).await;
    let version = format!("cold/versions/{}", adapter.unwrap().digest);
    let args = ["generate", "--adapter", &version, "--prompt", "the quick", "--max-tokens", "4"];
    let trace = traced(&server, &collector, &args, &ANSWERED).await;
    for phase in ["queue", "prefill", "decode"] {
        let span = trace.iter().find(|span| span.name == phase).unwrap();
        let parent = trace.iter().find(|parent| parent.id == span.parent).unwrap();
        assert!(parent.name.ends_with("GenerationService/Generate"), "{phase} is a part of {parent:?}");
    }
}
