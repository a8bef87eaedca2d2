//! The life of a job in the store: queue, lease, reports, loss of the worker, cancel, restart.

use std::time::Duration;

use proto::training_event::Event;
use tempfile::TempDir;

mod publications;

use super::*;
use crate::convert::{Outcome, Page, Report, tests::supervised};

mod lineage;

const ROOM: Room = Room { queued: 100, of_tenant: 100 };
/// More workers than any of these tests has.
const MANY: u32 = 100;

struct Bench {
    store: Store,
    _dir: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open(&dir.path().join("jobs.sqlite")).await.unwrap();
        Self { store, _dir: dir }
    }

    async fn create(&self, id: &str) -> JobId {
        match self.store.create(new_job(id), ROOM).await.unwrap() {
            Created::New(job) => job.id,
            Created::Before(job) => panic!("{} was there", job.id),
        }
    }

    /// A job that a worker with the token `token` computes.
    async fn running(&self, id: &str, token: &str) -> JobId {
        let id = self.create(id).await;
        assert_eq!(self.store.claim(token, MANY).await.unwrap().unwrap().id, id);
        self.store.lease(&id, token).await.unwrap();
        id
    }

    async fn state(&self, id: &JobId) -> State {
        self.store.get(id).await.unwrap().state
    }

    async fn lose(&self, id: &JobId, token: &str, max_stalled: i64) -> Released {
        let retry_delay = Duration::ZERO;
        let how = Release { message: "killed", max_stalled, retry_delay, blameless: false };
        self.store.release(id, token, how).await.unwrap()
    }

    async fn events(&self, id: &JobId) -> Vec<Event> {
        let page = self.store.events(id, 0, 1000).await.unwrap();
        page.events.into_iter().map(|event| event.event.unwrap()).collect()
    }
}

fn new_job(id: &str) -> NewJob {
    NewJob {
        id: JobId::parse(id).unwrap(),
        request_id: None,
        spec: supervised(),
        resolved: Resolved::default(),
        traceparent: String::new(),
        save_total_limit: 2,
        tenant: String::new(),
        priority: 0,
    }
}

fn report(first_sequence: i64, events: Vec<Event>) -> Report {
    Report { first_sequence, events, outcome: None }
}

fn progress(step: i64) -> Event {
    Event::Progress(proto::TrainingProgress { step, ..Default::default() })
}

fn saved(step: i64) -> Event {
    let digest = format!("sha256:{step:064}");
    Event::StateSaved(proto::TrainingStateSaved { step, digest, chain_digest: String::new() })
}

fn steps(events: &[Event]) -> Vec<i64> {
    let step = |event: &Event| match event {
        Event::Progress(progress) => Some(progress.step),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

#[tokio::test]
async fn jobs_are_computed_in_the_order_they_came() {
    let bench = Bench::new().await;
    let (first, second) = (bench.create("b").await, bench.create("a").await);
    assert_eq!(bench.store.claim("1", MANY).await.unwrap().unwrap().id, first);
    assert_eq!(bench.store.claim("2", MANY).await.unwrap().unwrap().id, second);
    assert!(bench.store.claim("3", MANY).await.unwrap().is_none());
    let (jobs, more) = bench.store.list(Page { size: 1, before: None }).await.unwrap();
    assert_eq!((jobs[0].id.as_str(), more), ("a", true));
    let (jobs, more) = bench.store.list(Page { size: 1, before: Some(jobs[0].number) }).await.unwrap();
    assert_eq!((jobs[0].id.as_str(), more), ("b", false));
}

#[tokio::test]
async fn the_queue_is_bounded_and_an_id_is_given_once() {
    let bench = Bench::new().await;
    bench.create("a").await;
    assert!(matches!(bench.store.create(new_job("a"), ROOM).await, Err(Error::JobExists(_))));
    assert!(matches!(
        bench.store.create(new_job("b"), Room { queued: 1, ..ROOM }).await,
        Err(Error::QueueFull { limit: 1 })
    ));
    bench.store.claim("t", MANY).await.unwrap();
    bench.store.lease(&JobId::parse("a").unwrap(), "t").await.unwrap();
    bench.store.create(new_job("b"), Room { queued: 1, ..ROOM }).await.unwrap();
}

#[tokio::test]
async fn the_same_request_makes_one_job() {
    let bench = Bench::new().await;
    let request = |id| NewJob { request_id: Some("r".into()), ..new_job(id) };
    bench.store.create(request("a"), ROOM).await.unwrap();
    let Created::Before(job) = bench.store.create(request("b"), ROOM).await.unwrap() else {
        panic!("made anew")
    };
    assert_eq!(job.id.as_str(), "a");
    assert_eq!(bench.store.created_by("r").await.unwrap().unwrap().id, job.id);
}

#[tokio::test]
async fn only_the_worker_that_was_started_last_may_speak() {
    let bench = Bench::new().await;
    let id = bench.running("a", "token").await;
    assert_eq!(bench.store.heartbeat(&id, "token").await.unwrap(), Wish::Work);
    assert!(matches!(bench.store.heartbeat(&id, "other").await, Err(Error::LeaseLost(_))));
    assert!(matches!(bench.store.lease(&id, "other").await, Err(Error::LeaseLost(_))));
    let refused = bench.store.report(&id, "other", report(1, vec![progress(1)])).await;
    assert!(matches!(refused, Err(Error::LeaseLost(_))));
    bench.store.lease(&id, "token").await.unwrap();
    assert_eq!(bench.store.get(&id).await.unwrap().attempts, 1, "the lease asked for again is the same one");
}

#[tokio::test]
async fn a_report_that_comes_again_is_passed_over() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    let send = |report| bench.store.report(&id, "t", report);
    assert_eq!(send(report(1, vec![progress(1), progress(2)])).await.unwrap().appended, 2);
    assert_eq!(send(report(1, vec![progress(1), progress(2)])).await.unwrap().appended, 0);
    assert_eq!(send(report(2, vec![progress(2), progress(3)])).await.unwrap().appended, 1);
    assert!(matches!(send(report(5, vec![progress(5)])).await, Err(Error::Invalid { .. })));
    assert_eq!(steps(&bench.events(&id).await), [1, 2, 3]);
    assert_eq!(bench.store.get(&id).await.unwrap().progress.unwrap().step, 3);
}

#[tokio::test]
async fn the_last_report_ends_the_job_however_often_it_comes() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    let result_digest = format!("sha256:{}", "0".repeat(64));
    let last = || Report {
        outcome: Some(Outcome::Succeeded { result_digest: result_digest.clone() }),
        ..report(1, vec![progress(9)])
    };
    assert_eq!(bench.store.report(&id, "t", last()).await.unwrap().ended, Some(State::Succeeded));
    assert_eq!(bench.store.report(&id, "t", last()).await.unwrap().ended, None);
    let job = bench.store.get(&id).await.unwrap();
    assert_eq!((job.state, job.result_digest.as_str()), (State::Succeeded, result_digest.as_str()));
    assert!(job.end_micros >= job.start_micros && job.start_micros.is_some());
    assert!(bench.store.events(&id, 0, 1000).await.unwrap().complete);
    assert!(matches!(bench.store.heartbeat(&id, "t").await, Err(Error::LeaseLost(_))));
    assert_eq!(bench.lose(&id, "t", 5).await, Released::NotHeld);
}

#[tokio::test]
async fn a_lost_worker_gives_its_job_back_and_a_new_one_goes_on_from_the_newest_state() {
    let bench = Bench::new().await;
    let id = bench.running("a", "1").await;
    let events = vec![progress(5), saved(5), saved(10), progress(12)];
    bench.store.report(&id, "1", report(1, events)).await.unwrap();
    assert_eq!(bench.lose(&id, "1", 5).await, Released::Requeued);
    assert_eq!(bench.state(&id).await, State::Queued);
    assert!(matches!(bench.store.heartbeat(&id, "1").await, Err(Error::LeaseLost(_))));
    bench.store.claim("2", MANY).await.unwrap().unwrap();
    let lease = bench.store.lease(&id, "2").await.unwrap();
    assert_eq!(lease.resume.unwrap().0, 10);
    assert_eq!(lease.job.attempts, 2);
    bench.store.report(&id, "2", report(1, vec![progress(11)])).await.unwrap();
    assert_eq!(steps(&bench.events(&id).await), [5, 12, 11]);
}

#[tokio::test]
async fn a_job_fails_when_workers_are_lost_without_progress() {
    let bench = Bench::new().await;
    let id = bench.create("a").await;
    for attempt in 1..=3 {
        let claim = bench.store.claim("t", MANY).await.unwrap().unwrap();
        assert_eq!(claim.stalled, attempt);
        let expected = if attempt == 3 { Released::Failed } else { Released::Requeued };
        assert_eq!(bench.lose(&id, "t", 3).await, expected);
    }
    let job = bench.store.get(&id).await.unwrap();
    assert_eq!(job.state, State::Failed);
    assert!(job.error.contains("3 workers") && job.error.contains("killed"), "{}", job.error);
}

#[tokio::test]
async fn a_saved_state_is_progress_and_a_shutdown_is_no_loss() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    bench.store.report(&id, "t", report(1, vec![saved(1)])).await.unwrap();
    assert_eq!(bench.lose(&id, "t", 1).await, Released::Requeued);
    bench.store.claim("t", MANY).await.unwrap().unwrap();
    let how = Release { message: "", max_stalled: 1, retry_delay: Duration::from_secs(9), blameless: true };
    assert_eq!(bench.store.release(&id, "t", how).await.unwrap(), Released::Requeued);
    assert!(bench.store.claim("t", MANY).await.unwrap().is_some(), "it need not wait");
}

#[tokio::test]
async fn a_job_waits_after_a_crash() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    let retry_delay = Duration::from_secs(60);
    let how = Release { message: "", max_stalled: 5, retry_delay, blameless: false };
    bench.store.release(&id, "t", how).await.unwrap();
    assert!(bench.store.claim("t", MANY).await.unwrap().is_none());
}

#[tokio::test]
async fn a_cancelled_job_tells_its_worker_and_takes_no_more_reports() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    assert_eq!(bench.store.cancel(&id).await.unwrap().state, State::Cancelled);
    assert_eq!(bench.store.heartbeat(&id, "t").await.unwrap(), Wish::End);
    assert!(bench.store.report(&id, "t", report(1, vec![progress(1)])).await.is_err());
    assert!(matches!(bench.store.cancel(&id).await, Err(Error::WrongState { .. })));
    assert_eq!(bench.lose(&id, "t", 5).await, Released::NotHeld);
    assert_eq!(bench.state(&id).await, State::Cancelled);
}

#[tokio::test]
async fn after_a_restart_running_jobs_wait_again_and_their_workers_are_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("jobs.sqlite");
    let bench = Bench { store: Store::open(&path).await.unwrap(), _dir: TempDir::new().unwrap() };
    let id = bench.running("a", "t").await;
    bench.store.report(&id, "t", report(1, vec![saved(7)])).await.unwrap();
    bench.create("b").await;
    bench.store.claim("u", MANY).await.unwrap();
    bench.store.close().await;
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.recover().await.unwrap(), std::slice::from_ref(&id));
    assert!(matches!(store.heartbeat(&id, "t").await, Err(Error::LeaseLost(_))));
    assert_eq!(store.claim("v", MANY).await.unwrap().unwrap().id, id);
    assert_eq!(store.lease(&id, "v").await.unwrap().resume.unwrap().0, 7);
    assert_eq!(store.claim("w", MANY).await.unwrap().unwrap().id.as_str(), "b", "a worker that never came");
    assert_eq!(store.get(&id).await.unwrap().state, State::Running);
}

#[tokio::test]
async fn events_are_read_on_from_any_of_them() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    bench.store.report(&id, "t", report(1, (1..=10).map(progress).collect())).await.unwrap();
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = bench.store.events(&id, after, 3).await.unwrap();
        let Some(last) = page.events.last() else { break };
        after = last.event_id;
        seen.extend(page.events.iter().map(|event| event.event_id));
        assert!(!page.complete && page.events.iter().all(|event| event.time.is_some()));
    }
    assert_eq!(seen, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_state_that_another_replaces_is_discarded() {
    let bench = Bench::new().await;
    let job = bench.running("a", "1").await;
    let other = Event::StateSaved(proto::TrainingStateSaved {
        step: 1,
        digest: "sha256:other".into(),
        ..Default::default()
    });
    assert!(!bench.store.report(&job, "1", report(1, vec![other])).await.unwrap().discarded);
    assert!(bench.store.report(&job, "1", report(2, vec![saved(1)])).await.unwrap().discarded);
    assert_eq!(bench.store.discarded(10).await.unwrap(), ["sha256:other"]);
    assert!(
        !bench.store.report(&job, "1", report(3, vec![saved(1)])).await.unwrap().discarded,
        "the same again"
    );
}

#[tokio::test]
async fn older_states_are_discarded_unless_another_job_keeps_them() {
    let bench = Bench::new().await;
    let first = bench.running("a", "1").await;
    let states = vec![saved(1), saved(2), saved(3)];
    assert!(bench.store.report(&first, "1", report(1, states)).await.unwrap().discarded);
    let gone = |step: i64| format!("sha256:{step:064}");
    assert_eq!(bench.store.discarded(10).await.unwrap(), [gone(1)]);
    bench.store.forget_discarded(&gone(1)).await.unwrap();
    let second = bench.running("b", "2").await;
    bench.store.report(&second, "2", report(1, vec![saved(3)])).await.unwrap();
    bench.store.cancel(&first).await.unwrap();
    bench.store.delete(&first).await.unwrap();
    assert_eq!(bench.store.discarded(10).await.unwrap(), [gone(2)], "the other job keeps the third");
    bench.store.report(&second, "2", report(2, vec![saved(2)])).await.unwrap();
    assert!(bench.store.discarded(10).await.unwrap().is_empty(), "saved again before it was deleted");
}

#[tokio::test]
async fn only_a_job_that_has_ended_can_be_forgotten() {
    let bench = Bench::new().await;
    let id = bench.create("a").await;
    assert!(matches!(bench.store.delete(&id).await, Err(Error::WrongState { .. })));
    bench.store.cancel(&id).await.unwrap();
    bench.store.delete(&id).await.unwrap();
    assert!(matches!(bench.store.get(&id).await, Err(Error::NotFound(_))));
    assert!(matches!(bench.store.delete(&id).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_job_that_waits_is_paused_at_once_and_goes_on_in_the_place_that_it_had() {
    let bench = Bench::new().await;
    let (first, second) = (bench.create("a").await, bench.create("b").await);
    let place = async |id: &JobId| bench.store.get(id).await.unwrap().queue_position;
    assert_eq!((place(&first).await, place(&second).await), (1, 2));
    assert_eq!(bench.store.pause(&first).await.unwrap().state, State::Paused);
    assert_eq!((place(&first).await, place(&second).await), (0, 1));
    assert_eq!(bench.store.pause(&first).await.unwrap().state, State::Paused, "asked again");
    assert!(matches!(bench.store.resume(&second, ROOM).await, Err(Error::WrongState { .. })));
    assert!(matches!(bench.store.delete(&first).await, Err(Error::WrongState { .. })));
    let full = bench.store.resume(&first, Room { queued: 1, ..ROOM }).await;
    assert!(matches!(full, Err(Error::QueueFull { limit: 1 })));
    let resumed = bench.store.resume(&first, ROOM).await.unwrap();
    assert_eq!((resumed.state, resumed.queue_position), (State::Queued, 1));
    assert_eq!(bench.store.claim("t", MANY).await.unwrap().unwrap().id, first);
}

#[tokio::test]
async fn a_job_with_a_worker_rests_once_the_worker_is_gone() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    assert_eq!(bench.store.pause(&id).await.unwrap().state, State::Pausing);
    assert_eq!(bench.store.heartbeat(&id, "t").await.unwrap(), Wish::Rest);
    bench.store.report(&id, "t", report(1, vec![progress(3), saved(3)])).await.unwrap();
    assert!(matches!(bench.store.resume(&id, ROOM).await, Err(Error::WrongState { .. })));
    assert_eq!(bench.lose(&id, "t", 5).await, Released::Paused);
    assert_eq!(bench.state(&id).await, State::Paused);
    assert!(bench.store.claim("u", MANY).await.unwrap().is_none());
    bench.store.resume(&id, ROOM).await.unwrap();
    bench.store.claim("u", MANY).await.unwrap().unwrap();
    assert_eq!(bench.store.lease(&id, "u").await.unwrap().resume.unwrap().0, 3);
}

#[tokio::test]
async fn a_worker_that_comes_after_the_pause_is_refused() {
    let bench = Bench::new().await;
    let id = bench.create("a").await;
    bench.store.claim("t", MANY).await.unwrap().unwrap();
    assert_eq!(bench.store.pause(&id).await.unwrap().state, State::Pausing);
    assert!(matches!(bench.store.lease(&id, "t").await, Err(Error::WrongState { .. })));
    assert_eq!(bench.lose(&id, "t", 5).await, Released::Paused);
}

#[tokio::test]
async fn after_a_restart_a_job_that_was_being_paused_rests() {
    let bench = Bench::new().await;
    let id = bench.running("a", "t").await;
    bench.store.pause(&id).await.unwrap();
    assert!(bench.store.recover().await.unwrap().is_empty());
    assert_eq!(bench.state(&id).await, State::Paused);
    bench.store.cancel(&id).await.unwrap();
    assert!(matches!(bench.store.pause(&id).await, Err(Error::WrongState { .. })));
}

#[tokio::test]
async fn lower_numbers_begin_first_and_a_tenant_has_no_more_workers_and_places_than_its_share() {
    let bench = Bench::new().await;
    let create = async |id: &str, tenant: &str, priority| {
        let new = NewJob { tenant: tenant.into(), priority, ..new_job(id) };
        bench.store.create(new, Room { of_tenant: 3, ..ROOM }).await
    };
    for (id, tenant, priority) in [("a", "x", 0), ("b", "x", 0), ("c", "y", 5), ("d", "x", -1)] {
        create(id, tenant, priority).await.unwrap();
    }
    assert!(matches!(create("e", "x", 0).await, Err(Error::TenantQueueFull { limit: 3 })));
    create("f", "y", 0).await.unwrap();
    let mut begun = Vec::new();
    for token in ["1", "2", "3", "4"] {
        if let Some(claim) = bench.store.claim(token, 1).await.unwrap() {
            begun.push(claim.id.as_str().to_owned());
        }
    }
    assert_eq!(begun, ["d", "f"], "one of each tenant, the first of each");
    assert_eq!(bench.store.get(&JobId::parse("c").unwrap()).await.unwrap().queue_position, 5);
    bench.store.lease(&JobId::parse("d").unwrap(), "1").await.unwrap();
    bench.store.cancel(&JobId::parse("d").unwrap()).await.unwrap();
    assert_eq!(bench.store.claim("5", 1).await.unwrap().unwrap().id.as_str(), "a");
}
