//! A checkpoint service that keeps artifacts in memory: the calls that training makes, without admission.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use rootstock_artifacts::Digest;
use rootstock_proto::checkpoint::v1::{self as proto, checkpoint_service_server::CheckpointService};
use rootstock_runtime::{ErrorReason, Failure, status};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

/// Bytes of a message when a blob is read.
const CHUNK: usize = 256 << 10;

/// What is stored; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    kept: Arc<Mutex<Kept>>,
    held: Arc<watch::Sender<Option<Call>>>,
}

/// A call that a test can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    GetArtifact,
    CommitArtifact,
    /// Of the tokenizers, which share this.
    EncodeStream,
}

#[derive(Debug, Default)]
struct Kept {
    blobs: BTreeMap<String, Vec<u8>>,
    artifacts: BTreeMap<String, proto::Artifact>,
    aliases: BTreeMap<String, proto::Alias>,
    deleted: BTreeSet<String>,
    /// Artifacts that somebody wanted to commit since a call was held.
    wanted: Vec<proto::ArtifactKind>,
    /// Commits are held from the next state on.
    holds_after_state: bool,
}

fn missing(name: &str) -> Status {
    status(Failure::new(ErrorReason::NotFound, format!("{name} does not exist")))
}

impl Store {
    /// Stores an artifact and points an alias at it.
    pub(crate) fn put(&self, kind: proto::ArtifactKind, alias: &str, files: &[(&str, &[u8])]) -> String {
        let mut kept = self.kept.lock().unwrap();
        let mut blobs = Vec::new();
        for (path, bytes) in files {
            let digest = Digest::of(bytes).to_string();
            kept.blobs.insert(digest.clone(), bytes.to_vec());
            blobs.push(proto::BlobEntry { path: (*path).into(), digest, size_bytes: bytes.len() as i64 });
        }
        let digest = kept.commit(proto::Artifact { kind: kind.into(), blobs, ..Default::default() }).digest;
        kept.point(alias, &digest);
        digest
    }

    /// Lets a call wait until it is let go on, or the other calls at once where there is none.
    pub(crate) fn hold(&self, call: Option<Call>) {
        self.kept.lock().unwrap().wanted.clear();
        self.held.send_replace(call);
    }

    /// Lets commits wait from the next state of a job on, which is still stored.
    pub(crate) fn hold_after_state(&self) {
        self.kept.lock().unwrap().holds_after_state = true;
    }

    /// Whether somebody waits to commit an artifact of a kind.
    pub(crate) fn is_wanted(&self, kind: proto::ArtifactKind) -> bool {
        self.kept.lock().unwrap().wanted.contains(&kind)
    }

    /// Waits as long as the call is held.
    pub(crate) async fn pass(&self, call: Call) {
        // The sender lives as long as this does.
        self.held.subscribe().wait_for(|held| *held != Some(call)).await.unwrap();
    }

    /// Takes an artifact out of the store.
    pub(crate) fn take(&self, digest: &str) -> proto::Artifact {
        self.kept.lock().unwrap().artifacts.remove(digest).unwrap()
    }

    /// Puts an artifact back.
    pub(crate) fn give(&self, artifact: proto::Artifact) {
        self.kept.lock().unwrap().artifacts.insert(artifact.digest.clone(), artifact);
    }

    pub(crate) fn artifact(&self, digest: &str) -> Option<proto::Artifact> {
        self.kept.lock().unwrap().artifacts.get(digest).cloned()
    }

    /// The digest that an alias points at, and how often it was moved.
    pub(crate) fn alias(&self, name: &str) -> Option<(String, i64)> {
        let kept = self.kept.lock().unwrap();
        kept.aliases.get(name).map(|alias| (alias.digest.clone(), alias.generation))
    }

    /// Says of the artifact behind an alias that it was made with a tokenizer.
    pub(crate) fn relabel(&self, alias: &str, tokenizer_digest: &str) {
        let mut kept = self.kept.lock().unwrap();
        let artifact = kept.aliases[alias].digest.clone();
        kept.artifacts.get_mut(&artifact).unwrap().tokenizer_digest = tokenizer_digest.to_owned();
    }

    pub(crate) fn of_kind(&self, kind: proto::ArtifactKind) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        kept.artifacts.values().filter(|a| a.kind() == kind).map(|a| a.digest.clone()).collect()
    }

    /// A file of an artifact.
    pub(crate) fn file(&self, digest: &str, path: &str) -> Option<Vec<u8>> {
        let kept = self.kept.lock().unwrap();
        let entry = kept.artifacts.get(digest)?.blobs.iter().find(|blob| blob.path == path)?;
        kept.blobs.get(&entry.digest).cloned()
    }

    /// Finds by digest or alias.
    pub(crate) fn find(&self, name: &str) -> Option<proto::Artifact> {
        let kept = self.kept.lock().unwrap();
        let digest = kept.aliases.get(name).map_or(name, |alias| alias.digest.as_str());
        kept.artifacts.get(digest).cloned()
    }

    fn write(&self, digest: &str, offset: i64, data: &[u8], total: i64) -> (i64, bool) {
        let mut kept = self.kept.lock().unwrap();
        let blob = kept.blobs.entry(digest.to_owned()).or_default();
        blob.truncate(offset as usize);
        blob.extend_from_slice(data);
        (blob.len() as i64, blob.len() as i64 == total)
    }
}

impl Kept {
    fn commit(&mut self, mut artifact: proto::Artifact) -> proto::Artifact {
        let mut text = format!("{} {} {}", artifact.kind, artifact.base_digest, artifact.tokenizer_digest);
        for blob in &artifact.blobs {
            text += &format!(" {} {}", blob.path, blob.digest);
        }
        for (key, value) in artifact.annotations.iter().collect::<BTreeMap<_, _>>() {
            text += &format!(" {key}={value}");
        }
        artifact.digest = Digest::of(text.as_bytes()).to_string();
        artifact.size_bytes = artifact.blobs.iter().map(|blob| blob.size_bytes).sum();
        self.artifacts.insert(artifact.digest.clone(), artifact.clone());
        artifact
    }

    fn point(&mut self, name: &str, digest: &str) {
        let alias = self.aliases.entry(name.to_owned()).or_default();
        alias.name = name.to_owned();
        alias.digest = digest.to_owned();
        alias.generation += 1;
    }
}

type Answer<T> = Result<Response<T>, Status>;
type Stored<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl CheckpointService for Store {
    async fn find_missing_blobs(
        &self,
        request: Request<proto::FindMissingBlobsRequest>,
    ) -> Answer<proto::FindMissingBlobsResponse> {
        let kept = self.kept.lock().unwrap();
        let missing =
            request.into_inner().digests.into_iter().filter(|digest| !kept.blobs.contains_key(digest));
        Ok(Response::new(proto::FindMissingBlobsResponse { missing_digests: missing.collect() }))
    }

    async fn write_blob(
        &self,
        request: Request<proto::WriteBlobRequest>,
    ) -> Answer<proto::WriteBlobResponse> {
        let request = request.into_inner();
        let (committed_bytes, complete) =
            self.write(&request.digest, request.offset, &request.data, request.total_bytes);
        Ok(Response::new(proto::WriteBlobResponse { committed_bytes, complete }))
    }

    async fn upload_blob(
        &self,
        request: Request<Streaming<proto::UploadBlobRequest>>,
    ) -> Answer<proto::UploadBlobResponse> {
        let mut chunks = request.into_inner();
        let (mut digest, mut total) = (String::new(), 0);
        let mut written = (0, false);
        while let Some(chunk) = chunks.next().await.transpose()? {
            if !chunk.digest.is_empty() {
                (digest, total) = (chunk.digest, chunk.total_bytes);
            }
            written = self.write(&digest, chunk.offset, &chunk.data, total);
        }
        Ok(Response::new(proto::UploadBlobResponse { committed_bytes: written.0, complete: written.1 }))
    }

    async fn query_write_status(
        &self,
        request: Request<proto::QueryWriteStatusRequest>,
    ) -> Answer<proto::QueryWriteStatusResponse> {
        let kept = self.kept.lock().unwrap();
        let digest = request.into_inner().digest;
        let bytes = kept.blobs.get(&digest);
        let complete = bytes.is_some_and(|bytes| Digest::of(bytes).to_string() == digest);
        let committed_bytes = bytes.map_or(0, Vec::len) as i64;
        Ok(Response::new(proto::QueryWriteStatusResponse { committed_bytes, complete }))
    }

    type ReadBlobStream = Stored<proto::ReadBlobResponse>;

    async fn read_blob(&self, request: Request<proto::ReadBlobRequest>) -> Answer<Self::ReadBlobStream> {
        let request = request.into_inner();
        let blob = self.kept.lock().unwrap().blobs.get(&request.digest).cloned();
        let blob = Bytes::from(blob.ok_or_else(|| missing(&request.digest))?);
        let offsets = (request.offset as usize..blob.len()).step_by(CHUNK);
        let chunks: Vec<_> = offsets
            .map(|at| {
                let data = blob.slice(at..(at + CHUNK).min(blob.len()));
                Ok(proto::ReadBlobResponse { offset: at as i64, data })
            })
            .collect();
        Ok(Response::new(Box::pin(stream::iter(chunks))))
    }

    async fn commit_artifact(
        &self,
        request: Request<proto::CommitArtifactRequest>,
    ) -> Answer<proto::CommitArtifactResponse> {
        let artifact = request.into_inner().artifact.unwrap();
        self.kept.lock().unwrap().wanted.push(artifact.kind());
        self.pass(Call::CommitArtifact).await;
        let mut kept = self.kept.lock().unwrap();
        if artifact.kind() == proto::ArtifactKind::TrainingState && kept.holds_after_state {
            kept.holds_after_state = false;
            self.held.send_replace(Some(Call::CommitArtifact));
        }
        let artifact = kept.commit(artifact);
        Ok(Response::new(proto::CommitArtifactResponse { artifact: Some(artifact) }))
    }

    async fn get_artifact(
        &self,
        request: Request<proto::GetArtifactRequest>,
    ) -> Answer<proto::GetArtifactResponse> {
        self.pass(Call::GetArtifact).await;
        let name = request.into_inner().name;
        let artifact = self.find(&name).ok_or_else(|| missing(&name))?;
        Ok(Response::new(proto::GetArtifactResponse { artifact: Some(artifact) }))
    }

    async fn delete_artifact(
        &self,
        request: Request<proto::DeleteArtifactRequest>,
    ) -> Answer<proto::DeleteArtifactResponse> {
        let digest = request.into_inner().digest;
        let mut kept = self.kept.lock().unwrap();
        let artifact = kept.artifacts.remove(&digest).ok_or_else(|| missing(&digest))?;
        kept.deleted.insert(digest);
        Ok(Response::new(proto::DeleteArtifactResponse { freed_bytes: artifact.size_bytes }))
    }

    async fn set_alias(&self, request: Request<proto::SetAliasRequest>) -> Answer<proto::SetAliasResponse> {
        let request = request.into_inner();
        let mut kept = self.kept.lock().unwrap();
        kept.point(&request.name, &request.digest);
        Ok(Response::new(proto::SetAliasResponse { alias: kept.aliases.get(&request.name).cloned() }))
    }

    async fn retire_alias(
        &self,
        _: Request<proto::RetireAliasRequest>,
    ) -> Answer<proto::RetireAliasResponse> {
        Err(unused())
    }

    async fn get_alias(&self, request: Request<proto::GetAliasRequest>) -> Answer<proto::GetAliasResponse> {
        let name = request.into_inner().name;
        let alias = self.kept.lock().unwrap().aliases.get(&name).cloned();
        Ok(Response::new(proto::GetAliasResponse { alias: Some(alias.ok_or_else(|| missing(&name))?) }))
    }

    async fn list_artifacts(
        &self,
        _: Request<proto::ListArtifactsRequest>,
    ) -> Answer<proto::ListArtifactsResponse> {
        Err(unused())
    }

    async fn verify_artifact(
        &self,
        _: Request<proto::VerifyArtifactRequest>,
    ) -> Answer<proto::VerifyArtifactResponse> {
        Err(unused())
    }

    async fn list_aliases(
        &self,
        _: Request<proto::ListAliasesRequest>,
    ) -> Answer<proto::ListAliasesResponse> {
        Err(unused())
    }

    type WatchAliasesStream = Stored<proto::WatchAliasesResponse>;

    async fn watch_aliases(
        &self,
        _: Request<proto::WatchAliasesRequest>,
    ) -> Answer<Self::WatchAliasesStream> {
        Err(unused())
    }
}

/// For calls that training never makes.
pub(crate) fn unused() -> Status {
    status(Failure::internal("training doesn't make this call"))
}
