//! Cancelling and deleting training jobs.
use std::time::Duration;

use rootstock_client::ErrorReason;
use rootstock_client::proto::training::v1::TrainingJobState;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_test_support::server::lives;
use rootstock_test_support::{Server, eventually, fixtures, jobs};

use crate::{ROOTSTOCK, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stops_soon_and_can_be_deleted() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    let training = clients.training();
    fixtures::stage(&clients).await;
    let job = jobs::create(&clients, jobs::lora_spec("colours", 100_000, 5)).await.unwrap();
    jobs::event(&clients, &job.name, "a step is made", |event| match event {
        Event::Progress(progress) => (progress.step > 0).then_some(()),
        _ => None,
    })
    .await;
    let worker = server.worker().await;
    refusal(training.delete_training_job(&job.name).await, ErrorReason::WrongState);
    training.cancel_training_job(&job.name).await.unwrap();
    eventually(Duration::from_secs(5), "the worker ends", || async { (!lives(worker)).then_some(()) }).await;
    let ended = jobs::ended(&clients, &job.name).await;
    assert_eq!(ended.state(), TrainingJobState::Cancelled);
    assert_eq!(ended.result_digest, "");
    refusal(training.cancel_training_job(&job.name).await, ErrorReason::WrongState);

    training.delete_training_job(&job.name).await.unwrap();
    refusal(training.get_training_job(&job.name).await, ErrorReason::NotFound);
    // Its place is free: the next job runs.
    jobs::train(&clients, jobs::lora_spec("next", 2, 0)).await;
}
