//! One trace shows a training job from the client's call through trainer, worker, tokenizer and store.
use std::collections::BTreeSet;
use std::time::Duration;

use rootstock_test_support::cli::run;
use rootstock_test_support::{CollectedSpan, Collector, ServerOptions, fixtures};
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

/// The spans of the command line's trace, once they are all there and hang together; until then what is missing.
fn whole_trace(spans: &[CollectedSpan]) -> Result<Vec<CollectedSpan>, String> {
    let root = spans.iter().find(|span| span.process == "rootstock-cli" && span.parent.is_empty());
    let root = root.ok_or("there is no span of the command line")?;
    let trace: Vec<_> = spans.iter().filter(|span| span.trace == root.trace).cloned().collect();
    let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
    if let Some(orphan) = trace.iter().find(|s| !s.parent.is_empty() && !ids.contains(s.parent.as_str())) {
        return Err(format!("the parent of this span is missing: {orphan:?}"));
    }
    for (process, name) in EXPECTED {
        if !trace.iter().any(|span| span.process == process && span.name.ends_with(name)) {
            return Err(format!("{process} has no span {name}"));
        }
    }
    Ok(trace)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_covers_client_trainer_worker_tokenizer_and_store() {
    let collector = Collector::start().await;
    let server = ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_TELEMETRY_OTLP_ENDPOINT", collector.endpoint())
        // The exporter's own variable: spans are sent soon.
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
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

    let deadline = Instant::now() + Duration::from_secs(60);
    let trace = loop {
        match whole_trace(&collector.spans()) {
            Ok(trace) => break trace,
            Err(missing) => assert!(Instant::now() < deadline, "{missing}"),
        }
        sleep(Duration::from_millis(20)).await;
    };
    let worker = trace.iter().find(|span| span.process == "rootstock-worker").unwrap();
    let stores = |span: &CollectedSpan| span.name.ends_with("CommitArtifact") && span.parent == worker.id;
    assert!(trace.iter().any(stores), "the worker's calls are its children");
}
