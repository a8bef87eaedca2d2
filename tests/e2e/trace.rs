//! One trace shows a training job from the client's call through trainer, worker, tokenizer and store.
use std::collections::BTreeSet;
use std::time::Duration;

use rootstock_test_support::cli::run;
use rootstock_test_support::{CollectedSpan, Collector, ServerOptions, eventually, fixtures};

use crate::ROOTSTOCK;

const TRAIN: &str = "output: colours\nbase_model: tiny\ndataset: rows\nobjective: supervised\nprompt_template: qa_en\nmax_length: 96\n\
    method: lora\nmax_steps: 4\nsave_steps: 2\nper_device_train_batch_size: 4\n";

/// Whether a span of the trace, made by this process, has this in its name.
fn has(trace: &[CollectedSpan], process: &str, name: &str) -> bool {
    trace.iter().any(|span| span.process == process && span.name.contains(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_covers_client_trainer_worker_tokenizer_and_store() {
    let collector = Collector::start().await;
    let server = ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_TELEMETRY_OTLP_ENDPOINT", collector.endpoint())
        .start()
        .await;
    fixtures::stage(&server.clients()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TRAIN).unwrap();
    let env = [
        ("ROOTSTOCK_ENDPOINT", server.endpoint()),
        ("ROOTSTOCK_TELEMETRY_OTLP_ENDPOINT", collector.endpoint()),
    ];
    run(ROOTSTOCK, &["train", file.path().to_str().unwrap()], &env).await.ok();

    let trace =
        eventually(Duration::from_secs(30), "the whole trace is exported and hangs together", || async {
            let spans = collector.spans();
            let root = spans.iter().find(|span| span.process == "rootstock-cli" && span.parent.is_empty())?;
            let trace: Vec<_> = spans.iter().filter(|span| span.trace == root.trace).cloned().collect();
            let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
            let whole = trace.iter().all(|span| span.parent.is_empty() || ids.contains(span.parent.as_str()));
            (whole && has(&trace, "rootstock-worker", "train")).then_some(trace)
        })
        .await;
    for call in [
        "TrainingService/CreateTrainingJob",
        "TrainingService/WatchTrainingJob",
        "TrainingWorkerService/LeaseJob",
        "TokenizationService/EncodeStream",
        "CheckpointService/CommitArtifact",
    ] {
        assert!(has(&trace, "rootstock", call), "{call} is not in the trace");
    }
    let worker = trace.iter().find(|span| span.process == "rootstock-worker").unwrap();
    let stores = |span: &&CollectedSpan| span.name.ends_with("CommitArtifact") && span.parent == worker.id;
    assert!(trace.iter().any(|span| stores(&span)), "the worker's calls are its children");
}
