//! The promise that nothing committed is lost and nothing partial is visible: crashes at every step, in seeded rounds.
use std::time::{Duration, Instant};

use rootstock_artifacts::faults::{Fault, Point};
use rootstock_client::{ArtifactDraft, Expect};

use super::files::{dataset, with_file};
use super::harness::{files, start};

/// Rounds unless `ROOTSTOCK_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 66;
/// How long a store takes to recover, in the middle of all rounds: one round may meet a busy disk.
const RECOVERY: Duration = Duration::from_secs(2);

/// A draft whose large file takes several chunks.
fn draft(seed: u64) -> ArtifactDraft {
    let text = format!("{seed} ").repeat(700_000);
    with_file(with_file(dataset(&format!("round {seed}")), "large.txt", text), "small.txt", "the same in all")
}

/// A number from the seed, below `bound`.
fn below(seed: u64, salt: u64, bound: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 33) % bound
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_of_upload_and_commit_loses_nothing_and_shows_nothing_partial() {
    let rounds =
        std::env::var("ROOTSTOCK_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let points = &Point::ALL[..10];
    let mut struck = 0;
    let mut recoveries = Vec::new();
    for seed in 0..rounds {
        let point = points[(seed % points.len() as u64) as usize];
        let fault = if below(seed, 1, 2) == 0 { Fault::Crash } else { Fault::TornWrite };
        let passes = below(seed, 2, 3) as u32;
        let context = format!("seed {seed}: {fault:?} at {point:?} after {passes} passes");

        let dir = tempfile::tempdir().unwrap();
        let server = start(dir.path()).await;
        let kept = server.commit(dataset("kept")).await.unwrap();
        server.client.set_alias("datasets/kept", &kept.digest, Expect::Absent).await.unwrap();
        server.faults.arm(point, passes, fault);
        let answered = server.commit(draft(seed)).await;
        struck += u64::from(server.faults.crashed());
        let image = server.kill().await;

        let opened = Instant::now();
        let server = start(image.path()).await;
        recoveries.push(opened.elapsed());
        assert_eq!(
            server.client.get_artifact("datasets/kept").await.unwrap().digest,
            kept.digest,
            "{context}"
        );
        let listed = server.client.list_artifacts(None, None).await.unwrap();
        if let Ok(artifact) = &answered {
            assert!(listed.iter().any(|other| other.digest == artifact.digest), "{context}: lost");
        }
        for artifact in &listed {
            let verified = server.client.verify_artifact(&artifact.digest).await;
            assert_eq!(verified.ok(), Some(artifact.size_bytes), "{context}: partial");
        }
        assert!(listed.len() <= 2, "{context}");
        let again = server.commit(draft(seed)).await.unwrap();
        server.client.verify_artifact(&again.digest).await.unwrap();
        assert_eq!(server.client.list_artifacts(None, None).await.unwrap().len(), 2, "{context}");
        assert_eq!(files(&image.path().join("checkpoint/spool")), [], "{context}");
        server.stop().await;
    }
    recoveries.sort();
    assert!(recoveries[recoveries.len() / 2] < RECOVERY, "recovery takes {recoveries:?}");
    assert!(struck * 10 >= rounds * 6, "only {struck} of {rounds} rounds crashed");
}
