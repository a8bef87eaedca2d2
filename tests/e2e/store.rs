//! The store killed in the middle of uploads and commits: what was committed stays, nothing is ever half there.
use std::time::Duration;

use rootstock_client::proto::checkpoint::v1::{Artifact, ArtifactKind, BlobEntry, WriteBlobRequest};
use rootstock_client::{ArtifactDraft, Clients, Digest, ErrorReason, Kind, Progress};
use rootstock_test_support::{Server, fixtures};

use crate::{ROOTSTOCK, refusal};

/// Text of some megabytes, different for each seed.
fn text(seed: usize) -> String {
    (0..40_000).map(|line| format!("line {line} of document {seed} says nothing of importance\n")).collect()
}

/// Data sets of two files each, one artifact after the other, until the server is gone.
async fn commit_until_killed(clients: Clients, committed: tokio::sync::mpsc::UnboundedSender<String>) {
    for seed in 0.. {
        let draft = ArtifactDraft::new(Kind::Dataset)
            .parent("datasets/many")
            .file("a.txt", text(seed))
            .file("b.txt", format!("the end of {seed}\n"));
        match clients.checkpoint().upload_artifact(draft, &Progress::none()).await {
            Ok(artifact) => committed.send(artifact.digest).unwrap(),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_killed_during_commits_has_whole_artifacts_or_none() {
    let mut server = Server::start(ROOTSTOCK).await;
    let mut promised = Vec::new();
    for round in 0..4_u64 {
        let clients = server.clients().with_deadline(Duration::from_secs(2));
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let writer = tokio::spawn(commit_until_killed(clients, sender));
        promised.push(receiver.recv().await.expect("the first commit succeeds"));
        // Somewhere in the next upload or commit; where exactly is a matter of the machine.
        tokio::time::sleep(Duration::from_millis(17 * (round + 1))).await;
        server.kill9(true).await;
        writer.await.unwrap();
        while let Ok(digest) = receiver.try_recv() {
            promised.push(digest);
        }
        server.start_again().await;
    }
    let checkpoint = server.clients().checkpoint();
    let listed = checkpoint.list_artifacts(Some("datasets/many"), Some(Kind::Dataset)).await.unwrap();
    for digest in &promised {
        assert!(
            listed.iter().any(|artifact| artifact.digest == *digest),
            "{digest} was promised and is lost"
        );
    }
    for artifact in &listed {
        assert_eq!(artifact.blobs.len(), 2);
        let verified = checkpoint.verify_artifact(&artifact.digest).await.unwrap();
        assert_eq!(verified, artifact.size_bytes, "every byte of a visible artifact is there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_crash_and_a_wrong_digest_leaves_nothing() {
    let mut server = Server::start(ROOTSTOCK).await;
    let bytes = text(0).into_bytes();
    let digest = Digest::of(&bytes);
    let chunk = |digest: &Digest, from: usize, to: usize| WriteBlobRequest {
        digest: digest.to_string(),
        total_bytes: i64::try_from(bytes.len()).unwrap(),
        offset: i64::try_from(from).unwrap(),
        data: bytes[from..to].to_vec().into(),
    };
    const HALF: usize = 300_000;
    let mut raw = server.clients().checkpoint().raw();
    raw.write_blob(chunk(&digest, 0, HALF)).await.unwrap();
    server.kill9(true).await;
    server.start_again().await;

    let checkpoint = server.clients().checkpoint();
    let status = checkpoint.query_write_status(&digest).await.unwrap();
    assert_eq!((status.committed_bytes, status.complete), (i64::try_from(HALF).unwrap(), false));
    assert_eq!(checkpoint.find_missing_blobs(&[digest]).await.unwrap(), [digest], "half a blob is no blob");
    let half = Artifact {
        kind: ArtifactKind::Dataset.into(),
        parent: "datasets/half".into(),
        blobs: vec![BlobEntry {
            path: "a.txt".into(),
            digest: digest.to_string(),
            size_bytes: i64::try_from(bytes.len()).unwrap(),
        }],
        ..Artifact::default()
    };
    let message = refusal(checkpoint.commit_artifact(half, false).await, ErrorReason::BlobMissing);
    assert!(message.contains("a.txt") || message.contains(&digest.to_string()), "{message}");
    let mut raw = checkpoint.raw();
    let gap = raw.write_blob(chunk(&digest, HALF + 10, HALF + 20)).await.map_err(Into::into);
    refusal(gap.map(tonic::Response::into_inner), ErrorReason::WrongOffset);
    let blob =
        checkpoint.upload_blob("a.txt", String::from_utf8(bytes.clone()).unwrap(), &Progress::none()).await;
    assert_eq!(blob.unwrap().digest, digest.to_string());

    let wrong = Digest::of(b"something else");
    let total = bytes.len();
    let mut offset = 0;
    let refused = loop {
        let end = (offset + (512 << 10)).min(total);
        match raw.write_blob(chunk(&wrong, offset, end)).await {
            Ok(_) => offset = end,
            Err(status) => break status.into(),
        }
    };
    refusal::<()>(Err(refused), ErrorReason::DigestMismatch);
    assert_eq!(checkpoint.find_missing_blobs(&[wrong]).await.unwrap(), [wrong]);
    assert_eq!(checkpoint.query_write_status(&wrong).await.unwrap().committed_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_never_share_a_data_directory() {
    let server = Server::start(ROOTSTOCK).await;
    let data = server.data_dir();
    let second = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ];
    let refused = rootstock_test_support::cli::run(ROOTSTOCK, &second, &[]).await.refused();
    assert!(refused.contains("another server uses") && refused.contains("--data"), "{refused}");
    fixtures::stage(&server.clients()).await;
}
