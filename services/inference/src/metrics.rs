//! What the inference service counts.

mod loras;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

pub(crate) use loras::Counted;
use loras::Loras;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

/// Upper bounds in seconds of the time to the first token: a cached tiny model to a long prompt behind a full queue.
const FIRST_TOKEN_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Upper bounds in seconds of the time of a step, and per token.
const STEP_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0];
/// Upper bounds of the sequences that share a step.
const SHARING_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 64.0, 128.0, 256.0];
/// Pairs of tenant and adapter that have series of their own; those that come later share one.
const MAX_SERIES: usize = 512;
const OTHERS: &str = "(others)";

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Finished,
    Cancelled,
    Failed,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabel {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabel {
    what: &'static str,
    outcome: &'static str,
}

/// Whose requests a series counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhoLabel {
    tenant: Arc<str>,
    adapter: String,
}

type TimesOf = Family<WhoLabel, Histogram, fn() -> Histogram>;

/// Where the times of one tenant's requests to one adapter are counted.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    queue: Histogram,
    first_token: Histogram,
    token: Histogram,
}

impl Times {
    /// A request has its first token, so long after its receipt and after its first computation began.
    pub(crate) fn first_token(&self, queued: Duration, after: Duration) {
        self.queue.observe(queued.as_secs_f64());
        self.first_token.observe(after.as_secs_f64());
    }

    /// A request's later tokens took so long together.
    pub(crate) fn tokens(&self, count: usize, took: Duration) {
        if count > 0 {
            self.token.observe(took.as_secs_f64() / count as f64);
        }
    }
}

/// The metrics of the inference service; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) running: Gauge,
    pub(crate) queued: Gauge,
    pub(crate) parked: Gauge,
    pub(crate) cache_bytes: Gauge,
    /// From 0 to 1.
    pub(crate) cache_in_use: Gauge<f64, AtomicU64>,
    pub(crate) loras: Loras,
    pub(crate) preemptions: Counter,
    pub(crate) adapter_swaps: Counter,
    pub(crate) adapters_resident: Gauge,
    /// Those that load beside sequences, or rest after it.
    pub(crate) adapters_loading: Gauge,
    /// Of these, those that came soon after another one; for the engine alone.
    pub(crate) loads_in_a_row: Gauge,
    pub(crate) adapter_bytes: Gauge,
    pub(crate) models_resident: Gauge,
    pub(crate) encoders_resident: Gauge,
    requests: Family<OutcomeLabel, Counter>,
    tokens: Family<KindLabel, Counter>,
    loads: Family<LoadLabel, Counter>,
    evictions: Family<WhatLabel, Counter>,
    who: Arc<Mutex<HashSet<WhoLabel>>>,
    queue: TimesOf,
    first_token: TimesOf,
    token: TimesOf,
    step_seconds: Histogram,
    step_sequences: Histogram,
}

fn waits() -> Histogram {
    Histogram::new(FIRST_TOKEN_BUCKETS)
}

fn steps() -> Histogram {
    Histogram::new(STEP_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            running: Gauge::default(),
            queued: Gauge::default(),
            parked: Gauge::default(),
            cache_bytes: Gauge::default(),
            cache_in_use: Gauge::default(),
            loras: Loras::default(),
            preemptions: Counter::default(),
            adapter_swaps: Counter::default(),
            adapters_resident: Gauge::default(),
            adapters_loading: Gauge::default(),
            loads_in_a_row: Gauge::default(),
            adapter_bytes: Gauge::default(),
            models_resident: Gauge::default(),
            encoders_resident: Gauge::default(),
            requests: Family::default(),
            tokens: Family::default(),
            loads: Family::default(),
            evictions: Family::default(),
            who: Arc::default(),
            queue: Family::new_with_constructor(waits),
            first_token: Family::new_with_constructor(waits),
            token: Family::new_with_constructor(steps),
            step_seconds: steps(),
            step_sequences: Histogram::new(SHARING_BUCKETS),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &rootstock_runtime::Metrics) {
        let gauges = [
            ("rootstock_inference_running", "Sequences being computed", &self.running),
            ("rootstock_inference_queued", "Sequences that wait to be computed", &self.queued),
            ("rootstock_inference_parked", "Sequences that wait for their client to read", &self.parked),
            ("rootstock_inference_kv_cache_bytes", "Bytes reserved for keys and values", &self.cache_bytes),
            ("rootstock_inference_adapters_resident", "Adapters in memory", &self.adapters_resident),
            (
                "rootstock_inference_adapters_loading",
                "Adapters that load beside sequences, or have just done so",
                &self.adapters_loading,
            ),
            ("rootstock_inference_adapter_bytes", "Bytes reserved for adapters", &self.adapter_bytes),
            ("rootstock_inference_models_resident", "Base models in memory", &self.models_resident),
            ("rootstock_inference_encoders_resident", "Encoders in memory", &self.encoders_resident),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "rootstock_inference_kv_cache_in_use_ratio",
            "Share of the room for keys and values that sequences use, from 0 to 1",
            self.cache_in_use.clone(),
        );
        registry.register(
            "rootstock_inference_lora_requests_info",
            "Adapters that requests are computed with and wait for; the value is the time",
            self.loras.clone(),
        );
        registry.register(
            "rootstock_inference_requests",
            "Sequences by how they ended",
            self.requests.clone(),
        );
        registry.register("rootstock_inference_tokens", "Tokens computed", self.tokens.clone());
        registry.register("rootstock_inference_loads", "Loads of models and adapters", self.loads.clone());
        registry.register(
            "rootstock_inference_evictions",
            "Models and adapters dropped from memory to make room",
            self.evictions.clone(),
        );
        registry.register(
            "rootstock_inference_preemptions",
            "Times that a sequence gave up its keys and values to others",
            self.preemptions.clone(),
        );
        registry.register(
            "rootstock_inference_adapter_swaps",
            "Moves of adapter aliases seen",
            self.adapter_swaps.clone(),
        );
        self.register_times(registry);
    }

    fn register_times(&self, registry: &rootstock_runtime::Metrics) {
        registry.register(
            "rootstock_inference_first_token_seconds",
            "Time from a request's receipt to its first token",
            self.first_token.clone(),
        );
        registry.register(
            "rootstock_inference_queue_seconds",
            "Time from a request's receipt to its first computation",
            self.queue.clone(),
        );
        registry.register(
            "rootstock_inference_token_seconds",
            "Time per token after a request's first",
            self.token.clone(),
        );
        registry.register(
            "rootstock_inference_step_seconds",
            "Time of a step of all sequences in it",
            self.step_seconds.clone(),
        );
        registry.register(
            "rootstock_inference_step_sequences",
            "Sequences that share a step",
            self.step_sequences.clone(),
        );
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Finished => "finished",
            Outcome::Cancelled => "cancelled",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
        };
        self.requests.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn prompt_computed(&self, tokens: usize) {
        self.tokens.get_or_create(&KindLabel { kind: "prompt" }).inc_by(tokens as u64);
    }

    /// Tokens of a prompt that were computed for an earlier request.
    pub(crate) fn prompt_cached(&self, tokens: usize) {
        self.tokens.get_or_create(&KindLabel { kind: "prompt_cached" }).inc_by(tokens as u64);
    }

    pub(crate) fn token_generated(&self) {
        self.tokens.get_or_create(&KindLabel { kind: "generated" }).inc();
    }

    /// The series of a tenant's requests to an adapter.
    pub(crate) fn of(&self, tenant: &Arc<str>, adapter: String) -> Times {
        let mut who = WhoLabel { tenant: Arc::clone(tenant), adapter };
        {
            let mut known = self.who.lock();
            if known.len() < MAX_SERIES {
                known.insert(who.clone());
            } else if !known.contains(&who) {
                who = WhoLabel { tenant: OTHERS.into(), adapter: OTHERS.to_owned() };
            }
        }
        let of = |family: &TimesOf| family.get_or_create(&who).clone();
        Times { queue: of(&self.queue), first_token: of(&self.first_token), token: of(&self.token) }
    }

    /// A step is done.
    pub(crate) fn stepped(&self, sequences: usize, took: Duration) {
        self.step_sequences.observe(sequences as f64);
        self.step_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn evicted(&self, what: &'static str) {
        self.evictions.get_or_create(&WhatLabel { what }).inc();
    }

    pub(crate) fn loaded(&self, what: &'static str, success: bool) {
        let outcome = if success { "loaded" } else { "failed" };
        self.loads.get_or_create(&LoadLabel { what, outcome }).inc();
    }
}

/// A number of bytes or things as a gauge takes it.
pub(crate) fn gauge_value(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded_and_those_who_come_later_share_one() {
        let metrics = Metrics::default();
        for number in 0..MAX_SERIES + 10 {
            metrics.of(&"t".into(), format!("adapters/{number}")).first_token(Duration::ZERO, Duration::ZERO);
        }
        let of = |tenant: &str, adapter: String| {
            let who = WhoLabel { tenant: tenant.into(), adapter };
            metrics.first_token.get(&who).is_some()
        };
        assert!(of("t", "adapters/0".into()) && of(OTHERS, OTHERS.into()));
        assert!(!of("t", format!("adapters/{MAX_SERIES}")));
    }
}
