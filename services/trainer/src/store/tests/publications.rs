//! What the store keeps of a publication: enough for the next worker, and for taking it back.

use super::*;

const RESULT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

/// A job that publishes, with a worker whose token is "t" and whose result is stored.
async fn publishing(bench: &Bench, id: &str) -> JobId {
    let spec = proto::TrainingSpec { publication: Some(proto::Publication::default()), ..supervised() };
    let resolved = Resolved { publication_digest: "held".into(), ..Resolved::default() };
    bench.store.create(NewJob { spec, resolved, ..new_job(id) }, ROOM).await.unwrap();
    bench.store.claim("t", MANY).await.unwrap();
    let id = JobId::parse(id).unwrap();
    bench.store.lease(&id, "t").await.unwrap();
    let stored = Event::ResultStored(proto::TrainingResultStored { digest: RESULT.into() });
    let result = proto::PublicationResult { canary_generation: 2, ..Default::default() };
    bench.store.report(&id, "t", report(1, vec![stored, Event::Publication(result)])).await.unwrap();
    id
}

async fn to_take_back(bench: &Bench) -> Vec<JobId> {
    bench.store.withdrawals(10).await.unwrap().into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn the_next_worker_hears_of_the_result_and_of_how_far_its_publication_has_come() {
    let bench = Bench::new().await;
    let id = publishing(&bench, "a").await;
    assert_eq!(bench.lose(&id, "t", 2).await, Released::Requeued);
    bench.store.claim("u", MANY).await.unwrap();
    let lease = bench.store.lease(&id, "u").await.unwrap();
    assert_eq!(lease.job.stalled, 1, "a stored result is progress");
    let job = proto::LeaseJobResponse::from(lease).training_job.unwrap();
    assert_eq!(job.result_digest, RESULT);
    assert_eq!(job.publication_result.unwrap().canary_generation, 2);
    assert_eq!(job.spec.unwrap().publication.unwrap().dataset, "held");
}

#[tokio::test]
async fn what_a_cancelled_job_publishes_is_taken_back_once_its_worker_is_gone_and_then_it_can_be_forgotten() {
    let bench = Bench::new().await;
    let id = publishing(&bench, "a").await;
    bench.store.cancel(&id).await.unwrap();
    assert!(to_take_back(&bench).await.is_empty(), "its worker may still publish");
    bench.lose(&id, "t", 2).await;
    assert_eq!(to_take_back(&bench).await, std::slice::from_ref(&id));
    assert!(matches!(bench.store.delete(&id).await, Err(Error::WrongState { .. })));
    let job = bench.store.get(&id).await.unwrap();
    let result = proto::PublicationResult { reason: "cancelled".into(), ..Default::default() };
    bench.store.withdrawn(&job, &result).await.unwrap();
    assert!(to_take_back(&bench).await.is_empty());
    assert_eq!(bench.store.get(&id).await.unwrap().publication, Some(result));
    bench.store.delete(&id).await.unwrap();
}

#[tokio::test]
async fn a_job_that_fails_after_its_training_is_taken_back_and_one_that_succeeds_is_not() {
    let bench = Bench::new().await;
    let id = publishing(&bench, "a").await;
    assert_eq!(bench.lose(&id, "t", 0).await, Released::Failed);
    assert_eq!(to_take_back(&bench).await, [id]);
    let id = publishing(&bench, "b").await;
    let outcome = Some(Outcome::Succeeded { result_digest: RESULT.into() });
    bench.store.report(&id, "t", Report { outcome, ..report(3, vec![]) }).await.unwrap();
    bench.lose(&id, "t", 2).await;
    assert_eq!(to_take_back(&bench).await.len(), 1);
}

#[tokio::test]
async fn a_restart_ends_the_lease_of_a_cancelled_job_too() {
    let bench = Bench::new().await;
    let id = publishing(&bench, "a").await;
    bench.store.cancel(&id).await.unwrap();
    bench.store.recover().await.unwrap();
    assert_eq!(to_take_back(&bench).await, [id]);
}
