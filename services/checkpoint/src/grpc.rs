//! The handlers: decode, call, encode.
use std::pin::Pin;

use futures::Stream;
use prost::Message;
use rootstock_artifacts::blob_store::Sync;
use rootstock_artifacts::{Digest, UploadStatus};
use rootstock_proto::checkpoint::v1::checkpoint_service_server::CheckpointService;
use rootstock_proto::checkpoint::v1::{
    CommitArtifactRequest, CommitArtifactResponse, DeleteArtifactRequest, DeleteArtifactResponse,
    FindMissingBlobsRequest, FindMissingBlobsResponse, GetAliasRequest, GetAliasResponse, GetArtifactRequest,
    GetArtifactResponse, ListAliasesRequest, ListAliasesResponse, ListArtifactsRequest,
    ListArtifactsResponse, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest,
    ReadBlobResponse, RetireAliasRequest, RetireAliasResponse, SetAliasRequest, SetAliasResponse,
    UploadBlobRequest, UploadBlobResponse, VerifyArtifactRequest, VerifyArtifactResponse,
    WatchAliasesRequest, WatchAliasesResponse, WriteBlobRequest, WriteBlobResponse,
};
use rootstock_runtime::status;
use tonic::{Request, Response, Status, Streaming};

use crate::catalog::Catalog;
use crate::convert::{self, ChunkOf, signed};
use crate::page::Page;
use crate::store::Store;
use crate::{AliasChange, Draft, Error};

mod transfer;
mod watch;

/// Most bytes of entries on one page, so that a page of large artifacts stays below the largest message.
const MAX_PAGE_BYTES: usize = 3 << 20;

/// A stream of responses.
type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service over its domain.
#[derive(Clone, Debug)]
pub(crate) struct Grpc<C> {
    store: Store<C>,
}

impl<C: Catalog> Grpc<C> {
    pub(crate) fn new(store: Store<C>) -> Self {
        Self { store }
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    async fn artifacts(&self, request: ListArtifactsRequest) -> Result<ListArtifactsResponse, Error> {
        let (filter, page) = convert::artifact_list(&request)?;
        // One more than asked for tells whether there is a next page.
        let found = self.store.list_artifacts(&filter, page.size + 1).await?;
        let found = found.into_iter().map(|(number, artifact)| (number.to_string(), artifact.into()));
        let (artifacts, next_page_token) = fill(&page, found.collect());
        Ok(ListArtifactsResponse { artifacts, next_page_token })
    }

    async fn aliases(&self, request: ListAliasesRequest) -> Result<ListAliasesResponse, Error> {
        let kind = convert::prefix(&request.prefix)?;
        let page =
            Page::parse(request.page_size, &request.page_token, &format!("aliases {}", request.prefix))?;
        let found = self.store.list_aliases(kind, page.after.as_deref(), page.size + 1).await?;
        let found = found.into_iter().map(|alias| (alias.name.to_string(), alias.into()));
        let (aliases, next_page_token) = fill(&page, found.collect());
        Ok(ListAliasesResponse { aliases, next_page_token })
    }
}

/// Fills a page from entries with their keys; returns them with the token of the next page, empty at the end.
fn fill<T: Message>(page: &Page, entries: Vec<(String, T)>) -> (Vec<T>, String) {
    let count = entries.len();
    let mut bytes = 0;
    let mut filled = Vec::new();
    let mut last_key = String::new();
    for (key, entry) in entries {
        bytes += entry.encoded_len();
        let is_full = filled.len() == page.size || bytes > MAX_PAGE_BYTES;
        // A page has at least one entry, or the list would never end.
        if is_full && !filled.is_empty() {
            break;
        }
        filled.push(entry);
        last_key = key;
    }
    let token = if filled.len() < count { page.token(&last_key) } else { String::new() };
    (filled, token)
}

fn digest(field: &str, text: &str) -> Result<Digest, Status> {
    convert::parse(field, text).map_err(status)
}

#[tonic::async_trait]
impl<C: Catalog> CheckpointService for Grpc<C> {
    async fn find_missing_blobs(
        &self,
        request: Request<FindMissingBlobsRequest>,
    ) -> Result<Response<FindMissingBlobsResponse>, Status> {
        let digests = convert::digests(&request.into_inner().digests).map_err(status)?;
        let missing = self.store.missing(&digests).await.map_err(status)?;
        let missing_digests = missing.iter().map(ToString::to_string).collect();
        Ok(Response::new(FindMissingBlobsResponse { missing_digests }))
    }

    async fn write_blob(
        &self,
        request: Request<WriteBlobRequest>,
    ) -> Result<Response<WriteBlobResponse>, Status> {
        let ChunkOf(chunk) = request.into_inner().try_into().map_err(|error: Error| status(error))?;
        let UploadStatus { durable, complete } = self.store.write(chunk, Sync::Now).await.map_err(status)?;
        Ok(Response::new(WriteBlobResponse { committed_bytes: signed(durable), complete }))
    }

    async fn upload_blob(
        &self,
        request: Request<Streaming<UploadBlobRequest>>,
    ) -> Result<Response<UploadBlobResponse>, Status> {
        let UploadStatus { durable, complete } = self.receive(request.into_inner()).await?;
        Ok(Response::new(UploadBlobResponse { committed_bytes: signed(durable), complete }))
    }

    async fn query_write_status(
        &self,
        request: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        let digest = digest("digest", &request.into_inner().digest)?;
        let UploadStatus { durable, complete } = self.store.write_status(&digest).await.map_err(status)?;
        Ok(Response::new(QueryWriteStatusResponse { committed_bytes: signed(durable), complete }))
    }

    type ReadBlobStream = Responses<ReadBlobResponse>;

    async fn read_blob(
        &self,
        request: Request<ReadBlobRequest>,
    ) -> Result<Response<Self::ReadBlobStream>, Status> {
        Ok(Response::new(self.send(request.into_inner()).await.map_err(status)?))
    }

    async fn commit_artifact(
        &self,
        request: Request<CommitArtifactRequest>,
    ) -> Result<Response<CommitArtifactResponse>, Status> {
        let CommitArtifactRequest { artifact, validate_only } = request.into_inner();
        let artifact = artifact.ok_or_else(|| status(Error::field("artifact", "must be set")))?;
        let draft = Draft::try_from(artifact).map_err(status)?;
        let artifact = self.store.commit(draft, validate_only).await.map_err(status)?;
        Ok(Response::new(CommitArtifactResponse { artifact: Some(artifact.into()) }))
    }

    async fn get_artifact(
        &self,
        request: Request<GetArtifactRequest>,
    ) -> Result<Response<GetArtifactResponse>, Status> {
        let name = convert::parse("name", &request.into_inner().name).map_err(status)?;
        let artifact = self.store.artifact(&name).await.map_err(status)?;
        Ok(Response::new(GetArtifactResponse { artifact: Some(artifact.into()) }))
    }

    async fn list_artifacts(
        &self,
        request: Request<ListArtifactsRequest>,
    ) -> Result<Response<ListArtifactsResponse>, Status> {
        self.artifacts(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn delete_artifact(
        &self,
        request: Request<DeleteArtifactRequest>,
    ) -> Result<Response<DeleteArtifactResponse>, Status> {
        let digest = digest("digest", &request.into_inner().digest)?;
        let freed = self.store.delete(&digest).await.map_err(status)?;
        Ok(Response::new(DeleteArtifactResponse { freed_bytes: signed(freed) }))
    }

    async fn verify_artifact(
        &self,
        request: Request<VerifyArtifactRequest>,
    ) -> Result<Response<VerifyArtifactResponse>, Status> {
        let digest = digest("digest", &request.into_inner().digest)?;
        let verified = self.store.verify(&digest).await.map_err(status)?;
        Ok(Response::new(VerifyArtifactResponse { verified_bytes: signed(verified) }))
    }

    async fn set_alias(
        &self,
        request: Request<SetAliasRequest>,
    ) -> Result<Response<SetAliasResponse>, Status> {
        let change = AliasChange::try_from(request.into_inner()).map_err(status)?;
        let alias = self.store.set_alias(&change).await.map_err(status)?;
        Ok(Response::new(SetAliasResponse { alias: Some(alias.into()) }))
    }

    async fn retire_alias(
        &self,
        request: Request<RetireAliasRequest>,
    ) -> Result<Response<RetireAliasResponse>, Status> {
        let change = AliasChange::try_from(request.into_inner()).map_err(status)?;
        let alias = self.store.set_alias(&change).await.map_err(status)?;
        Ok(Response::new(RetireAliasResponse { alias: Some(alias.into()) }))
    }

    async fn get_alias(
        &self,
        request: Request<GetAliasRequest>,
    ) -> Result<Response<GetAliasResponse>, Status> {
        let name = convert::alias_name(&request.into_inner().name).map_err(status)?;
        let alias = self.store.alias(&name).await.map_err(status)?;
        Ok(Response::new(GetAliasResponse { alias: Some(alias.into()) }))
    }

    async fn list_aliases(
        &self,
        request: Request<ListAliasesRequest>,
    ) -> Result<Response<ListAliasesResponse>, Status> {
        self.aliases(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type WatchAliasesStream = Responses<WatchAliasesResponse>;

    async fn watch_aliases(
        &self,
        request: Request<WatchAliasesRequest>,
    ) -> Result<Response<Self::WatchAliasesStream>, Status> {
        Ok(Response::new(self.watch(request.into_inner()).await.map_err(status)?))
    }
}
