//! What requests may say, and how they are told what they may not.
use super::*;

fn artifact() -> proto::Artifact {
    let digest = Digest::of(b"x").to_string();
    let entry = proto::BlobEntry { path: "tokenizer.json".into(), digest, size_bytes: 1 };
    proto::Artifact {
        kind: proto::ArtifactKind::Tokenizer.into(),
        parent: "tokenizers/t".into(),
        blobs: vec![entry],
        ..proto::Artifact::default()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

fn refused_artifact(edit: impl FnOnce(&mut proto::Artifact)) -> String {
    let mut edited = artifact();
    edit(&mut edited);
    refused(Draft::try_from(edited))
}

#[test]
fn an_artifact_is_read_and_its_files_are_ordered() {
    let mut two = artifact();
    two.blobs.insert(0, proto::BlobEntry { path: "z".into(), ..two.blobs[0].clone() });
    let draft = Draft::try_from(two).unwrap();
    assert_eq!(draft.parent.unwrap().to_string(), "tokenizers/t");
    assert_eq!(draft.manifest.blobs[0].path, "tokenizer.json");
}

#[test]
fn each_wrong_field_of_an_artifact_is_named() {
    assert_eq!(refused_artifact(|a| a.kind = 0), "artifact.kind");
    assert_eq!(refused_artifact(|a| a.kind = 99), "artifact.kind");
    assert_eq!(refused_artifact(|a| a.parent = "adapters/a".into()), "artifact.parent");
    assert_eq!(refused_artifact(|a| a.parent = "../a".into()), "artifact.parent");
    assert_eq!(refused_artifact(|a| a.blobs.clear()), "artifact.blobs");
    assert_eq!(refused_artifact(|a| a.blobs = vec![a.blobs[0].clone(); MAX_FILES + 1]), "artifact.blobs");
    assert_eq!(refused_artifact(|a| a.blobs.push(a.blobs[0].clone())), "artifact.blobs[1].path");
    assert_eq!(refused_artifact(|a| a.blobs[0].path = "../x".into()), "artifact.blobs[0].path");
    assert_eq!(refused_artifact(|a| a.blobs[0].digest = "md5:1".into()), "artifact.blobs[0].digest");
    assert_eq!(refused_artifact(|a| a.blobs[0].size_bytes = -1), "artifact.blobs[0].size_bytes");
    assert_eq!(refused_artifact(|a| a.base_digest = "x".into()), "artifact.base_digest");
    assert_eq!(refused_artifact(|a| a.tokenizer_digest = "x".into()), "artifact.tokenizer_digest");
    let long = |bytes| "ü".repeat(bytes);
    assert_eq!(
        refused_artifact(|a| drop(a.annotations.insert(long(99), "v".into()))),
        "artifact.annotations"
    );
    assert_eq!(
        refused_artifact(|a| drop(a.annotations.insert("k".into(), long(4096)))),
        "artifact.annotations"
    );
    let many = (0..65).map(|i| (i.to_string(), String::new())).collect();
    assert_eq!(refused_artifact(|a| a.annotations = many), "artifact.annotations");
}

#[test]
fn an_etag_and_force_exclude_each_other() {
    let request = |etag: &str, force| proto::SetAliasRequest {
        name: "adapters/a".into(),
        digest: Digest::of(b"x").to_string(),
        etag: etag.into(),
        force,
        ..proto::SetAliasRequest::default()
    };
    let expect = |etag, force| AliasChange::try_from(request(etag, force)).unwrap().expect;
    assert_eq!(expect("", false), Expect::Absent);
    assert_eq!(expect("e", false), Expect::Etag("e".into()));
    assert_eq!(expect("", true), Expect::Any);
    assert_eq!(refused(AliasChange::try_from(request("e", true))), "etag");
    assert_eq!(refused(AliasChange::try_from(request(&"e".repeat(129), false))), "etag");
}

#[test]
fn a_canary_has_a_share_that_leaves_some_to_the_version() {
    let request = |share| proto::SetAliasRequest {
        name: "adapters/a".into(),
        digest: Digest::of(b"x").to_string(),
        canary: Some(proto::Canary { digest: Digest::of(b"y").to_string(), share }),
        ..proto::SetAliasRequest::default()
    };
    assert!(AliasChange::try_from(request(0.5)).is_ok());
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert_eq!(refused(AliasChange::try_from(request(share))), "canary.share");
    }
    let unknown = proto::SetAliasRequest { running_requests: 9, canary: None, ..request(0.5) };
    assert_eq!(refused(AliasChange::try_from(unknown)), "running_requests");
}

#[test]
fn only_collections_with_aliases_have_them() {
    assert_eq!(prefix("").unwrap(), None);
    assert_eq!(prefix("adapters/").unwrap(), Some(Kind::Adapter));
    for text in ["adapters", "adapters/a", "trainingStates/", "x/"] {
        assert_eq!(refused(prefix(text)), "prefix", "{text}");
    }
    assert_eq!(refused(alias_name("evaluations/e")), "name");
}

#[test]
fn later_messages_of_an_upload_may_repeat_the_first_but_not_change_it() {
    let upload = UploadOf { digest: Digest::of(b"x").to_string(), total_bytes: 7 };
    let message = |digest: &str, total_bytes| proto::UploadBlobRequest {
        digest: digest.into(),
        total_bytes,
        ..proto::UploadBlobRequest::default()
    };
    assert_eq!(upload.complete(message("", 0)).unwrap().total_bytes, 7);
    assert!(upload.complete(message(&upload.digest, 7)).is_ok());
    assert_eq!(refused(upload.complete(message("sha256:other", 0))), "digest");
    assert_eq!(refused(upload.complete(message("", 8))), "total_bytes");
}

#[test]
fn numbers_out_of_range_are_refused() {
    let chunk = |total_bytes, offset, bytes| {
        let digest = Digest::of(b"x").to_string();
        let data = vec![0; bytes].into();
        ChunkOf::try_from(proto::WriteBlobRequest { digest, total_bytes, offset, data }).map(|_| ())
    };
    assert!(chunk(10, 0, 10).is_ok());
    assert_eq!(refused(chunk(-1, 0, 1)), "total_bytes");
    assert_eq!(refused(chunk(1, -1, 1)), "offset");
    assert_eq!(refused(chunk(i64::MAX, 0, MAX_CHUNK_BYTES + 1)), "data");
    assert_eq!(refused(digests(&vec![Digest::of(b"x").to_string(); 1001])), "digests");
    assert_eq!(refused(digests(&[Digest::of(b"x").to_string(), "y".into()])), "digests[1]");
}
