//! Artifacts after their commit: listed, deleted when nothing needs them, and read again to the last bit.
use rootstock_artifacts::{Cache, Digest};
use rootstock_client::proto::checkpoint::v1::ListArtifactsRequest;
use rootstock_client::{ClientError, ErrorReason, Expect, Kind, Progress};

use super::files::{adapter, base_model, dataset, with_file};
use super::harness::{eventually, reason, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_something_needs_is_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let base = server.commit(base_model(8)).await.unwrap().digest;
    let version = server.commit(adapter(&base, 8, 1)).await.unwrap().digest;
    let newer = server.commit(adapter(&base, 8, 2)).await.unwrap().digest;
    server.client.set_alias("adapters/a", &version, Expect::Absent).await.unwrap();
    let error = server.client.delete_artifact(&version).await.unwrap_err();
    assert!(error.is(ErrorReason::InUse) && error.message.contains("adapters/a"), "{error}");
    let error = server.client.delete_artifact(&base).await.unwrap_err();
    assert!(error.is(ErrorReason::InUse) && error.message.contains("the base of"), "{error}");
    server.client.set_alias("adapters/a", &newer, Expect::Any).await.unwrap();
    assert!(server.client.delete_artifact(&version).await.unwrap() > 0);
    assert_eq!(reason(server.client.delete_artifact(&version).await), ErrorReason::NotFound);
    assert_eq!(reason(server.client.get_artifact(&version).await), ErrorReason::NotFound);
    server.client.verify_artifact(&newer).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_committed_again_is_the_newest_version_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let commit =
        async |text: &str, name: &str| server.commit(dataset(text).parent(name)).await.unwrap().digest;
    let (a, b) = (commit("a", "datasets/one").await, commit("b", "datasets/one").await);
    let listed = async |name: &str| {
        let listed = server.client.list_artifacts(Some(name), None).await.unwrap();
        listed.into_iter().map(|artifact| artifact.digest).collect::<Vec<_>>()
    };
    assert_eq!(listed("datasets/one").await, [&*b, &*a]);
    commit("a", "datasets/one").await;
    assert_eq!(listed("datasets/one").await, [&*a, &*b]);
    // What another name got last is no older for what this one had before.
    let c = commit("c", "datasets/two").await;
    commit("a", "datasets/two").await;
    assert_eq!(listed("datasets/two").await, [&*a, &*c]);
    assert_eq!(listed("datasets/one").await, [&*a, &*b]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_frees_the_blobs_that_nothing_else_needs() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let before = server.stored_files();
    let one = server.commit(with_file(dataset("one"), "shared.txt", "shared")).await.unwrap();
    let two = server.commit(with_file(dataset("two"), "shared.txt", "shared")).await.unwrap();
    assert_eq!(server.stored_files().len(), before.len() + 3, "the shared file lies there once");
    let rows = one.blobs.iter().find(|blob| blob.path == "rows.jsonl").unwrap();
    assert_eq!(server.client.delete_artifact(&one.digest).await.unwrap(), rows.size_bytes);
    server.client.verify_artifact(&two.digest).await.unwrap();
    // A client that was told that the file is there may build on it.
    let shared: Digest =
        two.blobs.iter().find(|blob| blob.path == "shared.txt").unwrap().digest.parse().unwrap();
    assert_eq!(server.client.find_missing_blobs(&[shared]).await.unwrap(), []);
    let freed = server.client.delete_artifact(&two.digest).await.unwrap();
    assert_eq!(freed, two.size_bytes - 6);
    let three = server.commit(with_file(dataset("three"), "shared.txt", "shared")).await.unwrap();
    server.client.verify_artifact(&three.digest).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_beside_commits_never_leave_an_artifact_without_its_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let digest = server.commit(dataset("contended")).await.unwrap().digest;
    let deleting = {
        let (client, digest) = (server.client.clone(), digest.clone());
        tokio::spawn(async move {
            let mut deleted = 0;
            while deleted < 25 {
                match client.delete_artifact(&digest).await {
                    Ok(_) => deleted += 1,
                    Err(error) => assert!(error.is(ErrorReason::NotFound), "{error:?}"),
                }
            }
        })
    };
    let mut commits = 0;
    while !deleting.is_finished() {
        match server.commit(dataset("contended")).await {
            Ok(_) => commits += 1,
            Err(error) => assert!(error.is(ErrorReason::BlobMissing), "{error:?}"),
        }
    }
    deleting.await.unwrap();
    assert!(commits >= 24, "{commits}");
    server.commit(dataset("contended")).await.unwrap();
    server.client.verify_artifact(&digest).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_on_disk_is_found_by_every_reader() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let text = "x".repeat(3 << 20);
    let artifact = server.commit(with_file(dataset("beside"), "big.txt", text)).await.unwrap();
    assert_eq!(server.client.verify_artifact(&artifact.digest).await.unwrap(), artifact.size_bytes);
    let blob = artifact.blobs.iter().find(|blob| blob.path == "big.txt").unwrap();
    let path = server.blob_path(&blob.digest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1_234_567] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(reason(server.client.verify_artifact(&artifact.digest).await), ErrorReason::Corrupt);
    let digest = blob.digest.parse().unwrap();
    assert_eq!(reason(server.client.read_blob(&digest, 4 << 20).await), ErrorReason::Corrupt);
    let cache = Cache::open(dir.path().join("cache"), 1 << 30).unwrap();
    let fetched = server.client.fetch_artifact(&artifact.digest, &cache, &Progress::none()).await;
    assert_eq!(reason(fetched), ErrorReason::Corrupt);
    assert_eq!(cache.path(&digest), None, "the damage does not spread");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        reason(server.client.verify_artifact(&artifact.digest).await),
        ErrorReason::Corrupt,
        "or is gone"
    );
    assert!(server.metrics.encode().unwrap().contains("rootstock_checkpoint_corrupt_total"));
    assert_eq!(reason(server.client.verify_artifact("sha256:1").await), ErrorReason::InvalidField);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_blob_is_read_as_asked() {
    use rootstock_client::proto::checkpoint::v1::ReadBlobRequest;
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let artifact = server.commit(with_file(dataset("beside"), "a.txt", "0123456789")).await.unwrap();
    let digest = &artifact.blobs.iter().find(|blob| blob.path == "a.txt").unwrap().digest;
    let read = async |offset, limit| {
        let request = ReadBlobRequest { digest: digest.clone(), offset, limit };
        let mut stream =
            server.client.raw().read_blob(request).await.map_err(ClientError::from)?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.message().await? {
            assert_eq!(piece.offset, offset + bytes.len() as i64);
            bytes.extend_from_slice(&piece.data);
        }
        Ok::<_, ClientError>(String::from_utf8(bytes).unwrap())
    };
    assert_eq!(read(0, 0).await.unwrap(), "0123456789");
    assert_eq!(read(3, 4).await.unwrap(), "3456");
    assert_eq!(read(8, 100).await.unwrap(), "89");
    assert_eq!(read(10, 0).await.unwrap(), "");
    assert_eq!(read(11, 0).await.unwrap_err().field.as_deref(), Some("offset"));
    assert_eq!(read(-1, 0).await.unwrap_err().field.as_deref(), Some("offset"));
    assert_eq!(read(0, -1).await.unwrap_err().field.as_deref(), Some("limit"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_listed_newest_first_in_pages_that_ignore_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut digests = Vec::new();
    for index in 0..5 {
        digests.push(server.commit(dataset(&index.to_string())).await.unwrap().digest);
    }
    digests.reverse();
    let mut listed = Vec::new();
    let mut request = ListArtifactsRequest { page_size: 2, ..ListArtifactsRequest::default() };
    loop {
        let page = server.client.raw().list_artifacts(request.clone()).await.unwrap().into_inner();
        assert!(page.artifacts.len() <= 2);
        listed.extend(page.artifacts.into_iter().map(|artifact| artifact.digest));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
        server.commit(dataset(&format!("later {}", listed.len()))).await.unwrap();
    }
    assert_eq!(listed, digests);
    assert_eq!(server.client.list_artifacts(None, Some(Kind::Adapter)).await.unwrap(), []);
    let refused = async |request| {
        server
            .client
            .raw()
            .list_artifacts(request)
            .await
            .map_err(ClientError::from)
            .unwrap_err()
            .field
            .unwrap()
    };
    let other = ListArtifactsRequest { page_token: "00".into(), ..request.clone() };
    assert_eq!(refused(other).await, "page_token");
    assert_eq!(refused(ListArtifactsRequest { kind: 77, ..request.clone() }).await, "kind");
    assert_eq!(refused(ListArtifactsRequest { parent: "x".into(), ..request }).await, "parent");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_a_crash_cut_short_is_completed_by_the_sweep() {
    use rootstock_artifacts::faults::{Fault, Point};
    use rootstock_checkpoint::Config;
    use std::time::Duration;

    use super::harness::start_with;
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let before = server.stored_files();
    let artifact = server.commit(dataset("going")).await.unwrap();
    server.faults.arm(Point::CollectBlobs, 0, Fault::Crash);
    assert!(server.client.delete_artifact(&artifact.digest).await.is_err());
    let image = server.kill().await;
    let eager = Config {
        upload_expiry: Duration::from_millis(10),
        sweep_interval: Duration::from_millis(10),
        ..Config::default()
    };
    let server = start_with(image.path(), eager).await;
    assert_eq!(reason(server.client.get_artifact(&artifact.digest).await), ErrorReason::NotFound);
    eventually("its blobs are gone", async || server.stored_files() == before).await;
    server.stop().await;
}
