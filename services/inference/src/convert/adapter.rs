//! AdapterService's messages.

use rootstock_artifacts::{AliasName, Digest, Kind};
use rootstock_proto::inference::v1 as proto;

use super::{from_micros, page_size};
use crate::{
    error::Error,
    publish::{Published, Swapped},
};

/// PublishAdapterRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) name: AliasName,
    pub(crate) digest: Digest,
    pub(crate) expected_generation: Option<i64>,
}

impl TryFrom<proto::PublishAdapterRequest> for Publish {
    type Error = Error;

    fn try_from(request: proto::PublishAdapterRequest) -> Result<Self, Error> {
        let expected_generation = request.expected_generation;
        if expected_generation.is_some_and(|generation| generation < 0) {
            return Err(Error::invalid("expected_generation", "must not be negative; 0 means never set"));
        }
        let digest = request.digest.parse().map_err(|error| Error::invalid("digest", format!("{error}")))?;
        Ok(Self { name: adapter_name("name", &request.name)?, digest, expected_generation })
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
        Ok(Self { page_size: page_size(request.page_size)?, after })
    }
}

/// `adapters/{id}`.
pub(super) fn adapter_name(field: &str, name: &str) -> Result<AliasName, Error> {
    let parsed: AliasName = name.parse().map_err(|error| Error::invalid(field, format!("{error}")))?;
    if parsed.kind() == Kind::Adapter {
        return Ok(parsed);
    }
    Err(Error::invalid(field, format!("{name:?} must be adapters/ and an id")))
}

impl From<Published> for proto::Adapter {
    fn from(published: Published) -> Self {
        let alias = published.alias;
        let bytes = published.resident_bytes.unwrap_or(0);
        Self {
            name: alias.name.to_string(),
            digest: alias.digest.to_string(),
            generation: alias.generation,
            base_digest: published.base.map(|base| base.to_string()).unwrap_or_default(),
            resident: published.resident_bytes.is_some(),
            memory_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            leases: published.leases,
            update_time: Some(from_micros(alias.update_micros)),
        }
    }
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
