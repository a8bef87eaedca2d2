//! A published adapter as a row.
use rootstock_client::proto::inference::v1::Adapter;
use serde::Serialize;

use crate::CliError;
use crate::table::{self, Tabular, or_dash};

#[derive(Debug, Serialize)]
pub(super) struct Served {
    name: String,
    digest: String,
    generation: i64,
    base_digest: String,
    resident: bool,
    memory_bytes: i64,
    leases: i32,
    update_time: Option<String>,
    /// Only after a swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    swap_ms: Option<f64>,
}

impl Served {
    /// What a swap gave.
    pub(super) fn after_swap(adapter: Option<Adapter>, swap_ms: f64) -> Result<Self, CliError> {
        let adapter = adapter.ok_or_else(|| CliError::refused("the server's answer has no adapter"))?;
        Ok(Self { swap_ms: Some(swap_ms), ..Self::from(adapter) })
    }
}

impl From<Adapter> for Served {
    fn from(adapter: Adapter) -> Self {
        Self {
            name: adapter.name,
            digest: adapter.digest,
            generation: adapter.generation,
            base_digest: adapter.base_digest,
            resident: adapter.resident,
            memory_bytes: adapter.memory_bytes,
            leases: adapter.leases,
            update_time: adapter.update_time.map(|time| time.to_string()),
            swap_ms: None,
        }
    }
}

impl Tabular for Served {
    const HEADER: &'static [&'static str] =
        &["NAME", "DIGEST", "GENERATION", "BASE", "RESIDENT", "MEMORY", "LEASES", "UPDATED", "SWAP MS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.digest.clone(),
            self.generation.to_string(),
            self.base_digest.clone(),
            if self.resident { "yes" } else { "no" }.to_owned(),
            table::bytes(self.memory_bytes),
            self.leases.to_string(),
            or_dash(self.update_time.as_ref()),
            or_dash(self.swap_ms.map(|ms| format!("{ms:.1}"))),
        ]
    }
}
