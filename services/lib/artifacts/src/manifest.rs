//! The manifest of an artifact: what it is made of, and the digest that names it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Kind};

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobRef {
    /// The file's name.
    pub path: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// What an artifact is made of. Its digest is the artifact's name; where the artifact is listed (its parent) and when
/// it came are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// Its files; their order does not matter.
    pub blobs: Vec<BlobRef>,
    /// The base model's artifact, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_digest: Option<Digest>,
    /// The digest of tokenizer, chat template and special tokens, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer_digest: Option<Digest>,
    /// Free text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The bytes that are hashed: JSON without white space, keys in the order of the fields, files ordered by path,
    /// annotations ordered by key, absent values left out.
    pub fn canonical_json(&self) -> Vec<u8> {
        let mut ordered = self.clone();
        ordered.blobs.sort();
        serde_json::to_vec(&ordered).expect("a manifest has only string keys and plain values")
    }

    /// The digest that names the artifact.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical_json())
    }

    /// Size of all files together, in bytes.
    pub fn size(&self) -> u64 {
        self.blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size))
    }

    /// The file of this name.
    pub fn blob(&self, path: &str) -> Option<&BlobRef> {
        self.blobs.iter().find(|blob| blob.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let blob = |path: &str| BlobRef { path: path.into(), digest: Digest::of(path.as_bytes()), size: 3 };
        Manifest {
            kind: Kind::Tokenizer,
            blobs: vec![blob("b"), blob("a")],
            base_digest: None,
            tokenizer_digest: None,
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn the_order_of_files_does_not_change_the_digest() {
        let mut turned = manifest();
        turned.blobs.reverse();
        assert_eq!(turned.digest(), manifest().digest());
        assert_eq!(manifest().size(), 6);
    }

    #[test]
    fn the_canonical_form_stays_as_it_is() {
        let json = String::from_utf8(manifest().canonical_json()).unwrap();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let expected = format!(
            r#"{{"kind":"tokenizer","blobs":[{{"path":"a","digest":"{a}","size":3}},{{"path":"b","digest":"{b}","size":3}}]}}"#
        );
        assert_eq!(json, expected, "a change here gives every stored artifact another name");
    }

    #[test]
    fn everything_but_the_order_counts() {
        let mut digests = vec![manifest().digest()];
        let mut change = |edit: fn(&mut Manifest)| {
            let mut changed = manifest();
            edit(&mut changed);
            digests.push(changed.digest());
        };
        change(|m| m.kind = Kind::Dataset);
        change(|m| m.blobs[0].path = "c".into());
        change(|m| m.blobs[0].size = 4);
        change(|m| m.base_digest = Some(Digest::of(b"base")));
        change(|m| m.tokenizer_digest = Some(Digest::of(b"base")));
        change(|m| drop(m.annotations.insert("k".into(), "v".into())));
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }
}
