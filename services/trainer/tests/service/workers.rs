//! Workers that come, report, crash, stay silent or are told to stop; the test plays them over gRPC.

use std::time::{Duration, Instant};

use proto::{TrainingJobState, training_event::Event};
use rootstock_client::ErrorReason;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};

use crate::bench::{Bench, Script, eventually, pretraining};

/// A worker that the test plays.
struct Played<'a> {
    bench: &'a Bench,
    job: String,
    token: String,
    pid: u32,
}

impl<'a> Played<'a> {
    /// Waits until the worker process is started, and leases the job with its token.
    async fn lease(bench: &'a Bench, job: &str) -> (Self, proto::LeaseJobResponse) {
        let (token, pid) = bench.worker_of(job).await;
        let request = proto::LeaseJobRequest { name: job.into(), lease_token: token.clone() };
        let lease = bench.worker().lease_job(request).await.unwrap();
        (Self { bench, job: job.into(), token, pid }, lease)
    }

    async fn heartbeat(&self) -> Result<bool, rootstock_client::ClientError> {
        let request = proto::HeartbeatRequest { name: self.job.clone(), lease_token: self.token.clone() };
        Ok(self.bench.worker().heartbeat(request).await?.cancel)
    }

    async fn report(
        &self,
        first_sequence: i64,
        events: Vec<Event>,
        outcome: Option<proto::JobOutcome>,
    ) -> Result<(), rootstock_client::ClientError> {
        let event = |event| proto::TrainingEvent { event: Some(event), ..Default::default() };
        let request = proto::ReportEventsRequest {
            name: self.job.clone(),
            lease_token: self.token.clone(),
            first_sequence,
            events: events.into_iter().map(event).collect(),
            outcome,
        };
        self.bench.worker().report_events(request).await.map(|_| ())
    }

    fn kill(&self) {
        let killed = std::process::Command::new("kill").args(["-9", &self.pid.to_string()]).status();
        assert!(killed.unwrap().success());
    }
}

fn progress(step: i64) -> Event {
    Event::Progress(proto::TrainingProgress { step, ..Default::default() })
}

fn saved(step: i64, digest: &str) -> Event {
    Event::StateSaved(proto::TrainingStateSaved { step, digest: digest.into(), chain_digest: String::new() })
}

fn digest(of: &str) -> String {
    rootstock_artifacts::Digest::of(of.as_bytes()).to_string()
}

fn succeeded() -> Option<proto::JobOutcome> {
    Some(proto::JobOutcome { result_digest: digest("result"), error: String::new() })
}

fn is_alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_worker_leases_reports_and_ends_its_job() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let (worker, lease) = Played::lease(&bench, &job).await;
    assert_eq!(lease.training_job.unwrap().state(), TrainingJobState::Running);
    assert!(!worker.heartbeat().await.unwrap());
    worker.report(1, vec![progress(1), progress(2)], None).await.unwrap();
    worker.report(2, vec![progress(2), progress(3)], None).await.unwrap();
    worker.report(4, vec![], succeeded()).await.unwrap();
    worker.report(4, vec![], succeeded()).await.unwrap();
    let job = bench.job(&job).await;
    assert_eq!((job.state(), job.result_digest), (TrainingJobState::Succeeded, digest("result")));
    assert_eq!((job.attempts, job.progress.unwrap().step), (1, 3));
    let events = bench.events(&job.name).await;
    let steps = events.iter().filter_map(|event| match event {
        Event::Progress(progress) => Some(progress.step),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [1, 2, 3]);
    assert!(
        matches!(events.last(), Some(Event::StateChange(change)) if change.state() == TrainingJobState::Succeeded)
    );
    worker.kill();
}

#[tokio::test]
async fn nobody_but_the_worker_that_was_started_may_act_for_a_job() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let (worker, _) = Played::lease(&bench, &job).await;
    let thief = Played { bench: &bench, job: job.clone(), token: "guessed".into(), pid: 0 };
    let lease = proto::LeaseJobRequest { name: job.clone(), lease_token: "guessed".into() };
    let refusals = [
        bench.worker().lease_job(lease).await.unwrap_err(),
        thief.heartbeat().await.unwrap_err(),
        thief.report(1, vec![], succeeded()).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.reason, Some(ErrorReason::WrongState));
    }
    worker.report(1, vec![], succeeded()).await.unwrap();
}

#[tokio::test]
async fn a_killed_worker_is_replaced_and_the_job_goes_on_from_its_newest_state() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let (first, _) = Played::lease(&bench, &job).await;
    first.report(1, vec![saved(4, &digest("4")), saved(8, &digest("8"))], None).await.unwrap();
    first.kill();
    let (second, lease) = Played::lease(&bench, &job).await;
    assert_ne!(second.token, first.token);
    assert_eq!((lease.resume_step, lease.resume_digest), (8, digest("8")));
    assert_eq!(first.heartbeat().await.unwrap_err().reason, Some(ErrorReason::WrongState));
    second.report(1, vec![progress(9)], succeeded()).await.unwrap();
    assert_eq!(bench.job(&job).await.attempts, 2);
    let told = bench.events(&job).await.into_iter().filter_map(|event| match event {
        Event::StateChange(change) => Some((change.state(), change.message)),
        _ => None,
    });
    let requeued = told.filter(|(state, message)| *state == TrainingJobState::Queued && !message.is_empty());
    let requeued: Vec<_> = requeued.collect();
    assert_eq!(requeued.len(), 1);
    assert!(requeued[0].1.contains("signal: 9"), "{requeued:?}");
}

#[tokio::test]
async fn a_worker_that_always_crashes_fails_its_job() {
    let bench = Bench::with(Script::Shell("exit 3"), |config| config.max_attempts = 3).await;
    let job = bench.create("a", pretraining()).await;
    let job = bench.reaches(&job, TrainingJobState::Failed).await;
    assert!(job.error.contains("3 workers") && job.error.contains("exit status: 3"), "{}", job.error);
}

#[tokio::test]
async fn a_failed_job_tells_the_last_words_of_its_last_worker() {
    // More than is listened to; and a process that holds the output open when the worker is gone.
    let long = "printf 'no space left: '; head -c 8192 /dev/zero | tr '\\0' x; exit 1";
    let held = "printf 'no space left'; sleep 5 2>/dev/null & exit 1";
    for script in [long, held] {
        let bench = Bench::with(Script::Shell(script), |config| config.max_attempts = 1).await;
        let job = bench.create("a", pretraining()).await;
        let error = bench.reaches(&job, TrainingJobState::Failed).await.error;
        assert!(error.contains("exit status: 1: no space left"), "{error}");
        assert!(error.len() < 5000, "{} bytes", error.len());
    }
}

#[tokio::test]
async fn a_worker_that_can_not_be_started_fails_its_job() {
    let change = |config: &mut rootstock_trainer::Config| {
        config.worker_command = "/nonexistent/worker".into();
        config.max_attempts = 2;
    };
    let bench = Bench::with(Script::Played, change).await;
    let job = bench.create("a", pretraining()).await;
    assert!(bench.reaches(&job, TrainingJobState::Failed).await.error.contains("could not be started"));
}

#[tokio::test]
async fn a_silent_worker_is_killed_and_replaced() {
    let lease_timeout =
        |config: &mut rootstock_trainer::Config| config.lease_timeout = Duration::from_millis(300);
    let bench = Bench::with(Script::Played, lease_timeout).await;
    let job = bench.create("a", pretraining()).await;
    let (silent, _) = Played::lease(&bench, &job).await;
    let (next, _) = Played::lease(&bench, &job).await;
    assert!(!is_alive(silent.pid), "the silent worker still runs");
    assert!(is_alive(next.pid));
}

#[tokio::test]
async fn a_cancelled_job_is_over_at_once_and_its_worker_is_gone_within_a_second() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let (worker, _) = Played::lease(&bench, &job).await;
    let began = Instant::now();
    let cancelled = bench.training().cancel_training_job(&job).await.unwrap();
    assert_eq!(cancelled.state(), TrainingJobState::Cancelled);
    assert!(worker.heartbeat().await.unwrap(), "the worker is told");
    let refused = worker.report(1, vec![progress(1)], None).await.unwrap_err();
    assert_eq!(refused.reason, Some(ErrorReason::WrongState));
    eventually("the worker is gone", async || (!is_alive(worker.pid)).then_some(())).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let next = bench.create("b", pretraining()).await;
    Played::lease(&bench, &next).await;
}

#[tokio::test]
async fn after_a_restart_the_job_goes_on_and_the_worker_of_before_is_refused() {
    let mut bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let (token, pid) = {
        let (worker, _) = Played::lease(&bench, &job).await;
        worker.report(1, vec![saved(5, &digest("5"))], None).await.unwrap();
        (worker.token, worker.pid)
    };
    bench.stop().await;
    assert!(!is_alive(pid), "the server ends its workers");
    bench.start().await;
    let (worker, lease) = Played::lease(&bench, &job).await;
    assert_eq!((lease.resume_step, lease.training_job.unwrap().attempts), (5, 2));
    let ghost = Played { bench: &bench, job: job.clone(), token, pid };
    assert_eq!(ghost.heartbeat().await.unwrap_err().reason, Some(ErrorReason::WrongState));
    worker.report(1, vec![progress(6)], succeeded()).await.unwrap();
    let numbers: Vec<_> = bench.events(&job).await;
    assert!(numbers.len() >= 7, "nothing is lost: {numbers:?}");
}

#[tokio::test]
async fn only_the_newest_states_are_kept_and_a_forgotten_job_leaves_none() {
    let bench = Bench::new(Script::Played).await;
    let job = bench.create("a", pretraining()).await;
    let state = |n: &str| {
        bench.store.put(
            ArtifactKind::TrainingState,
            &format!("states/{n}"),
            &[("trainer_state.json", n.as_bytes())],
        )
    };
    let states: Vec<String> = ["1", "2", "3"].map(state).into();
    let (worker, _) = Played::lease(&bench, &job).await;
    let events = states.iter().zip(1..).map(|(digest, step)| saved(step, digest)).collect();
    worker.report(1, events, None).await.unwrap();
    let left = async || {
        let left = bench.store.of_kind(ArtifactKind::TrainingState);
        states.iter().filter(|digest| left.contains(digest)).count()
    };
    eventually("the oldest is deleted", async || (left().await == 2).then_some(())).await;
    assert!(bench.store.artifact(&states[0]).is_none());
    worker.report(4, vec![], succeeded()).await.unwrap();
    bench.training().delete_training_job(&job).await.unwrap();
    eventually("all are deleted", async || (left().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_worker_leaves_nothing_behind() {
    let script =
        "mkdir -p $ROOTSTOCK_WORKER_SCRATCH_DIR && echo x > $ROOTSTOCK_WORKER_SCRATCH_DIR/file; exit 1";
    let bench = Bench::with(Script::Shell(script), |config| config.max_attempts = 1).await;
    let job = bench.create("a", pretraining()).await;
    bench.reaches(&job, TrainingJobState::Failed).await;
    let scratch = bench.data().join("trainer").join("scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0);
}
