//! Uploads: only what the store lacks, several files at once, each going on where it was cut.
use std::io::{self, SeekFrom};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use rootstock_artifacts::{Digest, Kind};
use rootstock_proto::checkpoint::v1::{
    Artifact, BlobEntry, CommitArtifactRequest, FindMissingBlobsRequest, QueryWriteStatusRequest,
    QueryWriteStatusResponse, UploadBlobRequest, WriteBlobRequest,
};
use rootstock_proto::common::v1::ErrorReason;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::progress::{Meter, Share};
use super::{ArtifactDraft, CheckpointClient, Made, Progress, Source, kind_to_proto};
use crate::call::unary;
use crate::{ClientError, backoff};

/// Size of the chunks of an upload.
const CHUNK_BYTES: usize = 512 << 10;
/// A rest of at most this size goes in one unary call.
const UNARY_BYTES: u64 = 1 << 20;
/// Files sent at a time.
const PARALLEL: usize = 4;
/// How many digests are asked about at a time.
const FIND_BATCH: usize = 1000;
/// Cuts in a row without a byte of progress after which an upload gives up.
const MAX_FRUITLESS: u32 = 6;
/// How often an upload begins again because a blob vanished before the commit.
const MAX_ROUNDS: u32 = 3;

/// A file whose digest is known.
#[derive(Clone, Debug)]
struct Measured {
    name: String,
    source: Source,
    digest: Digest,
    size: u64,
}

impl CheckpointClient {
    /// Uploads what the store lacks of the draft's files and commits the artifact.
    ///
    /// # Errors
    /// What a file is refused for: see `CommitArtifact` and `WriteBlob` in the contract; when a file cannot be read; or
    /// the connection's.
    pub async fn upload_artifact(
        &self,
        draft: ArtifactDraft,
        progress: &Progress,
    ) -> Result<Artifact, ClientError> {
        let files = measure(&draft.files).await?;
        let artifact = to_proto(&draft, &files);
        let meter = Meter::new(progress, files.iter().map(|file| file.size).sum());
        let mut round = 1;
        loop {
            self.upload_missing(&files, &meter).await?;
            match self.commit_artifact(artifact.clone(), false).await {
                // Deleted with another artifact between the question and the commit.
                Err(error) if error.is(ErrorReason::BlobMissing) && round < MAX_ROUNDS => round += 1,
                done => return done,
            }
        }
    }

    /// Uploads one blob, if the store lacks it.
    ///
    /// # Errors
    /// As [`upload_artifact`](Self::upload_artifact).
    pub async fn upload_blob(
        &self,
        name: impl Into<String>,
        source: impl Into<Source>,
        progress: &Progress,
    ) -> Result<BlobEntry, ClientError> {
        let files = measure(&[(name.into(), source.into())]).await?;
        let meter = Meter::new(progress, files.iter().map(|file| file.size).sum());
        self.upload_missing(&files, &meter).await?;
        files.iter().map(entry).next().ok_or_else(|| ClientError::incomplete("blob"))
    }

    /// Commits an artifact whose blobs are in the store; with `validate_only` only checks it.
    ///
    /// # Errors
    /// See `CommitArtifact` in the contract, or the connection's.
    pub async fn commit_artifact(
        &self,
        artifact: Artifact,
        validate_only: bool,
    ) -> Result<Artifact, ClientError> {
        let request = CommitArtifactRequest { artifact: Some(artifact), validate_only };
        let response = unary!(self, self.caller.long(), idempotent, commit_artifact, request)?;
        response.artifact.ok_or_else(|| ClientError::incomplete("artifact"))
    }

    /// How far an upload has come.
    ///
    /// # Errors
    /// INVALID_FIELD, or the connection's.
    pub async fn query_write_status(&self, digest: &Digest) -> Result<QueryWriteStatusResponse, ClientError> {
        unary!(self.idempotent, query_write_status, QueryWriteStatusRequest { digest: digest.to_string() })
    }

    /// Which of these blobs the store lacks.
    ///
    /// # Errors
    /// The connection's.
    pub async fn find_missing_blobs(&self, digests: &[Digest]) -> Result<Vec<Digest>, ClientError> {
        let mut missing = Vec::new();
        for batch in digests.chunks(FIND_BATCH) {
            let request =
                FindMissingBlobsRequest { digests: batch.iter().map(ToString::to_string).collect() };
            for digest in unary!(self.idempotent, find_missing_blobs, request)?.missing_digests {
                missing.push(digest.parse().map_err(|_| ClientError::incomplete("digest"))?);
            }
        }
        Ok(missing)
    }

    async fn upload_missing(&self, files: &[Measured], meter: &Meter) -> Result<(), ClientError> {
        let mut digests: Vec<Digest> = files.iter().map(|file| file.digest).collect();
        digests.sort();
        digests.dedup();
        let mut missing = self.find_missing_blobs(&digests).await?;
        let (mut needed, mut present) = (Vec::new(), Vec::new());
        for file in files {
            // The same bytes under two names are sent once.
            match missing.iter().position(|digest| *digest == file.digest) {
                Some(index) => {
                    missing.swap_remove(index);
                    needed.push(file.clone());
                }
                None => present.push(file),
            }
        }
        for file in present {
            meter.share().at(file.size);
        }
        stream::iter(needed)
            .map(|file| async move { self.upload_file(&file, meter.share()).await })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn upload_file(&self, file: &Measured, mut share: Share) -> Result<(), ClientError> {
        let mut fruitless = 0;
        let mut reached = 0;
        loop {
            let status = self.query_write_status(&file.digest).await?;
            if status.complete {
                share.at(file.size);
                return Ok(());
            }
            let from = u64::try_from(status.committed_bytes).unwrap_or_default();
            share.at(from);
            fruitless = if from > reached { 0 } else { fruitless };
            reached = reached.max(from);
            match self.send(file, from, share).await {
                (returned, Ok(())) => share = returned,
                // A second upload of the same blob moves the offset; asking again settles it.
                (returned, Err(error))
                    if fruitless < MAX_FRUITLESS
                        && (error.is_transient() || error.is(ErrorReason::WrongOffset)) =>
                {
                    share = returned;
                    fruitless += 1;
                    tracing::debug!(%error, file = file.name, from, "the upload was cut; going on");
                    tokio::time::sleep(backoff::delay(fruitless, error.retry_after)).await;
                }
                (_, Err(error)) => return Err(named(error, &file.name)),
            }
        }
    }

    /// Sends the rest of a file once.
    async fn send(&self, file: &Measured, from: u64, share: Share) -> (Share, Result<(), ClientError>) {
        if file.size.saturating_sub(from) <= UNARY_BYTES {
            let sent = self.send_unary(file, from).await;
            return (share, sent);
        }
        let reader = Arc::new(Mutex::new(Sending { share: Some(share), failure: None }));
        let chunks = chunks(file.clone(), from, reader.clone());
        let sent = self.raw().upload_blob(chunks).await;
        let mut sending = reader.lock();
        let share = sending.share.take();
        let result = match (sending.failure.take(), sent) {
            (Some(error), _) => Err(ClientError::local(format!("cannot read {}", file.name), error)),
            (None, Err(status)) => Err(status.into()),
            (None, Ok(_)) => Ok(()),
        };
        (share.unwrap_or_else(|| Meter::new(&Progress::none(), 0).share()), result)
    }

    async fn send_unary(&self, file: &Measured, from: u64) -> Result<(), ClientError> {
        let failed = |error| ClientError::local(format!("cannot read {}", file.name), error);
        let mut reader = Reader::open(&file.source, from).await.map_err(failed)?;
        let data = reader.read(UNARY_BYTES as usize).await.map_err(failed)?;
        let request = WriteBlobRequest {
            digest: file.digest.to_string(),
            total_bytes: signed(file.size),
            offset: signed(from),
            data,
        };
        unary!(self.idempotent, write_blob, request)?;
        Ok(())
    }
}

/// What the sending stream leaves behind for whoever waits for the answer.
#[derive(Debug)]
struct Sending {
    share: Option<Share>,
    failure: Option<io::Error>,
}

/// The chunks of a file from an offset on. A file that cannot be read ends the stream and leaves its error behind.
fn chunks(
    file: Measured,
    from: u64,
    sending: Arc<Mutex<Sending>>,
) -> impl Stream<Item = UploadBlobRequest> + Send + 'static {
    stream::unfold((file, from, None::<Reader>, sending), |(file, offset, reader, sending)| async move {
        if offset >= file.size {
            return None;
        }
        let read = async {
            let mut reader = match reader {
                Some(reader) => reader,
                None => Reader::open(&file.source, offset).await?,
            };
            let data = reader.read(CHUNK_BYTES).await?;
            Ok::<_, io::Error>((reader, data))
        };
        match read.await {
            Ok((_, data)) if data.is_empty() => {
                sending.lock().failure = Some(io::ErrorKind::UnexpectedEof.into());
                None
            }
            Ok((reader, data)) => {
                let end = offset + data.len() as u64;
                if let Some(share) = &mut sending.lock().share {
                    share.at(offset);
                }
                let request = UploadBlobRequest {
                    digest: file.digest.to_string(),
                    total_bytes: signed(file.size),
                    offset: signed(offset),
                    data,
                };
                Some((request, (file, end, Some(reader), sending)))
            }
            Err(error) => {
                sending.lock().failure = Some(error);
                None
            }
        }
    })
}

/// Reads a source in pieces.
enum Reader {
    File(Box<tokio::fs::File>),
    Bytes(Bytes),
    /// And how many of its bytes were read.
    Made(Arc<dyn Made>, u64),
}

impl Reader {
    async fn open(source: &Source, from: u64) -> io::Result<Self> {
        match source {
            Source::Path(path) => {
                let mut file = tokio::fs::File::open(path).await?;
                file.set_max_buf_size(CHUNK_BYTES);
                file.seek(SeekFrom::Start(from)).await?;
                Ok(Self::File(Box::new(file)))
            }
            Source::Bytes(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Self::Bytes(bytes.slice(from..)))
            }
            Source::Made(file) => Ok(Self::Made(Arc::clone(file), from)),
        }
    }

    /// The next `limit` bytes; fewer only at the end.
    async fn read(&mut self, limit: usize) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.split_to(limit.min(bytes.len()))),
            Self::Made(file, offset) => {
                let left = usize::try_from(file.size().saturating_sub(*offset)).unwrap_or(usize::MAX);
                let mut buffer = BytesMut::zeroed(limit.min(left));
                file.read(*offset, &mut buffer)?;
                *offset += buffer.len() as u64;
                Ok(buffer.freeze())
            }
            Self::File(file) => {
                let mut buffer = BytesMut::with_capacity(limit);
                let mut rest = file.take(limit as u64);
                while rest.read_buf(&mut buffer).await? > 0 {}
                Ok(buffer.freeze())
            }
        }
    }
}

async fn measure(files: &[(String, Source)]) -> Result<Vec<Measured>, ClientError> {
    let mut measured = Vec::with_capacity(files.len());
    for (name, source) in files {
        let (digest, size) = source.measure(name).await?;
        measured.push(Measured { name: name.clone(), source: source.clone(), digest, size });
    }
    Ok(measured)
}

fn to_proto(draft: &ArtifactDraft, files: &[Measured]) -> Artifact {
    let mut blobs: Vec<BlobEntry> = files.iter().map(entry).collect();
    blobs.sort_by(|a, b| a.path.cmp(&b.path));
    Artifact {
        kind: kind_value(draft.kind),
        parent: draft.parent.clone(),
        blobs,
        base_digest: draft.base_digest.clone(),
        tokenizer_digest: draft.tokenizer_digest.clone(),
        annotations: draft.annotations.clone().into_iter().collect(),
        ..Artifact::default()
    }
}

fn kind_value(kind: Kind) -> i32 {
    kind_to_proto(kind).into()
}

fn entry(file: &Measured) -> BlobEntry {
    BlobEntry { path: file.name.clone(), digest: file.digest.to_string(), size_bytes: signed(file.size) }
}

/// Sizes of files are below 2^63.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Says which file an error is about.
fn named(mut error: ClientError, name: &str) -> ClientError {
    error.message = format!("{name}: {}", error.message);
    error
}
