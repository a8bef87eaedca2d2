//! Supervised work: a panic is never silent, and what doesn't stop is named.

use std::time::Duration;

use rootstock_runtime::{ErrorReason, Failure, Shutdown, Tasks, TasksError};

const GRACE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_panic_in_a_loop_stops_the_process_and_is_reported_by_name() {
    let tasks = Tasks::new(Shutdown::new());
    tasks.spawn("alias watcher", async { panic!("the alias is gone") });
    tasks.shutdown().requested().await;
    assert_eq!(tasks.join(GRACE).await, Err(TasksError::Panicked("alias watcher")));
}

#[tokio::test]
async fn a_panic_on_a_compute_thread_stops_the_process_too() {
    let tasks = Tasks::new(Shutdown::new());
    tasks.spawn_thread("engine", || panic!("no more tensors")).unwrap();
    tasks.shutdown().requested().await;
    assert_eq!(tasks.join(GRACE).await, Err(TasksError::Panicked("engine")));
}

#[tokio::test]
async fn a_panic_in_blocking_work_fails_only_the_call_it_serves() {
    let tasks = Tasks::new(Shutdown::new());
    let panicked = tasks.spawn_blocking("encode", || -> u32 { panic!("not utf-8") }).await.unwrap_err();
    assert_eq!(Failure::from(panicked).reason, ErrorReason::Internal);
    assert_eq!(tasks.spawn_blocking("encode", || 7).await, Ok(7));
    assert!(!tasks.shutdown().is_requested());
    assert_eq!(tasks.join(GRACE).await, Ok(()));
}

#[tokio::test]
async fn loops_that_heed_shutdown_are_joined_and_others_are_named() {
    let tasks = Tasks::new(Shutdown::new());
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("polite", async move { shutdown.requested().await });
    tasks.spawn("deaf", std::future::pending());
    tasks.shutdown().request();
    let error = tasks.join(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error, TasksError::StillRunning(vec!["deaf"]));
}
