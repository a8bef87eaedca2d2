//! The store over gRPC: the checkpoint service's client, and a cache of files on the local disk.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use rootstock_artifacts::{AliasName, ArtifactName, Cache, CacheError, Digest, Kind};
use rootstock_client::{ArtifactDraft, ClientError, Clients, Progress, checkpoint::kind_from_proto};
use rootstock_proto::{checkpoint::v1 as proto, common::v1::RunningRequests};
use rootstock_runtime::{ErrorReason, Failure, Tasks};
use tokio::runtime::Handle;
use tonic::Code;

use super::{
    Alias, AliasEvent, Artifact, Canary, EvidenceDraft, Expect, Fetched, Running, Store, Target, local::Local,
};
use crate::error::Error;

/// The file of an evaluation's evidence.
const EVIDENCE: &str = "evaluation.json";
/// How long an artifact's record is waited for, retries included: requests wait for it, and some can do without.
const RECORD_DEADLINE: Duration = Duration::from_secs(2);

/// The checkpoint service.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) clients: Clients,
    pub(crate) cache: Cache,
    pub(crate) local: Local,
    pub(crate) tasks: Tasks,
}

#[tonic::async_trait]
impl Store for Remote {
    async fn artifact(&self, name: &ArtifactName) -> Result<Artifact, Error> {
        let checkpoint = self.clients.with_deadline(RECORD_DEADLINE).checkpoint();
        let artifact = checkpoint.get_artifact(name.to_string()).await;
        to_artifact(&artifact.map_err(|error| failed(error, &name.to_string()))?)
    }

    async fn fetch(&self, digest: &Digest) -> Result<Fetched, Error> {
        let name = digest.to_string();
        let (client, cache) = (self.clients.checkpoint(), self.cache.clone());
        // A record never changes. What has been deleted in the store since can be had until its files are evicted here; what an alias
        // names is never deleted.
        let record = match self.local.record(digest) {
            Some(record) => record,
            None => client.get_artifact(name.clone()).await.map_err(|error| failed(error, &name))?,
        };
        let runtime = Handle::current();
        // A transfer hashes and writes most of the time, so a thread of its own carries it from end to end.
        let transfer = move || runtime.block_on(client.fetch_files(record, &cache, &Progress::none()));
        let fetched = self.tasks.spawn_blocking("inference-fetch", transfer).await?;
        let fetched = fetched.map_err(|error| failed(error, &name))?;
        let artifact = to_artifact(&fetched.artifact)?;
        self.local.fetched(*digest, &fetched);
        Ok(Fetched { artifact, files: fetched.files.clone(), _keep: Box::new(fetched) })
    }

    fn is_local(&self, digest: &Digest) -> bool {
        self.local.has(digest)
    }

    async fn alias(&self, name: &AliasName) -> Result<Option<Alias>, Error> {
        match self.clients.checkpoint().get_alias(name.to_string()).await {
            Ok(alias) => to_alias(alias).map(Some),
            Err(error) if error.is(ErrorReason::NotFound) => Ok(None),
            Err(error) => Err(failed(error, &name.to_string())),
        }
    }

    async fn set_alias(&self, name: &AliasName, target: &Target, expect: Expect) -> Result<Alias, Error> {
        let request = proto::SetAliasRequest {
            name: name.to_string(),
            digest: target.digest.to_string(),
            etag: match expect {
                Expect::Absent => String::new(),
                Expect::Etag(etag) => etag,
            },
            force: false,
            canary: target.canary.as_ref().map(from_canary),
            pinned: target.pinned,
            running_requests: from_running(target.running).into(),
        };
        let moved = self.clients.checkpoint().move_alias(request).await;
        // Any alias can be set; what may be missing is the version.
        to_alias(moved.map_err(|error| failed(error, &format!("a version of {name}")))?)
    }

    async fn retire_alias(&self, name: &AliasName, etag: &str) -> Result<Alias, Error> {
        let retired = self.clients.checkpoint().retire_alias(name.to_string(), etag).await;
        to_alias(retired.map_err(|error| failed(error, &name.to_string()))?)
    }

    fn watch(&self, after: i64) -> BoxStream<'static, Result<AliasEvent, Error>> {
        let events = self.clients.checkpoint().watch_aliases("", after);
        let decode = |message: Result<proto::WatchAliasesResponse, ClientError>| async {
            match message {
                Ok(message) => to_event(message).transpose(),
                Err(error) => Some(Err(failed(error, "the watch of aliases"))),
            }
        };
        events.filter_map(decode).boxed()
    }

    async fn put_evidence(&self, draft: EvidenceDraft) -> Result<Digest, Error> {
        let parent = draft.parent.clone();
        let artifact = ArtifactDraft::new(Kind::Evaluation)
            .parent(draft.parent)
            .base_digest(draft.base.to_string())
            .tokenizer_digest(draft.tokenizer)
            .file(EVIDENCE, draft.json);
        let stored = self.clients.checkpoint().upload_artifact(artifact, &Progress::none()).await;
        digest(&stored.map_err(|error| failed(error, &parent))?.digest)
    }
}

/// A failed call, in the words of this service; what is missing is named.
fn failed(error: ClientError, name: &str) -> Error {
    let local = error.source.as_deref().and_then(|source| source.downcast_ref());
    if let Some(CacheError::Full { needed, max, leased }) = local {
        return no_room(name, *needed, *max, *leased);
    }
    match error.reason {
        Some(ErrorReason::NotFound) => Error::NotFound(format!("{name} does not exist: {}", error.message)),
        Some(ErrorReason::AliasMoved) => Error::AliasMoved(error.message),
        Some(ErrorReason::Internal) => {
            Error::Internal(format!("the checkpoint service failed: {}", error.message))
        }
        Some(ErrorReason::ShuttingDown) => unavailable(),
        Some(reason) => {
            let failure = Failure::new(reason, error.message);
            Error::from(error.retry_after.into_iter().fold(failure, Failure::retry_after))
        }
        // An error of this side that is no connection's has its own message and cause.
        None if error.is_transient() || error.source.is_none() => unavailable(),
        None if error.code == Code::DeadlineExceeded => unavailable(),
        None => Error::Internal(error.to_string()),
    }
}

/// The local cache can't hold a file, now or ever.
fn no_room(name: &str, needed: u64, max: u64, leased: u64) -> Error {
    let what = format!("a file of {name} has {needed} bytes, and the local cache");
    if needed > max {
        return Error::ExceedsLimit(format!("{what} holds {max} in all; raise inference.cache_bytes"));
    }
    Error::Overloaded(format!(
        "{what} has {leased} of its {max} in use; retry later, or raise inference.cache_bytes"
    ))
}

fn unavailable() -> Error {
    crate::error::unavailable("the checkpoint service doesn't answer; retry")
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|error| Error::internal("the checkpoint service sent a digest that is none", error))
}

fn optional_digest(text: &str) -> Result<Option<Digest>, Error> {
    if text.is_empty() { Ok(None) } else { digest(text).map(Some) }
}

fn to_artifact(artifact: &proto::Artifact) -> Result<Artifact, Error> {
    let kind = kind_from_proto(artifact.kind());
    Ok(Artifact {
        digest: digest(&artifact.digest)?,
        kind: kind
            .ok_or_else(|| Error::Internal("the checkpoint service sent an artifact of no kind".into()))?,
        base: optional_digest(&artifact.base_digest)?,
        tokenizer: artifact.tokenizer_digest.clone(),
    })
}

fn from_canary(canary: &Canary) -> proto::Canary {
    proto::Canary { digest: canary.digest.to_string(), share: canary.share }
}

fn from_running(running: Running) -> RunningRequests {
    match running {
        Running::Finish => RunningRequests::Finish,
        Running::Switch => RunningRequests::Switch,
        Running::Abort => RunningRequests::Abort,
    }
}

fn to_alias(alias: proto::Alias) -> Result<Alias, Error> {
    let running = crate::convert::running(alias.running_requests());
    let name =
        alias.name.parse().map_err(|error| Error::internal("the checkpoint service sent an alias", error))?;
    let history = alias.history.iter().map(|revision| Ok((revision.generation, digest(&revision.digest)?)));
    Ok(Alias {
        name,
        digest: digest(&alias.digest)?,
        generation: alias.generation,
        update_micros: alias.update_time.as_ref().map_or(0, crate::convert::to_micros),
        base: optional_digest(&alias.base_digest)?,
        history: history.collect::<Result<_, Error>>()?,
        canary: alias.canary.as_ref().map(to_canary).transpose()?,
        pinned: alias.pinned,
        running,
        retired: alias.retired,
        etag: alias.etag,
    })
}

fn to_canary(canary: &proto::Canary) -> Result<Canary, Error> {
    Ok(Canary { digest: digest(&canary.digest)?, share: canary.share })
}

/// Aliases of kinds that this service doesn't know are left out.
fn to_event(message: proto::WatchAliasesResponse) -> Result<Option<AliasEvent>, Error> {
    let event_id = message.event_id;
    match message.alias {
        Some(alias) => Ok(Some(AliasEvent::Record { event_id, alias: Arc::new(to_alias(alias)?) })),
        None if message.synced => Ok(Some(AliasEvent::Synced { event_id })),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_is_to_be_retried_only_where_that_can_help() {
        let failed = |needed| {
            let full = CacheError::Full { needed, max: 5, leased: 4 };
            failed(ClientError::local("cannot store the file locally", full), "adapters/a")
        };
        for (needed, reason) in [(3, ErrorReason::Overloaded), (6, ErrorReason::ExceedsLimit)] {
            let error = failed(needed);
            assert_eq!(error.reason(), reason);
            assert!(error.to_string().contains("raise inference.cache_bytes"), "{error}");
        }
    }
}
