//! AdapterService's messages.

use rootstock_artifacts::{AliasName, Kind};
use rootstock_proto::{common::v1::RunningRequests, inference::v1 as proto};

use super::{MAX_ADAPTERS, from_micros, page_size};
use crate::{
    error::Error,
    publish::{Change, Publish, Swapped},
    residency::{Adapter, Changes, Tier},
    store::Running,
};

impl TryFrom<proto::PublishAdapterRequest> for Publish {
    type Error = Error;

    fn try_from(request: proto::PublishAdapterRequest) -> Result<Self, Error> {
        Ok(Self {
            name: adapter_name("name", &request.name)?,
            digest: request.digest.parse().map_err(|error| Error::invalid("digest", format!("{error}")))?,
            expected: expected(request.expected_generation)?,
            change: change(&request)?,
        })
    }
}

fn expected(generation: Option<i64>) -> Result<Option<i64>, Error> {
    if generation.is_some_and(|generation| generation < 0) {
        let message = "must not be negative; 0 means that nothing is published";
        return Err(Error::invalid("expected_generation", message));
    }
    Ok(generation)
}

fn change(request: &proto::PublishAdapterRequest) -> Result<Change, Error> {
    let asked = RunningRequests::try_from(request.running_requests)
        .map_err(|_| Error::invalid("running_requests", "must be finish, switch or abort"))?;
    match request.canary_share {
        None => Ok(Change::Version(running(asked))),
        Some(share) if !(share > 0.0 && share < 1.0) => {
            Err(Error::invalid("canary_share", format!("is {share}; must be above 0 and below 1")))
        }
        Some(_) if asked != RunningRequests::Unspecified => Err(Error::invalid(
            "running_requests",
            "must be unset with canary_share: a canary replaces no version",
        )),
        Some(share) => Ok(Change::Canary(share)),
    }
}

/// What running requests do at a move.
pub(crate) fn running(requests: RunningRequests) -> Running {
    match requests {
        RunningRequests::Unspecified | RunningRequests::Finish => Running::Finish,
        RunningRequests::Switch => Running::Switch,
        RunningRequests::Abort => Running::Abort,
    }
}

/// RetireAdapterRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retire {
    pub(crate) name: AliasName,
    pub(crate) expected: Option<i64>,
}

impl TryFrom<proto::RetireAdapterRequest> for Retire {
    type Error = Error;

    fn try_from(request: proto::RetireAdapterRequest) -> Result<Self, Error> {
        Ok(Self {
            name: adapter_name("name", &request.name)?,
            expected: expected(request.expected_generation)?,
        })
    }
}

/// RollbackAdapterRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rollback {
    pub(crate) name: AliasName,
    pub(crate) to_generation: Option<i64>,
}

impl TryFrom<proto::RollbackAdapterRequest> for Rollback {
    type Error = Error;

    fn try_from(request: proto::RollbackAdapterRequest) -> Result<Self, Error> {
        let to_generation = match request.to_generation {
            0 => None,
            generation if generation > 0 => Some(generation),
            _ => {
                return Err(Error::invalid(
                    "to_generation",
                    "must not be negative; 0 means the version before",
                ));
            }
        };
        Ok(Self { name: adapter_name("name", &request.name)?, to_generation })
    }
}

/// ListAdaptersRequest. The token is the last name of the page before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListAdapters {
    pub(crate) page_size: usize,
    pub(crate) after: Option<AliasName>,
}

impl TryFrom<proto::ListAdaptersRequest> for ListAdapters {
    type Error = Error;

    fn try_from(request: proto::ListAdaptersRequest) -> Result<Self, Error> {
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(adapter_name("page_token", token).map_err(|_| {
                Error::invalid("page_token", "is none that ListAdapters gave; leave it out to begin again")
            })?),
        };
        Ok(Self { page_size: page_size(request.page_size, MAX_ADAPTERS)?, after })
    }
}

/// `adapters/{id}`.
pub(crate) fn adapter_name(field: &str, name: &str) -> Result<AliasName, Error> {
    let parsed: AliasName = name.parse().map_err(|error| Error::invalid(field, format!("{error}")))?;
    if parsed.kind() == Kind::Adapter {
        return Ok(parsed);
    }
    Err(Error::invalid(field, format!("{name:?} must be adapters/ and an id")))
}

impl From<Adapter> for proto::Adapter {
    fn from(adapter: Adapter) -> Self {
        let alias = adapter.alias;
        let canary = alias.canary.as_ref();
        Self {
            name: alias.name.to_string(),
            digest: alias.digest.to_string(),
            generation: alias.generation,
            base_digest: alias.base.map(|base| base.to_string()).unwrap_or_default(),
            resident: adapter.tier == Tier::InMemory,
            memory_bytes: signed(adapter.memory_bytes),
            leases: adapter.leases,
            update_time: Some(from_micros(alias.update_micros)),
            tier: proto::AdapterTier::from(adapter.tier).into(),
            pinned: alias.pinned,
            canary_digest: canary.map(|canary| canary.digest.to_string()).unwrap_or_default(),
            canary_share: canary.map_or(0.0, |canary| canary.share),
        }
    }
}

impl From<Tier> for proto::AdapterTier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Stored => Self::Stored,
            Tier::OnDisk => Self::OnDisk,
            Tier::InMemory => Self::InMemory,
        }
    }
}

impl From<Changes> for proto::WatchAdaptersResponse {
    fn from(changes: Changes) -> Self {
        let totals = changes.totals;
        Self {
            adapters: changes.adapters.into_iter().map(Into::into).collect(),
            retired_names: changes.retired.iter().map(ToString::to_string).collect(),
            synced: changes.synced,
            memory_bytes: signed(totals.memory_bytes),
            memory_limit_bytes: signed(totals.limit_bytes),
            loads: signed(totals.counts.loads),
            evictions: signed(totals.counts.evictions),
        }
    }
}

/// A number of bytes or things as the contract has it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<Swapped> for proto::PublishAdapterResponse {
    fn from(swapped: Swapped) -> Self {
        Self { adapter: Some(swapped.adapter.into()), swap_ms: swapped.swap_ms }
    }
}

impl From<Swapped> for proto::RollbackAdapterResponse {
    fn from(swapped: Swapped) -> Self {
        Self { adapter: Some(swapped.adapter.into()), swap_ms: swapped.swap_ms }
    }
}
