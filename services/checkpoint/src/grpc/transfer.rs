//! The streams of bytes: UploadBlob in, ReadBlob out.
use futures::stream;
use rootstock_artifacts::UploadStatus;
use rootstock_artifacts::blob_store::{Sync, VerifiedRead};
use rootstock_proto::checkpoint::v1::{ReadBlobRequest, ReadBlobResponse, UploadBlobRequest};
use rootstock_runtime::status;
use tonic::{Status, Streaming};

use super::{Grpc, Responses};
use crate::Error;
use crate::catalog::Catalog;
use crate::convert::{self, ChunkOf, UploadOf, signed};
use crate::store::Store;

/// A streamed upload is synced each time it has got so many bytes.
const SYNC_BYTES: usize = 8 << 20;

impl<C: Catalog> Grpc<C> {
    /// Takes in a streamed upload. However the stream ends, what came before is durable afterwards.
    pub(super) async fn receive(
        &self,
        mut messages: Streaming<UploadBlobRequest>,
    ) -> Result<UploadStatus, Status> {
        let first = messages.message().await?;
        let first = first.ok_or_else(|| status(Error::field("digest", "the stream has no message")))?;
        let upload = UploadOf { digest: first.digest.clone(), total_bytes: first.total_bytes };
        let digest = convert::parse("digest", &upload.digest).map_err(status)?;
        let mut next = Some(first);
        let mut unsynced = 0;
        let ended = loop {
            let Some(message) = next else { break Ok(()) };
            let sync = if unsynced >= SYNC_BYTES { Sync::Now } else { Sync::Later };
            unsynced = if sync == Sync::Now { 0 } else { unsynced + message.data.len() };
            let written = self.append(&upload, message, sync).await.map_err(status)?;
            if written.complete {
                return Ok(written);
            }
            next = match messages.message().await {
                Ok(next) => next,
                Err(cut) => break Err(cut),
            };
        };
        let reached = self.store.write_status(&digest).await.map_err(status)?;
        ended.map(|()| reached)
    }

    async fn append(
        &self,
        upload: &UploadOf,
        message: UploadBlobRequest,
        sync: Sync,
    ) -> Result<UploadStatus, Error> {
        let ChunkOf(chunk) = upload.complete(message)?.try_into()?;
        self.store.write(chunk, sync).await
    }

    /// Streams a blob. A blob that is damaged ends the stream with CORRUPT before its last byte.
    pub(super) async fn send(&self, request: ReadBlobRequest) -> Result<Responses<ReadBlobResponse>, Error> {
        let digest = convert::parse("digest", &request.digest)?;
        let offset = convert::unsigned("offset", request.offset)?;
        let limit = convert::unsigned("limit", request.limit)?;
        let read = self.store.read(digest, offset, limit).await?;
        let pieces = stream::try_unfold((self.store.clone(), read), next_piece);
        Ok(Box::pin(pieces))
    }
}

async fn next_piece<C: Catalog>(
    (store, mut read): (Store<C>, VerifiedRead),
) -> Result<Option<(ReadBlobResponse, (Store<C>, VerifiedRead))>, Status> {
    let piece = read.next().await;
    store.count_read(&piece);
    let piece = piece.map_err(|error| status(Error::from(error)))?;
    Ok(piece.map(|(offset, data)| (ReadBlobResponse { offset: signed(offset), data }, (store, read))))
}
