//! What a request is computed with beside the base: one adapter, or a weighted sum of several, with leases on all of them.

use std::sync::Arc;

use rootstock_artifacts::Digest;
use rootstock_model::{Adapter, KvCache};
use rootstock_peft::{LoraAdapter, WeightedSum};

use super::AdapterLease;
use crate::{error::Error, follower::Bound};

/// Adapters in use.
#[derive(Debug)]
pub(crate) enum Applied {
    One(AdapterLease),
    Sum { parts: Vec<(AdapterLease, f64)>, sum: Arc<WeightedSum> },
}

/// One adapter of a weighted sum, as the client is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) digest: Digest,
    /// Of its alias; 0 if it was asked for by its digest.
    pub(crate) generation: i64,
    pub(crate) weight: f64,
}

impl Applied {
    /// The sum of adapters of one base model, added in this order.
    pub(crate) fn sum(parts: Vec<(AdapterLease, f64)>) -> Result<Self, Error> {
        let weights =
            parts.iter().enumerate().map(|(index, (lease, weight))| Ok((summand(index, lease)?, *weight)));
        let weights = weights.collect::<Result<Vec<_>, Error>>()?;
        let sum = Arc::new(WeightedSum::new(&weights)?);
        Ok(Self::Sum { parts, sum })
    }

    /// The same for another sequence.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::One(lease) => Self::One(lease.again()),
            Self::Sum { parts, sum } => Self::Sum {
                parts: parts.iter().map(|(lease, weight)| (lease.again(), *weight)).collect(),
                sum: Arc::clone(sum),
            },
        }
    }

    /// The weights that compute a token, by its place in the text; after a switch they are others than before.
    pub(crate) fn weights_at(&self, token: usize) -> &dyn Adapter {
        match self {
            Self::One(lease) => &lease.version_at(token).weights,
            Self::Sum { sum, .. } => &**sum,
        }
    }

    /// The keys and values that a sequence begins with, where the adapter puts something before it.
    pub(crate) fn start(&self) -> Option<&KvCache> {
        self.one()?.start()
    }

    /// Virtual tokens before a sequence.
    pub(crate) fn virtual_tokens(&self) -> usize {
        self.one().map_or(0, AdapterLease::virtual_tokens)
    }

    /// Where the next version takes over from the one that computes a token, if another one does.
    pub(crate) fn switches_after(&self, token: usize) -> Option<usize> {
        self.one()?.earlier.iter().map(|(end, _)| *end).find(|end| token < *end)
    }

    /// The one adapter, if it is no sum.
    pub(crate) fn one(&self) -> Option<&AdapterLease> {
        match self {
            Self::One(lease) => Some(lease),
            Self::Sum { .. } => None,
        }
    }

    /// What it is called in metrics: its name, or the digest of one without.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::One(lease) => lease.label(),
            Self::Sum { .. } => "(sum)".to_owned(),
        }
    }

    /// What the numbers that it computes follow from.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::One(lease) => lease.digest().to_string(),
            Self::Sum { parts, .. } => parts
                .iter()
                .map(|(lease, weight)| format!("{:016x}*{}+", weight.to_bits(), lease.digest()))
                .collect(),
        }
    }

    /// Why the request must end because of a publish, if it must.
    pub(crate) fn replaced(&self) -> Option<Error> {
        match self {
            Self::One(lease) => lease.replaced(),
            Self::Sum { parts, .. } => parts.iter().find_map(|(lease, _)| lease.replaced()),
        }
    }

    /// Goes on with another version from a token on, if a publish said so and it is loaded; says with which. A sum stays what it was
    /// made of.
    pub(crate) fn switch(&mut self, token: usize) -> Option<Bound> {
        match self {
            Self::One(lease) => lease.switch(token),
            Self::Sum { .. } => None,
        }
    }

    /// What is summed up, in order; nothing for one adapter.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let Self::Sum { parts, .. } = self else { return Vec::new() };
        let part = |(lease, weight): &(AdapterLease, f64)| Part {
            digest: *lease.digest(),
            generation: lease.bound().generation,
            weight: *weight,
        };
        parts.iter().map(part).collect()
    }
}

/// What a part of a sum adds, if it is nothing but pairs.
fn summand(index: usize, lease: &AdapterLease) -> Result<&LoraAdapter, Error> {
    lease.version.weights.summand().map_err(|what| {
        let message = format!(
            "is {}, an adapter with {what}; a sum takes LoRA and rsLoRA on projections alone, so ask for it by itself",
            lease.digest()
        );
        Error::invalid(format!("adapters[{index}].name"), message)
    })
}
