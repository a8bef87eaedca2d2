//! The client of CheckpointService: aliases here, transfers in `checkpoint/upload.rs` and `checkpoint/fetch.rs`.
mod draft;
mod fetch;
mod progress;
mod upload;

pub use draft::{ArtifactDraft, Made, Source};
pub use fetch::FetchedArtifact;
pub use progress::{Progress, Transfer};
use rootstock_artifacts::Kind;
use rootstock_proto::checkpoint::v1::checkpoint_service_client::CheckpointServiceClient;
use rootstock_proto::checkpoint::v1::{
    Alias, Artifact, ArtifactKind, DeleteArtifactRequest, GetAliasRequest, GetArtifactRequest,
    ListAliasesRequest, ListArtifactsRequest, RetireAliasRequest, SetAliasRequest, VerifyArtifactRequest,
    WatchAliasesRequest, WatchAliasesResponse,
};

use crate::call::unary;
use crate::clients::service_client;
use crate::stream::{End, Watch};
use crate::{ClientError, EventStream, Transport, stream};

service_client! {
    /// Stores artifacts and moves aliases.
    CheckpointClient, CheckpointServiceClient<Transport>
}

/// What an alias must be for [`set_alias`](CheckpointClient::set_alias) to move it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It doesn't exist.
    Absent,
    /// It has this etag.
    Etag(String),
    /// Anything.
    Any,
}

impl CheckpointClient {
    /// Returns one artifact by digest, alias or version.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn get_artifact(&self, name: impl Into<String>) -> Result<Artifact, ClientError> {
        let response = unary!(self.idempotent, get_artifact, GetArtifactRequest { name: name.into() })?;
        response.artifact.ok_or_else(|| ClientError::incomplete("artifact"))
    }

    /// Lists all artifacts of a kind, newest first: the versions of one alias with `parent`, otherwise all.
    ///
    /// # Errors
    /// INVALID_FIELD, or the connection's.
    pub async fn list_artifacts(
        &self,
        parent: Option<&str>,
        kind: Option<Kind>,
    ) -> Result<Vec<Artifact>, ClientError> {
        let mut artifacts = Vec::new();
        let mut request = ListArtifactsRequest {
            parent: parent.unwrap_or_default().into(),
            kind: kind.map_or(ArtifactKind::Unspecified, kind_to_proto).into(),
            ..ListArtifactsRequest::default()
        };
        loop {
            let page = unary!(self.idempotent, list_artifacts, request.clone())?;
            artifacts.extend(page.artifacts);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(artifacts);
            }
        }
    }

    /// Deletes an artifact that no alias names; returns the bytes freed.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, IN_USE, or the connection's.
    pub async fn delete_artifact(&self, digest: impl Into<String>) -> Result<i64, ClientError> {
        let request = DeleteArtifactRequest { digest: digest.into() };
        Ok(unary!(self.once, delete_artifact, request)?.freed_bytes)
    }

    /// Lets the server read every byte of an artifact and compare it with its digest; returns how many that were.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, CORRUPT, or the connection's.
    pub async fn verify_artifact(&self, digest: impl Into<String>) -> Result<i64, ClientError> {
        let request = VerifyArtifactRequest { digest: digest.into() };
        Ok(unary!(self, self.caller.long(), idempotent, verify_artifact, request)?.verified_bytes)
    }

    /// Returns an alias record with its recent history.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, or the connection's.
    pub async fn get_alias(&self, name: impl Into<String>) -> Result<Alias, ClientError> {
        let response = unary!(self.idempotent, get_alias, GetAliasRequest { name: name.into() })?;
        response.alias.ok_or_else(|| ClientError::incomplete("alias"))
    }

    /// Lists all alias records below a collection such as `adapters/`, or with "" all, by name.
    ///
    /// # Errors
    /// INVALID_FIELD, or the connection's.
    pub async fn list_aliases(&self, prefix: impl Into<String>) -> Result<Vec<Alias>, ClientError> {
        let mut aliases = Vec::new();
        let mut request = ListAliasesRequest { prefix: prefix.into(), ..ListAliasesRequest::default() };
        loop {
            let page = unary!(self.idempotent, list_aliases, request.clone())?;
            aliases.extend(page.aliases);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(aliases);
            }
        }
    }

    /// Moves an alias by compare-and-swap. Never tried again by itself: after a lost answer, read the alias.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND (the artifact), ALIAS_MOVED, or the connection's.
    pub async fn set_alias(
        &self,
        name: impl Into<String>,
        digest: impl Into<String>,
        expect: Expect,
    ) -> Result<Alias, ClientError> {
        let (etag, force) = match expect {
            Expect::Absent => (String::new(), false),
            Expect::Etag(etag) => (etag, false),
            Expect::Any => (String::new(), true),
        };
        let (name, digest) = (name.into(), digest.into());
        self.move_alias(SetAliasRequest { name, digest, etag, force, ..SetAliasRequest::default() }).await
    }

    /// The same with all that a record can say: a canary, a pin, what running requests do.
    ///
    /// # Errors
    /// As [`set_alias`](Self::set_alias).
    pub async fn move_alias(&self, request: SetAliasRequest) -> Result<Alias, ClientError> {
        unary!(self.once, set_alias, request)?.alias.ok_or_else(|| ClientError::incomplete("alias"))
    }

    /// Takes an alias out of service if it has this etag, or with "" whatever it is now.
    ///
    /// # Errors
    /// INVALID_FIELD, NOT_FOUND, ALIAS_MOVED, or the connection's.
    pub async fn retire_alias(
        &self,
        name: impl Into<String>,
        etag: impl Into<String>,
    ) -> Result<Alias, ClientError> {
        let request = RetireAliasRequest { name: name.into(), etag: etag.into() };
        unary!(self.once, retire_alias, request)?.alias.ok_or_else(|| ClientError::incomplete("alias"))
    }

    /// Streams every alias below a collection (`adapters/`, or "" for all) as it stands, a message with `synced`, and
    /// then each move; with `after_event_id` the moves since. Never ends by itself and goes on after a cut without
    /// loss; after a cut another `synced` may come.
    pub fn watch_aliases(
        &self,
        prefix: impl Into<String>,
        after_event_id: i64,
    ) -> EventStream<WatchAliasesResponse> {
        let (raw, prefix) = (self.raw(), prefix.into());
        let open = move |after_event_id| {
            let (mut raw, prefix) = (raw.clone(), prefix.clone());
            async move {
                Ok(raw.watch_aliases(WatchAliasesRequest { prefix, after_event_id }).await?.into_inner())
            }
        };
        let event_id = |message: &WatchAliasesResponse| message.event_id;
        let max_outage = self.caller.max_outage;
        stream::resuming(Watch { open, event_id, after: after_event_id, end: End::Cut, max_outage })
    }
}

/// The contract's value for a kind.
pub fn kind_to_proto(kind: Kind) -> ArtifactKind {
    match kind {
        Kind::BaseModel => ArtifactKind::BaseModel,
        Kind::Adapter => ArtifactKind::Adapter,
        Kind::TrainingState => ArtifactKind::TrainingState,
        Kind::Tokenizer => ArtifactKind::Tokenizer,
        Kind::Dataset => ArtifactKind::Dataset,
        Kind::Evaluation => ArtifactKind::Evaluation,
        Kind::Fisher => ArtifactKind::Fisher,
    }
}

/// The kind of the contract's value; `None` if it is unspecified.
pub fn kind_from_proto(kind: ArtifactKind) -> Option<Kind> {
    match kind {
        ArtifactKind::Unspecified => None,
        ArtifactKind::BaseModel => Some(Kind::BaseModel),
        ArtifactKind::Adapter => Some(Kind::Adapter),
        ArtifactKind::TrainingState => Some(Kind::TrainingState),
        ArtifactKind::Tokenizer => Some(Kind::Tokenizer),
        ArtifactKind::Dataset => Some(Kind::Dataset),
        ArtifactKind::Evaluation => Some(Kind::Evaluation),
        ArtifactKind::Fisher => Some(Kind::Fisher),
    }
}
