//! What the tokenization service counts.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use rootstock_runtime::Metrics;

/// The metrics of the tokenization service; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenizerMetrics {
    pub(crate) encoded_tokens: Counter,
    pub(crate) encoded_bytes: Counter,
    pub(crate) loads: Counter,
    pub(crate) resident: Gauge,
}

impl TokenizerMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let this = Self::default();
        let counters = [
            ("rootstock_tokenizer_encoded_tokens", "Tokens that texts were encoded to", &this.encoded_tokens),
            ("rootstock_tokenizer_encoded_bytes", "Bytes of text encoded", &this.encoded_bytes),
            ("rootstock_tokenizer_loads", "Tokenizers built from their files", &this.loads),
        ];
        for (name, help, counter) in counters {
            metrics.register(name, help, counter.clone());
        }
        metrics.register("rootstock_tokenizer_resident", "Tokenizers in memory", this.resident.clone());
        this
    }
}
