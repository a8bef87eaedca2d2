//! The settings of the inference service.

use std::{collections::BTreeMap, time::Duration};

use rootstock_runtime::config::units;
use serde::{Deserialize, Serialize};

/// The most threads that step sequences.
const MAX_COMPUTE_THREADS: usize = 1024;
/// Far more tokens than a context has.
const MAX_OUTPUT_BUFFER: usize = 1 << 20;
/// The smallest and the largest share of a tenant.
const LEAST_WEIGHT: f64 = 1e-3;
const MOST_WEIGHT: f64 = 1e3;

/// What the weights of base models are in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightDtype {
    /// As they are in the files: bf16 stays bf16, everything else becomes f32.
    #[default]
    Stored,
    /// 32-bit floats.
    F32,
    /// Brain floats of 16 bits.
    Bf16,
    /// Integers of 8 bits, each 64 with a scale: half the memory of bf16, and nearly twice the speed where reading weights is what
    /// takes the time. Adapters beside them are bf16.
    Int8,
}

/// The settings of the inference service, section `inference`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base models to load at the start, by alias or digest; others are loaded when they are first asked for. The
    /// service is not SERVING before these are loaded.
    pub models: Vec<String>,
    /// Base models in memory at once, and as many encoders; of those not in use, the one least worth keeping goes first.
    pub max_models: usize,
    /// What their weights are in memory.
    pub weight_dtype: WeightDtype,
    /// Threads that step sequences. A step takes all sequences of a model together and uses all cores by itself; more threads
    /// are for several models at once.
    pub compute_threads: usize,
    /// Requests that are computed at once.
    pub max_running: usize,
    /// Requests that may wait for that; more are refused.
    pub max_queued: usize,
    /// Of these, requests of one tenant (metadata `rootstock-tenant`; all without it are one).
    pub max_queued_per_tenant: usize,
    /// Tokens of all prompts that may wait.
    pub max_queued_tokens: usize,
    /// Shares of tenants in what is computed, by name; all others have 1.
    pub tenant_weights: BTreeMap<String, f64>,
    /// Whether keys and values of beginnings are kept, as far as there is room, for later requests of the same tenant, model and
    /// adapter that begin with the same tokens.
    pub prefix_cache: bool,
    /// Bytes of keys and values of all sequences together.
    #[serde(with = "units::bytes")]
    pub kv_cache_bytes: u64,
    /// Bytes of adapter weights in memory; those not in use that are least worth keeping go first.
    #[serde(with = "units::bytes")]
    pub adapter_memory_bytes: u64,
    /// Bytes of one adapter's weights in memory; a larger one isn't loaded.
    #[serde(with = "units::bytes")]
    pub max_adapter_bytes: u64,
    /// Different adapters that requests of one tenant may keep in memory at once; 0 is as many as there is room for.
    pub max_adapters_per_tenant: usize,
    /// Bytes of their weights; 0 is as many as there is room for.
    #[serde(with = "units::bytes")]
    pub max_adapter_bytes_per_tenant: u64,
    /// Bytes of artifacts in the local cache on disk.
    #[serde(with = "units::bytes")]
    pub cache_bytes: u64,
    /// Tokens that may wait for a client that reads slowly; its sequence pauses when they are this many.
    pub output_buffer: usize,
    /// A client that reads nothing for so long is given up.
    #[serde(with = "units::duration")]
    pub stall_timeout: Duration,
    /// Evaluations that may wait; more are refused.
    pub max_queued_evaluations: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            max_models: 2,
            weight_dtype: WeightDtype::Stored,
            compute_threads: 1,
            max_running: 16,
            max_queued: 256,
            max_queued_per_tenant: 128,
            max_queued_tokens: 1 << 20,
            tenant_weights: BTreeMap::new(),
            prefix_cache: true,
            kv_cache_bytes: 1 << 30,
            adapter_memory_bytes: 1 << 30,
            max_adapter_bytes: 1 << 30,
            max_adapters_per_tenant: 0,
            max_adapter_bytes_per_tenant: 0,
            cache_bytes: 64 << 30,
            output_buffer: 64,
            stall_timeout: Duration::from_secs(60),
            max_queued_evaluations: 100,
        }
    }
}

fn is_share(weight: f64) -> bool {
    (LEAST_WEIGHT..=MOST_WEIGHT).contains(&weight)
}

/// A setting that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inference.{key} {problem}")]
pub struct ConfigProblem {
    /// The setting.
    pub key: &'static str,
    /// What it must be.
    pub problem: String,
}

impl Config {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let checks = [
            (self.max_models >= 1, "max_models"),
            (self.compute_threads >= 1, "compute_threads"),
            (self.max_running >= 1, "max_running"),
            (self.max_queued >= 1, "max_queued"),
            (self.max_queued_per_tenant >= 1, "max_queued_per_tenant"),
            (self.max_queued_tokens >= 1, "max_queued_tokens"),
            (self.kv_cache_bytes >= 1, "kv_cache_bytes"),
            (self.adapter_memory_bytes >= 1, "adapter_memory_bytes"),
            (self.max_adapter_bytes >= 1, "max_adapter_bytes"),
            (self.cache_bytes >= 1, "cache_bytes"),
            (self.output_buffer >= 1, "output_buffer"),
            (!self.stall_timeout.is_zero(), "stall_timeout"),
            (self.max_queued_evaluations >= 1, "max_queued_evaluations"),
        ];
        if let Some((_, key)) = checks.into_iter().find(|(holds, _)| !holds) {
            return Err(ConfigProblem { key, problem: "must be at least 1".to_owned() });
        }
        let most = [
            (self.compute_threads, MAX_COMPUTE_THREADS, "compute_threads"),
            (self.output_buffer, MAX_OUTPUT_BUFFER, "output_buffer"),
        ];
        if let Some((value, most, key)) = most.into_iter().find(|(value, most, _)| value > most) {
            return Err(ConfigProblem { key, problem: format!("is {value}, but must be at most {most}") });
        }
        if let Some((tenant, weight)) = self.tenant_weights.iter().find(|(_, weight)| !is_share(**weight)) {
            let problem =
                format!("gives {tenant:?} {weight}, but must be from {LEAST_WEIGHT} to {MOST_WEIGHT}");
            return Err(ConfigProblem { key: "tenant_weights", problem });
        }
        if self.models.len() > self.max_models {
            let problem =
                format!("names {} models, but max_models is {}", self.models.len(), self.max_models);
            return Err(ConfigProblem { key: "models", problem });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_nonsense_is_named() {
        Config::default().validate().unwrap();
        let none = Config { max_running: 0, ..Config::default() };
        assert_eq!(none.validate().unwrap_err().to_string(), "inference.max_running must be at least 1");
        let many = Config { compute_threads: 1025, ..Config::default() };
        assert_eq!(many.validate().unwrap_err().key, "compute_threads");
        let weights = BTreeMap::from([("a".to_owned(), 2.0), ("b".to_owned(), f64::NAN)]);
        let weighed = Config { tenant_weights: weights, ..Config::default() };
        assert!(weighed.validate().unwrap_err().to_string().contains("gives \"b\" NaN"));
        let models = ["a", "b", "c"].map(|id| format!("baseModels/{id}")).to_vec();
        let many = Config { models, ..Config::default() };
        assert_eq!(many.validate().unwrap_err().key, "models");
    }
}
