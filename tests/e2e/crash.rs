//! Crashes in the middle of a training job: it goes on by itself, and ends with the same bits.
use std::time::Duration;

use rootstock_client::proto::training::v1::TrainingJobState;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_test_support::server::{lives, signal};
use rootstock_test_support::{Server, eventually, fixtures, jobs};

use crate::ROOTSTOCK;

/// Long enough that the crash comes in the middle, with a state saved early.
const STEPS: i64 = 300;
const SAVE_STEPS: i64 = 5;

/// The digest of the adapter that nothing disturbed.
async fn undisturbed() -> String {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    jobs::train(&clients, jobs::lora_spec("colours", STEPS, SAVE_STEPS)).await
}

/// Starts the job and waits until a state of it is saved.
async fn half_way(server: &Server) -> String {
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let job = jobs::create(&clients, jobs::lora_spec("colours", STEPS, SAVE_STEPS)).await.unwrap();
    jobs::event(&clients, &job.name, "a state is saved", |event| match event {
        Event::StateSaved(saved) => Some(saved.step),
        _ => None,
    })
    .await;
    let now = clients.training().get_training_job(&job.name).await.unwrap();
    assert_eq!(now.state(), TrainingJobState::Running, "the job is too short to be interrupted");
    job.name
}

/// The steps after which the job went on, once it has succeeded with this digest.
async fn resumed_at(server: &Server, job: &str, digest: &str) -> Vec<i64> {
    let clients = server.clients();
    assert_eq!(jobs::succeeded(&clients, job).await.result_digest, digest);
    let resumed = jobs::events(&clients, job).await.into_iter().filter_map(|event| match event.event {
        Some(Event::Resumed(resumed)) => Some(resumed.step),
        _ => None,
    });
    resumed.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_kill_9_of_the_server_and_of_its_worker() {
    let digest = undisturbed().await;
    let mut server = Server::start(ROOTSTOCK).await;
    let job = half_way(&server).await;
    server.kill9(true).await;
    server.start_again().await;
    let steps = resumed_at(&server, &job, &digest).await;
    assert!(!steps.is_empty() && steps.iter().all(|step| *step > 0), "{steps:?}");

    // The same for a worker alone, while the server lives.
    let server = Server::start(ROOTSTOCK).await;
    let job = half_way(&server).await;
    signal("KILL", server.worker().await).await;
    let steps = resumed_at(&server, &job, &digest).await;
    assert!(!steps.is_empty() && steps[0] > 0, "{steps:?}");
    let attempts = server.clients().training().get_training_job(&job).await.unwrap().attempts;
    assert!(attempts >= 2, "{attempts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_server_is_gone_stops_by_itself() {
    let mut server = Server::start(ROOTSTOCK).await;
    let job = half_way(&server).await;
    let worker = server.worker().await;
    server.kill9(false).await;
    eventually(Duration::from_secs(20), "the worker ends", || async { (!lives(worker)).then_some(()) }).await;
    server.start_again().await;
    jobs::succeeded(&server.clients(), &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_end_ends_its_workers_and_their_jobs_go_on_at_the_next_start() {
    let mut server = Server::start(ROOTSTOCK).await;
    let job = half_way(&server).await;
    let worker = server.worker().await;
    assert!(server.terminate().await.success());
    assert!(!lives(worker), "the worker ends with its server");
    server.start_again().await;
    jobs::succeeded(&server.clients(), &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_workers_find_no_room_for_their_files_says_so() {
    let server = Server::start(ROOTSTOCK).await;
    let clients = server.clients();
    fixtures::stage(&clients).await;
    let scratch = server.data_dir().join("trainer/scratch");
    // In the way of the folder that each worker makes for itself.
    std::fs::create_dir_all(scratch.parent().unwrap()).unwrap();
    let _ = std::fs::remove_dir(&scratch);
    std::fs::write(&scratch, "").unwrap();
    let job = jobs::create(&clients, jobs::lora_spec("colours", 1, 0)).await.unwrap();
    let ended = jobs::ended(&clients, &job.name).await;
    assert_eq!(ended.state(), TrainingJobState::Failed);
    assert!(ended.error.contains("workers were lost without progress"), "{}", ended.error);
    assert!(ended.error.contains("the result can't be written"), "{}", ended.error);
}
