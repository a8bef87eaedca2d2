//! Bytes in and out: cut anywhere, sent wrongly, on a full disk, over a bad link.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use rootstock_artifacts::faults::{Fault, Point};
use rootstock_artifacts::{Cache, Digest};
use rootstock_checkpoint::Config;
use rootstock_client::proto::checkpoint::v1::{
    Artifact, ArtifactKind, BlobEntry, UploadBlobRequest, WriteBlobRequest, WriteBlobResponse,
};
use rootstock_client::{ClientError, ErrorReason, Progress};

use super::files::{dataset, with_file};
use super::harness::{Running, clients, eventually, reason, start, start_with};
use super::proxy::Proxy;

fn chunk(blob: &[u8], range: std::ops::Range<usize>) -> WriteBlobRequest {
    WriteBlobRequest {
        digest: Digest::of(blob).to_string(),
        total_bytes: blob.len() as i64,
        offset: range.start as i64,
        data: blob[range].to_vec().into(),
    }
}

async fn write(server: &Running, request: WriteBlobRequest) -> Result<WriteBlobResponse, ClientError> {
    Ok(server.client.raw().write_blob(request).await?.into_inner())
}

/// Bytes that compress badly and repeat late.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_resumes_at_any_byte_after_a_cut() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    for cut in [1, 7, 4095, 4096, 9_999] {
        let blob = [noise(10_000), vec![cut as u8]].concat();
        let digest = Digest::of(&blob);
        let WriteBlobRequest { digest: text, total_bytes, offset, data } = chunk(&blob, 0..cut);
        let first = UploadBlobRequest { digest: text, total_bytes, offset, data };
        // The stream never ends by itself; hanging up is the cut.
        let hanging = stream::iter([first]).chain(stream::pending());
        let mut raw = server.client.raw();
        let call = tokio::spawn(async move { raw.upload_blob(hanging).await });
        eventually("the chunk is durable", async || {
            let status = server.client.query_write_status(&digest).await.unwrap();
            assert!(!status.complete);
            status.committed_bytes == cut as i64
        })
        .await;
        call.abort();
        let rest = write(&server, chunk(&blob, cut..blob.len())).await.unwrap();
        assert_eq!(rest, WriteBlobResponse { committed_bytes: blob.len() as i64, complete: true });
        assert_eq!(server.client.read_blob(&digest, 1 << 20).await.unwrap(), blob);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_wrong_is_refused_with_its_reason_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let before = server.stored_files();
    let blob = noise(100);
    let request = chunk(&blob, 0..100);
    let wrong = |edit: fn(&mut WriteBlobRequest)| {
        let mut edited = request.clone();
        edit(&mut edited);
        edited
    };
    let field = async |request| {
        let error = write(&server, request).await.unwrap_err();
        assert!(error.is(ErrorReason::InvalidField), "{error:?}");
        error.field.unwrap()
    };
    assert_eq!(
        reason(write(&server, wrong(|r| r.offset = 1)).await),
        ErrorReason::InvalidField,
        "beyond the end"
    );
    assert_eq!(
        reason(write(&server, chunk(&blob, 10..100)).await),
        ErrorReason::WrongOffset,
        "nothing is there to go on from"
    );
    assert_eq!(
        reason(write(&server, wrong(|r| r.data = vec![0; 100].into())).await),
        ErrorReason::DigestMismatch
    );
    assert_eq!(field(wrong(|r| r.digest = "sha256:1".into())).await, "digest");
    assert_eq!(field(wrong(|r| r.total_bytes = 99)).await, "total_bytes");
    assert_eq!(field(wrong(|r| r.total_bytes = -1)).await, "total_bytes");
    assert_eq!(field(wrong(|r| r.offset = -1)).await, "offset");
    assert_eq!(field(wrong(|r| r.data = vec![0; (1 << 20) + 1].into())).await, "data");
    let empty = server.client.raw().upload_blob(stream::empty()).await.map_err(ClientError::from);
    assert_eq!(reason(empty), ErrorReason::InvalidField);
    assert_eq!(server.stored_files(), before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_upload_is_no_blob_and_cannot_be_committed() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let blob = noise(100);
    assert!(!write(&server, chunk(&blob, 0..60)).await.unwrap().complete);
    let digest = Digest::of(&blob);
    assert_eq!(server.client.find_missing_blobs(&[digest]).await.unwrap(), [digest]);
    assert_eq!(reason(server.client.read_blob(&digest, 1000).await), ErrorReason::NotFound);
    let blobs = vec![BlobEntry { path: "a.txt".into(), digest: digest.to_string(), size_bytes: 100 }];
    let artifact = Artifact { kind: ArtifactKind::Dataset.into(), blobs, ..Artifact::default() };
    let error = server.client.commit_artifact(artifact.clone(), false).await.unwrap_err();
    assert!(error.is(ErrorReason::BlobMissing) && error.message.contains("a.txt"), "{error}");
    write(&server, chunk(&blob, 60..100)).await.unwrap();
    let mut other_size = artifact;
    other_size.blobs[0].size_bytes = 99;
    let error = server.client.commit_artifact(other_size, false).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("artifact.blobs[0].size_bytes"));
    assert_eq!(server.client.list_artifacts(None, None).await.unwrap(), []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_upload_and_leaves_the_store_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    server.commit(dataset("kept")).await.unwrap();
    let before = server.stored_files();
    let points =
        [Point::CreateSpool, Point::WriteChunk, Point::SyncChunk, Point::VerifyDigest, Point::PublishBlob];
    for point in points {
        server.faults.arm(point, 0, Fault::DiskFull);
        let error = server.commit(dataset("no room for this")).await.unwrap_err();
        assert!(error.is(ErrorReason::StoreFull), "{point:?}: {error}");
        assert!(error.retry_after.is_some() && error.message.contains("rows.jsonl"), "{error:?}");
        assert_eq!(server.stored_files(), before, "{point:?}");
    }
    for point in [Point::BeforeCommit, Point::WithinCommit] {
        server.faults.arm(point, 0, Fault::DiskFull);
        assert_eq!(reason(server.commit(dataset("no room for this")).await), ErrorReason::StoreFull);
        assert_eq!(server.client.list_artifacts(None, None).await.unwrap().len(), 1, "{point:?}");
    }
    server.commit(dataset("no room for this")).await.unwrap();
    assert_eq!(server.client.list_artifacts(None, None).await.unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_in_flight_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with(dir.path(), Config { max_uploads: 1, ..Config::default() }).await;
    let (first, second) = (noise(100), noise(101));
    write(&server, chunk(&first, 0..50)).await.unwrap();
    let error = write(&server, chunk(&second, 0..50)).await.unwrap_err();
    assert!(error.is(ErrorReason::Overloaded) && error.retry_after.is_some());
    write(&server, chunk(&first, 50..100)).await.unwrap();
    write(&server, chunk(&second, 0..101)).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_restart_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let blob = noise(1000);
    let server = start(dir.path()).await;
    write(&server, chunk(&blob, 0..600)).await.unwrap();
    server.stop().await;
    let server = start(dir.path()).await;
    let status = server.client.query_write_status(&Digest::of(&blob)).await.unwrap();
    assert_eq!((status.committed_bytes, status.complete), (600, false));
    assert!(write(&server, chunk(&blob, 600..1000)).await.unwrap().complete);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_over_a_link_that_is_cut_again_and_again_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    // Each connection lasts for two chunks or a little more.
    let proxy = Proxy::start(server.address, 1_300_000).await;
    let client = clients(proxy.address).checkpoint();
    let text: String = noise(12 << 20).into_iter().map(|byte| char::from(b' ' + byte % 64)).collect();
    let draft = with_file(dataset("beside it"), "big.txt", text.clone());

    let largest = Arc::new(AtomicU64::new(0));
    let seen = largest.clone();
    let progress = Progress::new(move |transfer| {
        assert!(transfer.done_bytes <= transfer.total_bytes);
        seen.fetch_max(transfer.done_bytes, Ordering::Relaxed);
    });
    let artifact = client.upload_artifact(draft, &progress).await.unwrap();
    let up = proxy.cuts();
    assert!(up >= 8, "only {up} cuts");
    assert_eq!(largest.load(Ordering::Relaxed), artifact.size_bytes as u64);

    let cache = Cache::open(dir.path().join("cache"), 1 << 30).unwrap();
    let fetched = client.fetch_artifact("datasets/rows", &cache, &Progress::none()).await;
    assert_eq!(reason(fetched), ErrorReason::NotFound, "a version alone makes no alias");
    let fetched = client.fetch_artifact(artifact.digest.clone(), &cache, &Progress::none()).await.unwrap();
    assert!(proxy.cuts() >= up + 8, "only {} cuts", proxy.cuts() - up);
    assert_eq!(std::fs::read_to_string(fetched.path("big.txt").unwrap()).unwrap(), text);
    let plain = dir.path().join("plain");
    fetched.materialize(&cache, &plain).unwrap();
    assert!(std::fs::read_to_string(plain.join("rows.jsonl")).unwrap().contains("beside it"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_goes_on_with_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let impatient = Config {
        upload_expiry: Duration::from_millis(50),
        sweep_interval: Duration::from_millis(20),
        commit_grace: Duration::from_millis(50),
        ..Config::default()
    };
    let server = start_with(dir.path(), impatient).await;
    let before = server.stored_files();
    write(&server, chunk(&noise(100), 0..50)).await.unwrap();
    write(&server, chunk(&noise(99), 0..99)).await.unwrap();
    eventually("the upload and the blob without an artifact are gone", async || {
        server.stored_files() == before
    })
    .await;
    server.stop().await;
}
