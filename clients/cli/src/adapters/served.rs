//! A published adapter as a row, and as the answer to a swap.
use rootstock_client::proto::inference::v1::{Adapter, AdapterTier};
use serde::Serialize;

use crate::CliError;
use crate::figures::rounded;
use crate::table::{self, Tabular};

#[derive(Debug, Serialize)]
pub(super) struct Served {
    name: String,
    digest: String,
    generation: i64,
    base_digest: String,
    tier: &'static str,
    resident: bool,
    pinned: bool,
    memory_bytes: i64,
    leases: i32,
    canary_digest: String,
    canary_share: f64,
    update_time: Option<String>,
}

/// An adapter after a swap, and how long that took.
#[derive(Debug, Serialize)]
pub(super) struct Swapped {
    #[serde(flatten)]
    served: Served,
    #[serde(serialize_with = "rounded")]
    swap_ms: f64,
}

impl Swapped {
    pub(super) fn new(adapter: Option<Adapter>, swap_ms: f64) -> Result<Self, CliError> {
        let adapter = adapter.ok_or_else(|| CliError::refused("the server's answer has no adapter"))?;
        Ok(Self { served: adapter.into(), swap_ms })
    }
}

impl Tabular for Swapped {
    const HEADER: &'static [&'static str] = &["name", "digest", "generation", "base", "canary", "swap ms"];

    fn cells(&self) -> Vec<String> {
        let Served { name, digest, generation, base_digest, .. } = &self.served;
        let swap_ms = format!("{:.1}", self.swap_ms);
        let canary = self.served.canary(str::to_owned);
        vec![name.clone(), digest.clone(), generation.to_string(), base_digest.clone(), canary, swap_ms]
    }
}

/// One adapter by itself, with all of its digests.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Alone(Served);

impl From<Adapter> for Alone {
    fn from(adapter: Adapter) -> Self {
        Self(adapter.into())
    }
}

impl Tabular for Alone {
    const HEADER: &'static [&'static str] =
        &["name", "digest", "generation", "base", "where", "memory", "leases", "canary", "updated"];

    fn cells(&self) -> Vec<String> {
        self.0.row(str::to_owned)
    }
}

impl From<Adapter> for Served {
    fn from(adapter: Adapter) -> Self {
        let tier = match adapter.tier() {
            AdapterTier::Unspecified => "unknown",
            AdapterTier::Stored => "stored",
            AdapterTier::OnDisk => "on disk",
            AdapterTier::InMemory => "in memory",
        };
        Self {
            name: adapter.name,
            digest: adapter.digest,
            generation: adapter.generation,
            base_digest: adapter.base_digest,
            tier,
            resident: adapter.resident,
            pinned: adapter.pinned,
            memory_bytes: adapter.memory_bytes,
            leases: adapter.leases,
            canary_digest: adapter.canary_digest,
            canary_share: adapter.canary_share,
            update_time: adapter.update_time.map(|time| time.to_string()),
        }
    }
}

impl Served {
    fn canary(&self, written: impl Fn(&str) -> String) -> String {
        match self.canary_digest.as_str() {
            "" => "-".to_owned(),
            digest => format!("{:.3}% {}", self.canary_share * 100.0, written(digest)),
        }
    }

    /// The cells, with digests as `written` gives them.
    fn row(&self, written: impl Fn(&str) -> String) -> Vec<String> {
        vec![
            self.name.clone(),
            written(&self.digest),
            self.generation.to_string(),
            written(&self.base_digest),
            if self.pinned { format!("{}, pinned", self.tier) } else { self.tier.to_owned() },
            table::bytes(self.memory_bytes),
            self.leases.to_string(),
            self.canary(written),
            table::time(self.update_time.as_deref()),
        ]
    }
}

impl Tabular for Served {
    const HEADER: &'static [&'static str] =
        &["NAME", "DIGEST", "GENERATION", "BASE", "WHERE", "MEMORY", "LEASES", "CANARY", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        self.row(table::short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_by_itself_has_whole_digests_under_the_names_that_a_swap_has() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let adapter = Adapter {
            digest: digest.clone(),
            canary_digest: digest.clone(),
            canary_share: 0.5,
            ..Adapter::default()
        };
        let alone = Alone::from(adapter.clone());
        let swapped = Swapped::new(Some(adapter.clone()), 1.0).unwrap();
        assert_eq!((&alone.cells()[1], &swapped.cells()[1]), (&digest, &digest));
        assert_eq!(alone.cells()[7], format!("50.000% {digest}"));
        assert_eq!(Alone::HEADER[..4], Swapped::HEADER[..4]);
        assert_eq!(Alone::HEADER.len(), alone.cells().len());
        assert_eq!(Served::from(adapter).cells()[1], table::short(&digest));
    }
}
