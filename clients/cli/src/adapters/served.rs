//! A published adapter as a row, and as the answer to a swap.
use rootstock_client::proto::inference::v1::Adapter;
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
    resident: bool,
    memory_bytes: i64,
    leases: i32,
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
    const HEADER: &'static [&'static str] = &["name", "digest", "generation", "base", "swap ms"];

    fn cells(&self) -> Vec<String> {
        let Served { name, digest, generation, base_digest, .. } = &self.served;
        let swap_ms = format!("{:.1}", self.swap_ms);
        vec![name.clone(), digest.clone(), generation.to_string(), base_digest.clone(), swap_ms]
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
        }
    }
}

impl Tabular for Served {
    const HEADER: &'static [&'static str] =
        &["NAME", "DIGEST", "GENERATION", "BASE", "RESIDENT", "MEMORY", "LEASES", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            table::short(&self.digest),
            self.generation.to_string(),
            table::short(&self.base_digest),
            if self.resident { "yes" } else { "no" }.to_owned(),
            table::bytes(self.memory_bytes),
            self.leases.to_string(),
            table::time(self.update_time.as_deref()),
        ]
    }
}
