//! What a job goes on with of the one before it is found, and stays until nobody needs it.

use super::*;
use crate::spec::Spec;

/// What the job before has made.
const RESULT: &str = "sha256:made";

/// A job that goes on with an adapter and the optimizer that made it.
fn going_on(optim: proto::Optimizer) -> Spec {
    let start = proto::training_spec::Start::BaseAdapter("adapters/greeter".into());
    let arguments = proto::TrainingArguments { optim: optim.into(), ..Default::default() };
    let written = proto::TrainingSpec {
        start: Some(start),
        keep_optimizer_state: true,
        arguments: Some(arguments),
        ..supervised()
    };
    Spec::try_from(&written).unwrap()
}

fn from_result() -> Resolved {
    Resolved { adapter_digest: RESULT.into(), base_digest: "sha256:base".into(), ..Resolved::default() }
}

/// A job that saved these states and made the result after step 8.
async fn maker(bench: &Bench, id: &str, states: &[i64]) -> JobId {
    let id = bench.running(id, "t").await;
    let events = states.iter().map(|step| saved(*step)).chain([progress(8)]).collect();
    let outcome = Some(Outcome::Succeeded { result_digest: RESULT.into() });
    bench.store.report(&id, "t", Report { first_sequence: 1, events, outcome }).await.unwrap();
    id
}

fn digest(step: i64) -> String {
    format!("sha256:{step:064}")
}

#[tokio::test]
async fn a_job_goes_on_with_the_last_state_of_the_job_that_made_its_start_and_both_keep_it() {
    let bench = Bench::new().await;
    let before = maker(&bench, "a", &[4, 8]).await;
    let spec = going_on(proto::Optimizer::Adamw);
    let mut resolved = from_result();
    resolved.optimizer_digest = bench.store.optimizer_state(&spec, &resolved).await.unwrap();
    assert_eq!(resolved.optimizer_digest, digest(8));
    let new = NewJob { resolved, ..new_job("b") };
    let Created::New(next) = bench.store.create(new, ROOM).await.unwrap() else { panic!("was there") };
    bench.store.delete(&before).await.unwrap();
    assert_eq!(bench.store.discarded(9).await.unwrap(), [digest(4)]);
    assert_eq!(bench.store.get(&next.id).await.unwrap().resolved.optimizer_digest, digest(8));
    bench.store.cancel(&next.id).await.unwrap();
    bench.store.delete(&next.id).await.unwrap();
    assert_eq!(bench.store.discarded(9).await.unwrap(), [digest(4), digest(8)]);
}

#[tokio::test]
async fn a_state_that_is_gone_too_early_or_of_another_optimizer_is_refused() {
    let bench = Bench::new().await;
    let refused = async |optim, words: &str| {
        let found = bench.store.optimizer_state(&going_on(optim), &from_result()).await;
        let Err(Error::Invalid { field, message }) = found else { panic!("{found:?}") };
        assert_eq!(field, "spec.keep_optimizer_state");
        assert!(message.contains(words), "{message}");
    };
    refused(proto::Optimizer::Adamw, "no job is known that made sha256:made").await;
    let early = maker(&bench, "a", &[4]).await;
    refused(
        proto::Optimizer::Adamw,
        "trainingJobs/a made sha256:made and has no state after its last step, 8",
    )
    .await;
    bench.store.delete(&early).await.unwrap();
    maker(&bench, "b", &[8]).await;
    refused(proto::Optimizer::Lion, "trained with adamw_torch, whose state is nothing to lion_32bit").await;
    let fresh = Spec { keep_optimizer_state: false, ..going_on(proto::Optimizer::Lion) };
    assert_eq!(bench.store.optimizer_state(&fresh, &from_result()).await.unwrap(), "");
}
