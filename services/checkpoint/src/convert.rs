//! From the contract's messages to the domain and back: what is unchecked ends here.
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::SystemTime;

use rootstock_artifacts::blob_store::{Chunk, MAX_CHUNK_BYTES};
use rootstock_artifacts::check::{MAX_FILE_NAME_BYTES, MAX_FILES, check_file_name};
use rootstock_artifacts::{AliasName, BlobRef, Digest, Kind, Manifest};
use rootstock_client::checkpoint::{kind_from_proto, kind_to_proto};
use rootstock_proto::checkpoint::v1 as proto;
use rootstock_proto::common::v1::RunningRequests;

use crate::catalog::ArtifactFilter;
use crate::page::Page;
use crate::{Alias, AliasChange, Artifact, Canary, Draft, Error, Expect, Revision, Running, Target, Version};

/// Most digests in one question.
const MAX_DIGESTS: usize = 1000;
/// Most annotations of an artifact.
const MAX_ANNOTATIONS: usize = 64;
/// Longest key of an annotation, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// Longest value of an annotation, in bytes.
const MAX_VALUE_BYTES: usize = 4096;
/// Longest etag, in bytes.
const MAX_ETAG_BYTES: usize = 128;

/// Reads a field that is text of a certain form.
pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::field(field, error.to_string()))
}

fn optional<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<Option<T>, Error> {
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

/// Reads a number that counts bytes or events.
pub(crate) fn unsigned(field: &str, number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::field(field, "must not be negative"))
}

/// Sizes and offsets are below 2^63.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads the digests of FindMissingBlobs.
pub(crate) fn digests(texts: &[String]) -> Result<Vec<Digest>, Error> {
    if texts.len() > MAX_DIGESTS {
        return Err(Error::field(
            "digests",
            format!("there are {}, at most {MAX_DIGESTS} go at once", texts.len()),
        ));
    }
    texts.iter().enumerate().map(|(index, text)| parse(&format!("digests[{index}]"), text)).collect()
}

impl TryFrom<proto::WriteBlobRequest> for ChunkOf {
    type Error = Error;

    fn try_from(request: proto::WriteBlobRequest) -> Result<Self, Error> {
        let proto::WriteBlobRequest { digest, total_bytes, offset, data } = request;
        if data.len() > MAX_CHUNK_BYTES {
            return Err(Error::field("data", format!("a chunk has at most {MAX_CHUNK_BYTES} bytes")));
        }
        Ok(Self(Chunk {
            digest: parse("digest", &digest)?,
            total: unsigned("total_bytes", total_bytes)?,
            offset: unsigned("offset", offset)?,
            data,
        }))
    }
}

/// A chunk whose fields have been read.
pub(crate) struct ChunkOf(pub(crate) Chunk);

/// What the first message of an upload says about all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadOf {
    pub(crate) digest: String,
    pub(crate) total_bytes: i64,
}

impl UploadOf {
    /// Completes a later message with what the first one said; it may repeat it, but not change it.
    pub(crate) fn complete(
        &self,
        message: proto::UploadBlobRequest,
    ) -> Result<proto::WriteBlobRequest, Error> {
        let proto::UploadBlobRequest { digest, total_bytes, offset, data } = message;
        if !digest.is_empty() && digest != self.digest {
            return Err(Error::field(
                "digest",
                "differs from the first message's: one stream carries one blob",
            ));
        }
        if total_bytes != 0 && total_bytes != self.total_bytes {
            return Err(Error::field("total_bytes", "differs from the first message's"));
        }
        Ok(proto::WriteBlobRequest {
            digest: self.digest.clone(),
            total_bytes: self.total_bytes,
            offset,
            data,
        })
    }
}

impl TryFrom<proto::Artifact> for Draft {
    type Error = Error;

    fn try_from(artifact: proto::Artifact) -> Result<Self, Error> {
        let kind = proto::ArtifactKind::try_from(artifact.kind).ok().and_then(kind_from_proto);
        let kind =
            kind.ok_or_else(|| Error::field("artifact.kind", "must be one of the kinds of artifacts"))?;
        let parent: Option<AliasName> = optional("artifact.parent", &artifact.parent)?;
        if let Some(other) = parent.as_ref().filter(|parent| parent.kind() != kind) {
            let problem =
                format!("{other} is of another collection than {}, which is {kind}'s", kind.collection());
            return Err(Error::field("artifact.parent", problem));
        }
        let manifest = Manifest {
            kind,
            blobs: blobs(artifact.blobs)?,
            base_digest: optional("artifact.base_digest", &artifact.base_digest)?,
            tokenizer_digest: optional("artifact.tokenizer_digest", &artifact.tokenizer_digest)?,
            annotations: artifact.annotations.into_iter().collect(),
        };
        check_annotations(&manifest)?;
        Ok(Self { manifest, parent })
    }
}

fn blobs(entries: Vec<proto::BlobEntry>) -> Result<Vec<BlobRef>, Error> {
    if entries.is_empty() || entries.len() > MAX_FILES {
        let problem = format!("an artifact has 1 to {MAX_FILES} files, not {}", entries.len());
        return Err(Error::field("artifact.blobs", problem));
    }
    let mut seen = BTreeSet::new();
    let mut blobs = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let field = |name: &str| format!("artifact.blobs[{index}].{name}");
        if !check_file_name(&entry.path) {
            let problem = format!(
                "must be a plain file name of the form [A-Za-z0-9._-]+, not hidden, of at most {MAX_FILE_NAME_BYTES} bytes"
            );
            return Err(Error::field(field("path"), problem));
        }
        if !seen.insert(entry.path.clone()) {
            return Err(Error::field(field("path"), format!("{} occurs twice", entry.path)));
        }
        let digest = parse(&field("digest"), &entry.digest)?;
        let size = unsigned(&field("size_bytes"), entry.size_bytes)?;
        blobs.push(BlobRef { path: entry.path, digest, size });
    }
    blobs.sort();
    Ok(blobs)
}

fn check_annotations(manifest: &Manifest) -> Result<(), Error> {
    let annotations = &manifest.annotations;
    let refuse = |problem: String| Err(Error::field("artifact.annotations", problem));
    if annotations.len() > MAX_ANNOTATIONS {
        return refuse(format!("there are {}, at most {MAX_ANNOTATIONS} are kept", annotations.len()));
    }
    let too_long =
        annotations.iter().find(|(key, value)| key.len() > MAX_KEY_BYTES || value.len() > MAX_VALUE_BYTES);
    match too_long {
        None => Ok(()),
        Some((key, _)) => {
            let shown: String = key.chars().take(32).collect();
            refuse(format!("`{shown}`: keys have at most {MAX_KEY_BYTES} bytes, values {MAX_VALUE_BYTES}"))
        }
    }
}

impl From<Artifact> for proto::Artifact {
    fn from(artifact: Artifact) -> Self {
        let Artifact { digest, manifest, parent, create_time } = artifact;
        let size_bytes = signed(manifest.size());
        let entry = |blob: BlobRef| proto::BlobEntry {
            path: blob.path,
            digest: blob.digest.to_string(),
            size_bytes: signed(blob.size),
        };
        Self {
            digest: digest.to_string(),
            kind: kind_to_proto(manifest.kind).into(),
            parent: text(parent),
            blobs: manifest.blobs.into_iter().map(entry).collect(),
            base_digest: text(manifest.base_digest),
            tokenizer_digest: text(manifest.tokenizer_digest),
            annotations: manifest.annotations.into_iter().collect(),
            size_bytes,
            create_time: create_time.map(SystemTime::into),
        }
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Reads the filter and the page of ListArtifacts.
pub(crate) fn artifact_list(request: &proto::ListArtifactsRequest) -> Result<(ArtifactFilter, Page), Error> {
    let page = Page::parse(
        request.page_size,
        &request.page_token,
        &format!("artifacts {} {}", request.kind, request.parent),
    )?;
    let kind = proto::ArtifactKind::try_from(request.kind)
        .map_err(|_| Error::field("kind", "must be one of the kinds of artifacts, or unspecified"))?;
    let before = page.after.as_deref().map(|key| parse("page_token", key)).transpose()?;
    let filter =
        ArtifactFilter { parent: optional("parent", &request.parent)?, kind: kind_from_proto(kind), before };
    Ok((filter, page))
}

/// Reads the prefix of lists and watches of aliases: a collection, or nothing.
pub(crate) fn prefix(text: &str) -> Result<Option<Kind>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let kind = text.strip_suffix('/').and_then(|collection| Kind::of_collection(collection).ok());
    let kind = kind.filter(|kind| kind.has_aliases());
    kind.map(Some).ok_or_else(|| {
        Error::field("prefix", "must be adapters/, baseModels/, tokenizers/ or datasets/, or empty for all")
    })
}

/// Reads the name of an alias.
pub(crate) fn alias_name(text: &str) -> Result<AliasName, Error> {
    let name: AliasName = parse("name", text)?;
    if name.kind().has_aliases() {
        return Ok(name);
    }
    Err(Error::field("name", format!("there are no aliases in {}", name.kind().collection())))
}

impl TryFrom<proto::SetAliasRequest> for AliasChange {
    type Error = Error;

    fn try_from(request: proto::SetAliasRequest) -> Result<Self, Error> {
        check_etag(&request.etag)?;
        let expect = match (request.etag.is_empty(), request.force) {
            (true, true) => Expect::Any,
            (true, false) => Expect::Absent,
            (false, false) => Expect::Etag(request.etag),
            (false, true) => return Err(Error::field("etag", "must be empty with force")),
        };
        let version = Version {
            digest: parse("digest", &request.digest)?,
            canary: request.canary.map(Canary::try_from).transpose()?,
            pinned: request.pinned,
            running: running(request.running_requests)?,
        };
        Ok(Self { name: alias_name(&request.name)?, target: Target::Version(version), expect })
    }
}

impl TryFrom<proto::Canary> for Canary {
    type Error = Error;

    fn try_from(canary: proto::Canary) -> Result<Self, Error> {
        let share = canary.share;
        if share > 0.0 && share < 1.0 {
            return Ok(Self { digest: parse("canary.digest", &canary.digest)?, share });
        }
        Err(Error::field("canary.share", format!("is {share}; must be above 0 and below 1")))
    }
}

fn running(value: i32) -> Result<Running, Error> {
    match RunningRequests::try_from(value) {
        Ok(RunningRequests::Unspecified | RunningRequests::Finish) => Ok(Running::Finish),
        Ok(RunningRequests::Switch) => Ok(Running::Switch),
        Ok(RunningRequests::Abort) => Ok(Running::Abort),
        Err(_) => Err(Error::field("running_requests", "must be finish, switch or abort")),
    }
}

impl TryFrom<proto::RetireAliasRequest> for AliasChange {
    type Error = Error;

    fn try_from(request: proto::RetireAliasRequest) -> Result<Self, Error> {
        check_etag(&request.etag)?;
        let expect = if request.etag.is_empty() { Expect::Any } else { Expect::Etag(request.etag) };
        Ok(Self { name: alias_name(&request.name)?, target: Target::Retired, expect })
    }
}

fn check_etag(etag: &str) -> Result<(), Error> {
    if etag.len() <= MAX_ETAG_BYTES {
        return Ok(());
    }
    Err(Error::field("etag", "is not an etag of this store"))
}

impl From<Alias> for proto::Alias {
    fn from(alias: Alias) -> Self {
        Self {
            name: alias.name.to_string(),
            digest: alias.current.digest.to_string(),
            generation: alias.current.generation,
            etag: alias.etag,
            update_time: Some(alias.current.set_time.into()),
            history: alias.history.into_iter().map(Into::into).collect(),
            base_digest: text(alias.base_digest),
            canary: alias.canary.map(Into::into),
            pinned: alias.pinned,
            running_requests: match alias.running {
                Running::Finish => RunningRequests::Finish,
                Running::Switch => RunningRequests::Switch,
                Running::Abort => RunningRequests::Abort,
            }
            .into(),
            retired: alias.retired,
        }
    }
}

impl From<Canary> for proto::Canary {
    fn from(canary: Canary) -> Self {
        Self { digest: canary.digest.to_string(), share: canary.share }
    }
}

impl From<Revision> for proto::AliasRevision {
    fn from(revision: Revision) -> Self {
        Self {
            generation: revision.generation,
            digest: revision.digest.to_string(),
            set_time: Some(revision.set_time.into()),
        }
    }
}

#[cfg(test)]
mod tests;
