//! Creating, listing, watching, cancelling and forgetting jobs.

use futures::StreamExt;
use proto::{TrainingJobState, training_spec};
use rootstock_client::{ClientError, ErrorReason};
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use tonic::Code;

use crate::bench::{Bench, Script, finetuning, pretraining, watch};

fn create(id: &str, spec: proto::TrainingSpec) -> proto::CreateTrainingJobRequest {
    proto::CreateTrainingJobRequest { training_job_id: id.into(), spec: Some(spec), ..Default::default() }
}

async fn refused(bench: &Bench, spec: proto::TrainingSpec) -> ClientError {
    bench.training().create_training_job(create("", spec)).await.unwrap_err()
}

#[tokio::test]
async fn a_job_is_stored_and_shown_as_it_was_written() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.training().create_training_job(create("first", pretraining())).await.unwrap();
    assert_eq!(job.name, "trainingJobs/first");
    assert_eq!(job.spec, Some(pretraining()));
    assert_eq!(job.state(), TrainingJobState::Queued);
    assert!(job.create_time.is_some() && job.start_time.is_none());
    assert_eq!(bench.job(&job.name).await, job);
    bench.create("second", pretraining()).await;
    let names: Vec<_> = bench.training().list_training_jobs().await.unwrap();
    let names: Vec<_> = names.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["trainingJobs/second", "trainingJobs/first"]);
}

#[tokio::test]
async fn lists_are_paged_without_loss() {
    let bench = Bench::new(Script::Played).await;
    for id in ["a", "b", "c", "d", "e"] {
        bench.create(id, pretraining()).await;
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListTrainingJobsRequest { page_size: 2, page_token };
        let page = bench.training().raw().list_training_jobs(request).await.unwrap().into_inner();
        assert!(page.training_jobs.len() <= 2);
        seen.extend(page.training_jobs.into_iter().map(|job| job.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"].map(|id| format!("trainingJobs/{id}")));
}

#[tokio::test]
async fn what_can_not_be_trained_is_refused_with_its_reason() {
    let bench = Bench::new(Script::Played).await;
    let mut spec = pretraining();
    spec.arguments.get_or_insert_default().learning_rate = -1.0;
    let error = refused(&bench, spec).await;
    assert_eq!((error.code, error.reason), (Code::InvalidArgument, Some(ErrorReason::InvalidField)));
    assert_eq!(error.field.as_deref(), Some("spec.arguments.learning_rate"));

    let error =
        refused(&bench, proto::TrainingSpec { dataset: "datasets/none".into(), ..pretraining() }).await;
    assert_eq!((error.code, error.reason), (Code::NotFound, Some(ErrorReason::NotFound)));
    assert!(error.message.contains("spec.dataset"), "{error}");

    let (tokenizer, _) = bench.store.alias("tokenizers/tiny").unwrap();
    let error = refused(&bench, proto::TrainingSpec { dataset: tokenizer, ..pretraining() }).await;
    assert_eq!(error.field.as_deref(), Some("spec.dataset"));

    bench.training().create_training_job(create("taken", pretraining())).await.unwrap();
    let error = bench.training().create_training_job(create("taken", pretraining())).await.unwrap_err();
    assert_eq!((error.code, error.reason), (Code::AlreadyExists, Some(ErrorReason::AlreadyExists)));

    let error = bench.training().get_training_job("trainingJobs/none").await.unwrap_err();
    assert_eq!(error.reason, Some(ErrorReason::NotFound));
    let error = bench.training().get_training_job("none").await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("name"));
}

#[tokio::test]
async fn instructions_are_not_taught_to_a_model_without_language() {
    let bench = Bench::new(Script::Played).await;
    let spec = proto::TrainingSpec { objective: finetuning().objective, ..pretraining() };
    assert_eq!(refused(&bench, spec).await.field.as_deref(), Some("spec.new_model"));
}

#[tokio::test]
async fn the_same_request_creates_one_job_and_a_check_creates_none() {
    let bench = Bench::new(Script::Played).await;
    let request =
        |id: &str| proto::CreateTrainingJobRequest { request_id: "once".into(), ..create(id, pretraining()) };
    let first = bench.training().create_training_job(request("a")).await.unwrap();
    let again = bench.training().create_training_job(request("b")).await.unwrap();
    assert_eq!(first.name, again.name);
    let check = proto::CreateTrainingJobRequest { validate_only: true, ..create("checked", pretraining()) };
    assert_eq!(bench.training().create_training_job(check).await.unwrap().name, "trainingJobs/checked");
    assert_eq!(bench.training().list_training_jobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let bench = Bench::with(Script::Played, |config| config.max_queued = 1).await;
    let running = bench.create("running", pretraining()).await;
    let (token, _) = bench.worker_of(&running).await;
    let lease = proto::LeaseJobRequest { name: running, lease_token: token };
    bench.worker().lease_job(lease).await.unwrap();
    bench.create("waiting", pretraining()).await;
    let full = bench.training().raw().create_training_job(create("third", pretraining())).await;
    let error = ClientError::from(full.unwrap_err());
    assert_eq!((error.code, error.reason), (Code::ResourceExhausted, Some(ErrorReason::Overloaded)));
    assert!(error.retry_after.is_some());
}

#[tokio::test]
async fn a_job_keeps_the_artifacts_it_was_created_with() {
    let bench = Bench::new(Script::Played).await;
    let (before, _) = bench.store.alias("datasets/text").unwrap();
    let job = bench.create("a", pretraining()).await;
    bench.store.put(ArtifactKind::Dataset, "datasets/text", &[("text.txt", b"something else")]);
    let (token, _) = bench.worker_of(&job).await;
    let lease = proto::LeaseJobRequest { name: job, lease_token: token };
    let lease = bench.worker().lease_job(lease).await.unwrap();
    assert_eq!(lease.dataset_digest, before);
    let (tokenizer, _) = bench.store.alias("tokenizers/tiny").unwrap();
    assert_eq!(lease.tokenizer_artifact_digest, tokenizer);
    assert!(lease.base_digest.is_empty() && lease.resume_digest.is_empty());
    assert!(lease.tokenizer_digest.starts_with("sha256:"));
}

#[tokio::test]
async fn a_base_model_with_another_tokenizer_than_the_data_is_refused() {
    let bench = Bench::new(Script::Played).await;
    let (tokenizer, _) = bench.store.alias("tokenizers/tiny").unwrap();
    let json = bench.store.file(&tokenizer, "tokenizer.json").unwrap();
    bench.store.put(ArtifactKind::BaseModel, "baseModels/tiny", &[("tokenizer.json", &json)]);
    bench.store.relabel("datasets/questions", "sha256:another");
    let error = refused(&bench, finetuning()).await;
    assert_eq!((error.code, error.reason), (Code::FailedPrecondition, Some(ErrorReason::TokenizerMismatch)));
    let missing = proto::TrainingSpec {
        start: Some(training_spec::Start::BaseModel("baseModels/none".into())),
        ..finetuning()
    };
    assert_eq!(refused(&bench, missing).await.reason, Some(ErrorReason::NotFound));
}

#[tokio::test]
async fn a_watch_goes_on_after_any_event_and_ends_with_the_job() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let mut stream = bench.training().raw().watch_training_job(watch(&job, 0)).await.unwrap().into_inner();
    let first = stream.next().await.unwrap().unwrap().event.unwrap();
    assert_eq!(first.event_id, 1);
    bench.training().cancel_training_job(&job).await.unwrap();
    let last = stream.next().await.unwrap().unwrap().event.unwrap();
    let Some(proto::training_event::Event::StateChange(change)) = last.event else { panic!("{last:?}") };
    assert_eq!((last.event_id, change.state()), (2, TrainingJobState::Cancelled));
    assert!(stream.next().await.is_none(), "nothing follows the last event");
    let after = bench.training().raw().watch_training_job(watch(&job, 1)).await.unwrap().into_inner();
    let ids: Vec<_> = after.map(|event| event.unwrap().event.unwrap().event_id).collect().await;
    assert_eq!(ids, [2]);
}

#[tokio::test]
async fn watch_streams_are_bounded() {
    let bench = Bench::with(Script::Played, |config| config.max_watchers = 1).await;
    let job = bench.create("a", pretraining()).await;
    let open = bench.training().raw().watch_training_job(watch(&job, 0)).await.unwrap();
    let status = bench.training().raw().watch_training_job(watch(&job, 0)).await.unwrap_err();
    assert_eq!(ClientError::from(status).reason, Some(ErrorReason::Overloaded));
    drop(open);
    crate::bench::eventually("the stream is closed", async || {
        bench.training().raw().watch_training_job(watch(&job, 0)).await.ok().map(drop)
    })
    .await;
}

#[tokio::test]
async fn only_a_job_that_has_ended_can_be_deleted_and_then_it_is_gone() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let error = bench.training().delete_training_job(&job).await.unwrap_err();
    assert_eq!((error.code, error.reason), (Code::FailedPrecondition, Some(ErrorReason::WrongState)));
    bench.training().cancel_training_job(&job).await.unwrap();
    let error = bench.training().cancel_training_job(&job).await.unwrap_err();
    assert_eq!(error.reason, Some(ErrorReason::WrongState));
    bench.training().delete_training_job(&job).await.unwrap();
    let error = bench.training().get_training_job(&job).await.unwrap_err();
    assert_eq!(error.reason, Some(ErrorReason::NotFound));
}
