//! The blob store as the service sees it: uploads cut anywhere, faults at every step, reads of damaged bytes.
use std::collections::HashSet;

use bytes::Bytes;

use super::*;
use crate::faults::{Fault, Point};

const BLOB: &[u8] = b"the bytes of a blob";

fn options(faults: &Faults) -> BlobStoreOptions {
    BlobStoreOptions { faults: faults.clone(), ..BlobStoreOptions::default() }
}

async fn open(dir: &Path, faults: &Faults) -> BlobStore {
    BlobStore::open(dir, options(faults)).await.unwrap()
}

fn chunk(blob: &[u8], offset: usize, len: usize) -> Chunk {
    let data = Bytes::copy_from_slice(&blob[offset..offset + len]);
    Chunk { digest: Digest::of(blob), total: blob.len() as u64, offset: offset as u64, data }
}

async fn upload(store: &BlobStore, blob: &[u8]) -> Result<UploadStatus, StoreError> {
    store.write(chunk(blob, 0, blob.len()), Sync::Now).await
}

/// All files below a directory with their sizes, but for empty folders.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.file_name().to_string_lossy().into(), entry.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

async fn none_needed(_: Vec<Digest>) -> Result<HashSet<Digest>, StoreError> {
    Ok(HashSet::new())
}

#[tokio::test]
async fn an_upload_resumes_at_any_byte_also_after_a_restart() {
    for cut in 0..=BLOB.len() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let store = open(dir.path(), &faults).await;
        if cut > 0 && cut < BLOB.len() {
            store.write(chunk(BLOB, 0, cut), Sync::Now).await.unwrap();
        }
        drop(store);
        let store = open(dir.path(), &faults).await;
        let status = store.status(&Digest::of(BLOB)).await.unwrap();
        let from = if cut == BLOB.len() { 0 } else { cut };
        assert_eq!(status, UploadStatus { durable: from as u64, complete: false });
        let status = store.write(chunk(BLOB, from, BLOB.len() - from), Sync::Now).await.unwrap();
        assert_eq!(status, UploadStatus { durable: BLOB.len() as u64, complete: true });
        assert_eq!(store.read_all(Digest::of(BLOB), 100).await.unwrap(), BLOB);
        assert_eq!(files(&dir.path().join(SPOOL)), []);
    }
}

#[tokio::test]
async fn a_chunk_sent_again_is_harmless_and_a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    let gap = store.write(chunk(BLOB, 4, 4), Sync::Now).await;
    assert!(matches!(gap, Err(StoreError::WrongOffset { expected: 0, got: 4 })));
    store.write(chunk(BLOB, 0, 8), Sync::Now).await.unwrap();
    assert_eq!(store.write(chunk(BLOB, 2, 4), Sync::Now).await.unwrap().durable, 8);
    assert_eq!(
        store.write(chunk(BLOB, 6, 4), Sync::Now).await.unwrap().durable,
        10,
        "only the new part counts"
    );
    assert!(matches!(
        store.write(chunk(BLOB, 11, 2), Sync::Now).await,
        Err(StoreError::WrongOffset { expected: 10, got: 11 })
    ));
    assert!(store.write(chunk(BLOB, 10, BLOB.len() - 10), Sync::Now).await.unwrap().complete);
    assert!(upload(&store, BLOB).await.unwrap().complete, "and so is a whole blob");
}

#[tokio::test]
async fn bytes_that_are_not_what_was_announced_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    let before = files(dir.path());
    let wrong = Chunk { data: Bytes::from_static(b"other bytes of blob"), ..chunk(BLOB, 0, 0) };
    assert!(matches!(store.write(wrong, Sync::Now).await, Err(StoreError::DigestMismatch { .. })));
    assert_eq!(files(dir.path()), before);
    assert_eq!(store.uploads(), 0);
    assert!(upload(&store, BLOB).await.unwrap().complete, "it can be sent again");
}

#[tokio::test]
async fn sizes_that_contradict_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    store.write(chunk(BLOB, 0, 4), Sync::Now).await.unwrap();
    let other = |offset: usize| Chunk { total: 10, ..chunk(BLOB, offset, 2) };
    assert!(matches!(store.write(other(4), Sync::Now).await, Err(StoreError::WrongTotal { .. })));
    assert!(matches!(
        store.write(other(9), Sync::Now).await,
        Err(StoreError::BeyondEnd { end: 11, total: 10 })
    ));
    assert_eq!(store.write(other(0), Sync::Now).await.unwrap().durable, 2, "at 0 it begins again");
    assert!(upload(&store, BLOB).await.unwrap().complete);
    assert!(matches!(store.write(other(0), Sync::Now).await, Err(StoreError::WrongTotal { .. })));
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    assert!(upload(&store, b"").await.unwrap().complete);
    assert_eq!(store.verify(Digest::of(b"")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_disk_or_a_crash_at_any_step_loses_nothing_that_was_promised() {
    for point in Point::ALL.into_iter().take(7) {
        for fault in [Fault::DiskFull, Fault::IoError, Fault::Crash, Fault::TornWrite] {
            let dir = tempfile::tempdir().unwrap();
            let faults = Faults::armable();
            let store = open(dir.path(), &faults).await;
            upload(&store, b"an earlier blob").await.unwrap();
            let before = files(dir.path());
            // The first chunk passes all points that a middle chunk passes once.
            faults.arm(point, 0, fault);
            let mut promised = 0;
            for (offset, len) in [(0, 5), (5, 5), (10, BLOB.len() - 10)] {
                match store.write(chunk(BLOB, offset, len), Sync::Now).await {
                    Ok(status) => promised = status.durable,
                    Err(error) => {
                        assert_eq!(fault == Fault::DiskFull, matches!(error, StoreError::Full), "{error}");
                        break;
                    }
                }
            }
            if fault == Fault::DiskFull && point != Point::CleanSpool {
                assert_eq!(files(dir.path()), before, "{point:?}: the store is as it was");
                promised = 0;
            }
            drop(store);
            let store = open(dir.path(), &Faults::default()).await;
            let status = store.status(&Digest::of(BLOB)).await.unwrap();
            assert!(
                status.durable >= promised,
                "{point:?} {fault:?}: {status:?} but {promised} were promised"
            );
            if !status.complete {
                let from = status.durable as usize;
                let rest = store.write(chunk(BLOB, from, BLOB.len() - from), Sync::Now).await.unwrap();
                assert!(rest.complete, "{point:?} {fault:?}");
            }
            store.verify(Digest::of(BLOB)).await.unwrap();
            store.verify(Digest::of(b"an earlier blob")).await.unwrap();
            assert_eq!(files(&dir.path().join(SPOOL)), [], "{point:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn bytes_that_the_disk_lost_are_asked_for_again() {
    for asked in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::armable();
        let store = open(dir.path(), &faults).await;
        let (digest, kept) = (Digest::of(BLOB), 3);
        store.write(chunk(BLOB, 0, kept), Sync::Now).await.unwrap();
        store.write(chunk(BLOB, kept, 4), Sync::Later).await.unwrap();
        faults.arm(Point::SyncChunk, 0, Fault::IoError);
        // Whoever meets the failure: the bytes before it may be lost, although the system won't tell of it again.
        let met = if asked {
            store.status(&digest).await
        } else {
            store.write(chunk(BLOB, kept + 4, 1), Sync::Now).await
        };
        assert!(met.is_err(), "{met:?}");
        let status = store.status(&digest).await.unwrap();
        assert_eq!(status, UploadStatus { durable: kept as u64, complete: false });
        let rest = store.write(chunk(BLOB, kept, BLOB.len() - kept), Sync::Now).await.unwrap();
        assert!(rest.complete);
    }
}

#[tokio::test]
async fn any_flipped_bit_is_found_before_the_last_byte_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    let digest = Digest::of(BLOB);
    upload(&store, BLOB).await.unwrap();
    let hex = digest.hex();
    let path = dir.path().join(BLOBS).join(&hex[..2]).join(&hex);
    for bit in 0..BLOB.len() * 8 {
        let mut damaged = BLOB.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(store.verify(digest).await, Err(StoreError::Corrupt(_))), "bit {bit}");
        let mut read = store.read(digest, 3, 2).await.unwrap();
        assert!(matches!(read.next().await, Err(StoreError::Corrupt(_))), "bit {bit}, outside the range too");
    }
    std::fs::write(&path, &BLOB[1..]).unwrap();
    assert!(matches!(store.verify(digest).await, Err(StoreError::Corrupt(_))), "a byte is missing");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(store.verify(digest).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_range_is_read_in_pieces_that_join() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    let blob: Vec<u8> = (0..(5 << 19)).map(|i: u32| (i % 251) as u8).collect();
    for (index, piece) in blob.chunks(MAX_CHUNK_BYTES).enumerate() {
        let offset = index * MAX_CHUNK_BYTES;
        store.write(chunk(&blob, offset, piece.len()), Sync::Later).await.unwrap();
    }
    for (offset, limit) in [(0, 0), (1, 0), (1 << 20, 1 << 20), (3, 7), ((1 << 20) - 1, 2), (blob.len(), 0)] {
        let mut read = store.read(Digest::of(&blob), offset as u64, limit as u64).await.unwrap();
        let end = if limit == 0 { blob.len() } else { offset + limit };
        let mut got = Vec::new();
        while let Some((at, piece)) = read.next().await.unwrap() {
            assert_eq!(at as usize, offset + got.len());
            got.extend_from_slice(&piece);
        }
        assert_eq!(got, &blob[offset..end]);
    }
    let beyond = store.read(Digest::of(&blob), blob.len() as u64 + 1, 0).await;
    assert!(matches!(beyond, Err(StoreError::OutOfRange { .. })));
}

#[tokio::test]
async fn the_number_of_uploads_is_bounded_and_abandoned_ones_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let bounded = BlobStoreOptions { max_uploads: 2, ..BlobStoreOptions::default() };
    let store = BlobStore::open(dir.path(), bounded).await.unwrap();
    for blob in [b"first", b"other"] {
        store.write(chunk(blob, 0, 2), Sync::Now).await.unwrap();
    }
    let third = store.write(chunk(b"third", 0, 2), Sync::Now).await;
    assert!(matches!(third, Err(StoreError::TooManyUploads(2))));
    assert_eq!(store.expire_uploads().await.unwrap(), 0, "they are young");
    drop(store);
    let busy = BlobStoreOptions { max_uploads: 2, idle: Duration::ZERO, ..BlobStoreOptions::default() };
    let store = BlobStore::open(dir.path(), busy).await.unwrap();
    store.write(chunk(b"first", 2, 1), Sync::Now).await.unwrap();
    store.write(chunk(b"third", 0, 2), Sync::Now).await.unwrap();
    assert_eq!(store.uploads(), 2, "the one idle for longest made room");
    assert_eq!(store.status(&Digest::of(b"first")).await.unwrap().durable, 3);
    assert_eq!(store.status(&Digest::of(b"other")).await.unwrap().durable, 0, "its client begins again");
    drop(store);
    let impatient =
        BlobStoreOptions { max_uploads: 2, expiry: Duration::ZERO, ..BlobStoreOptions::default() };
    let store = BlobStore::open(dir.path(), impatient).await.unwrap();
    assert_eq!((store.uploads(), files(&dir.path().join(SPOOL))), (0, vec![]));
}

#[tokio::test]
async fn only_what_nothing_needs_or_waits_for_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let impatient = BlobStoreOptions { expiry: Duration::ZERO, ..BlobStoreOptions::default() };
    let store = BlobStore::open(dir.path(), impatient).await.unwrap();
    let digest = Digest::of(BLOB);
    upload(&store, BLOB).await.unwrap();
    assert_eq!(store.sweep(none_needed).await.unwrap(), 0, "its commit is still to come");
    store.committed([digest]);
    let all_needed = |digests: Vec<Digest>| async { Ok::<_, StoreError>(HashSet::from_iter(digests)) };
    assert_eq!(store.sweep(all_needed).await.unwrap(), 0, "an artifact has it");
    let read = store.read(digest, 0, 0).await.unwrap();
    assert_eq!(store.collect(vec![digest], none_needed).await.unwrap(), 0, "it is being read");
    drop(read);
    assert_eq!(store.missing(&[digest]).await.unwrap(), []);
    assert_eq!(store.collect(vec![digest], none_needed).await.unwrap(), 0, "a client builds on it");
    store.committed([digest]);
    assert_eq!(store.sweep(none_needed).await.unwrap(), BLOB.len() as u64);
    assert_eq!(store.missing(&[digest]).await.unwrap(), [digest]);
}

#[tokio::test]
async fn several_senders_of_one_blob_help_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &Faults::default()).await;
    let senders = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for offset in 0..BLOB.len() {
                store.write(chunk(BLOB, offset, 1), Sync::Later).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    assert_eq!(store.verify(Digest::of(BLOB)).await.unwrap(), BLOB.len() as u64);
    assert_eq!(files(&dir.path().join(SPOOL)), []);
}
