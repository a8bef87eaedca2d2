//! The cache as its users see it: fill, lease, evict, resume.
use std::time::{Duration, SystemTime};

use super::*;

fn cache(max_bytes: u64) -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), max_bytes).unwrap();
    (dir, cache)
}

fn partial(cache: &Cache, bytes: &[u8]) -> Partial {
    match cache.fill(&Digest::of(bytes), bytes.len() as u64).unwrap() {
        Fill::Partial(partial) => partial,
        Fill::Present(lease) => panic!("{lease:?} is there already"),
    }
}

/// Makes a blob look as if it was used long ago.
fn age(cache: &Cache, digest: &Digest, seconds: u64) {
    let file = File::open(cache.path(digest).unwrap()).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_transfer_resumes_where_it_was_cut() {
    let (_dir, cache) = cache(100);
    let bytes = b"some weights";
    for cut in 0..bytes.len() {
        let mut first = partial(&cache, bytes);
        first.restart().unwrap();
        first.append(&bytes[..cut]).unwrap();
        drop(first);
        assert_eq!(partial(&cache, bytes).offset(), cut as u64);
    }
    let mut last = partial(&cache, bytes);
    let offset = last.offset() as usize;
    last.append(&bytes[offset..]).unwrap();
    assert!(last.is_complete());
    let lease = last.finish().unwrap();
    assert_eq!(std::fs::read(lease.path()).unwrap(), bytes);
}

#[test]
fn wrong_bytes_never_become_a_blob() {
    let (_dir, cache) = cache(100);
    let mut transfer = partial(&cache, b"right");
    transfer.append(b"wrong").unwrap();
    assert!(matches!(transfer.append(b"!"), Err(CacheError::TooLong { size: 5, .. })));
    assert!(matches!(transfer.finish(), Err(CacheError::Mismatch { .. })));
    assert_eq!(cache.path(&Digest::of(b"right")), None);
    assert_eq!(partial(&cache, b"right").offset(), 0, "the wrong bytes are gone");
}

#[test]
fn what_was_used_longest_ago_goes_first_and_leases_stay() {
    let (_dir, cache) = cache(10);
    let [old, middle, new] = [b"aaaa", b"bbbb", b"cccc"].map(|bytes| (Digest::of(bytes), bytes));
    drop(cache.insert(old.1).unwrap());
    drop(cache.insert(middle.1).unwrap());
    age(&cache, &old.0, 60);
    age(&cache, &middle.0, 30);
    let lease = cache.lease(&old.0).unwrap().unwrap();
    age(&cache, &old.0, 60);
    drop(cache.insert(new.1).unwrap());
    assert!(cache.path(&old.0).is_some(), "leased");
    assert!(cache.path(&middle.0).is_none(), "evicted");
    drop(lease);
    drop(cache.insert(middle.1).unwrap());
    assert!(cache.path(&old.0).is_none(), "evicted once the lease ended");
    assert_eq!(cache.bytes().unwrap(), 8);
}

#[test]
fn a_blob_without_room_is_refused_and_nothing_leased_is_lost() {
    let (_dir, cache) = cache(6);
    let lease = cache.insert(b"aaaa").unwrap();
    let error = cache.insert(b"bbbb").unwrap_err();
    assert!(matches!(error, CacheError::Full { needed: 4, max: 6, leased: 4 }), "{error}");
    assert_eq!(std::fs::read(lease.path()).unwrap(), b"aaaa");
}

#[test]
fn a_second_transfer_of_the_same_blob_waits_for_the_first() {
    let (_dir, cache) = cache(100);
    let mut first = partial(&cache, b"blob");
    let waiting = {
        let cache = cache.clone();
        std::thread::spawn(move || cache.fill(&Digest::of(b"blob"), 4).unwrap())
    };
    first.append(b"blob").unwrap();
    drop(first.finish().unwrap());
    assert!(matches!(waiting.join().unwrap(), Fill::Present(_)));
}

#[test]
fn blobs_show_up_as_a_directory() {
    let (dir, cache) = cache(100);
    let lease = cache.insert(b"{}").unwrap();
    let model = dir.path().join("model");
    for _ in 0..2 {
        cache.materialize(&model, [("config.json", &lease)]).unwrap();
    }
    assert_eq!(std::fs::read(model.join("config.json")).unwrap(), b"{}");
}

#[test]
fn a_blob_that_has_lost_its_end_comes_again() {
    let (_dir, cache) = cache(100);
    let bytes = b"some weights";
    let lease = cache.insert(bytes).unwrap();
    File::options().write(true).open(lease.path()).unwrap().set_len(3).unwrap();
    assert_eq!(partial(&cache, bytes).offset(), 0);
    assert_eq!(std::fs::read(cache.insert(bytes).unwrap().path()).unwrap(), bytes);
}
