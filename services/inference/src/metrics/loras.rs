//! Which adapters requests are computed with and which they wait for, as one series for load balancers that send a request where its
//! adapter is at work already (the model server protocol of the Gateway API's inference extension).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::MetricType,
};

/// The series; clones share it. Its labels hold no more names than there are requests that may run and wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loras {
    most: Arc<AtomicUsize>,
    counts: Arc<Mutex<BTreeMap<String, Count>>>,
}

/// Requests for one adapter; it is in the map while there are any.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    running: usize,
    waiting: usize,
}

impl Count {
    fn of(&mut self, runs: bool) -> &mut usize {
        if runs { &mut self.running } else { &mut self.waiting }
    }
}

/// The names and the form that the protocol asks for.
#[derive(Debug, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    max_lora: usize,
    running_lora_adapters: String,
    waiting_lora_adapters: String,
}

impl Loras {
    /// Tells how many adapters may be at work at once.
    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Counts a request that waits.
    pub(crate) fn enter(&self, name: String) -> Counted {
        self.counts.lock().entry(name.clone()).or_default().waiting += 1;
        Counted { loras: self.clone(), name, runs: false }
    }

    fn labels(&self) -> Labels {
        let counts = self.counts.lock();
        let named = |holds: fn(&Count) -> bool| {
            let names = counts.iter().filter(|(_, count)| holds(count)).map(|(name, _)| name.as_str());
            names.collect::<Vec<_>>().join(",")
        };
        Labels {
            max_lora: self.most.load(Ordering::Relaxed),
            running_lora_adapters: named(|count| count.running > 0),
            waiting_lora_adapters: named(|count| count.waiting > 0),
        }
    }
}

impl EncodeMetric for Loras {
    /// The value is the time: of several series the newest holds.
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        encoder.encode_family(&self.labels())?.encode_gauge(&now.as_secs_f64())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// One request in the counts, taken out when dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    loras: Loras,
    name: String,
    runs: bool,
}

impl Counted {
    /// The request is computed from now on, or waits again.
    pub(crate) fn set_runs(&mut self, runs: bool) {
        if let Some(count) = self.loras.counts.lock().get_mut(&self.name) {
            *count.of(self.runs) -= 1;
            *count.of(runs) += 1;
        }
        self.runs = runs;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.loras.counts.lock();
        let Some(count) = counts.get_mut(&self.name) else { return };
        *count.of(self.runs) -= 1;
        if count.running + count.waiting == 0 {
            counts.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_named_once_while_requests_for_it_run_or_wait_and_not_afterwards() {
        let loras = Loras::default();
        loras.set_most(4);
        let [mut first, mut second, other] = ["a", "a", "b"].map(|name| loras.enter(name.to_owned()));
        first.set_runs(true);
        let labels = |running: &str, waiting: &str| Labels {
            max_lora: 4,
            running_lora_adapters: running.to_owned(),
            waiting_lora_adapters: waiting.to_owned(),
        };
        assert_eq!(loras.labels(), labels("a", "a,b"));
        second.set_runs(true);
        drop(first);
        assert_eq!(loras.labels(), labels("a", "b"));
        // Preempted.
        second.set_runs(false);
        assert_eq!(loras.labels(), labels("", "a,b"));
        drop((second, other));
        assert_eq!(loras.labels(), labels("", ""));
    }
}
