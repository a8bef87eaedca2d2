//! What the server says of its adapters: how many it has loaded and how many are in memory, from its own metrics.

use rootstock_runtime::Metrics;

use crate::bench::BenchError;

/// The counter of adapters loaded.
const LOADS: &str = "rootstock_inference_loads_total{what=\"adapters\",outcome=\"loaded\"}";
/// The gauge of adapters in memory.
const RESIDENT: &str = "rootstock_inference_adapters_resident";

/// The adapters at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) loads: u64,
    pub(super) resident: u64,
}

impl Counts {
    pub(super) fn read(metrics: &Metrics) -> Result<Self, BenchError> {
        let text = metrics.encode();
        let text = text.map_err(|_| BenchError::Unexpected("the metrics can't be read".to_owned()))?;
        Ok(Self::of(&text))
    }

    /// What has never been counted has no line.
    fn of(text: &str) -> Self {
        let value = |name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            rest.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Self { loads: value(LOADS), resident: value(RESIDENT) }
    }

    /// Adapters loaded since then.
    pub(super) fn loads_since(self, before: Self) -> u64 {
        self.loads.saturating_sub(before.loads)
    }

    /// Adapters dropped from memory since then: those that were there or came, and are not there.
    pub(super) fn evictions_since(self, before: Self) -> u64 {
        (before.resident + self.loads_since(before)).saturating_sub(self.resident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_adapters_and_what_is_gone_was_evicted() {
        let text = "rootstock_inference_adapters_resident 3\n\
                    rootstock_inference_loads_total{what=\"base models\",outcome=\"loaded\"} 1\n\
                    rootstock_inference_loads_total{what=\"adapters\",outcome=\"loaded\"} 10\n";
        let (before, now) = (Counts { loads: 4, resident: 2 }, Counts::of(text));
        assert_eq!(now, Counts { loads: 10, resident: 3 });
        assert_eq!((now.loads_since(before), now.evictions_since(before)), (6, 5));
        assert_eq!(Counts::of(""), Counts { loads: 0, resident: 0 });
    }
}
