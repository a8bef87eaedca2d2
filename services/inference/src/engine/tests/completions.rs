//! Several completions of one request come in together or not at all, and leave one by one.

use super::*;

fn completions(rig: &Rig, count: usize) -> Vec<Job> {
    (0..count).map(|_| rig.job(&[1, 2], greedy(5))).collect()
}

#[tokio::test]
async fn completions_that_cannot_all_wait_are_all_refused() {
    for limits in [
        Limits { max_queued: 3, ..limits() },
        Limits { max_queued_per_tenant: 3, ..limits() },
        Limits { max_queued_tokens: 7, ..limits() },
    ] {
        let rig = Rig::new(Limits { max_running: 1, output_buffer: 5000, ..limits });
        let mut long = rig.submit(&[1], 4000);
        long.next().await.unwrap();
        let one = rig.submit(&[3, 4], 5);
        let refused = Failure::from(rig.engine.submit_all(completions(&rig, 3)).unwrap_err());
        assert_eq!(refused.reason, ErrorReason::Overloaded);
        // So many never fit, and so the answer isn't to come back later.
        let never = Failure::from(rig.engine.submit_all(completions(&rig, 40)).unwrap_err());
        assert_eq!((never.reason, never.retry_after), (ErrorReason::ExceedsLimit, None));
        // None of them has taken a place.
        let two = rig.engine.submit_all(completions(&rig, 2)).unwrap();
        drop(long);
        for output in two.into_iter().chain([one]) {
            assert_eq!(read(output).await.0.len(), 5);
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_all_its_completions() {
    let rig = Rig::new(Limits { max_running: 2, ..limits() });
    let jobs = (0..4).map(|_| rig.job(&[1, 2], greedy(3000))).collect();
    let mut outputs = rig.engine.submit_all(jobs).unwrap();
    outputs[0].next().await.unwrap();
    drop(outputs);
    eventually("all have ended", || rig.is_idle()).await;
}
