//! What the training service counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use crate::store::State;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// The metrics of the training service; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) created: Counter,
    pub(crate) events: Counter,
    pub(crate) workers_started: Counter,
    pub(crate) workers_lost: Counter,
    pub(crate) workers: Gauge,
    pub(crate) watchers: Gauge,
    ended: Family<StateLabel, Counter>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &rootstock_runtime::Metrics) {
        let counters = [
            ("rootstock_trainer_jobs_created", "Training jobs created", &self.created),
            ("rootstock_trainer_events", "Events reported by workers", &self.events),
            ("rootstock_trainer_workers_started", "Worker processes started", &self.workers_started),
            (
                "rootstock_trainer_workers_lost",
                "Worker processes that ended before their job did",
                &self.workers_lost,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("rootstock_trainer_workers", "Worker processes that run", self.workers.clone());
        registry.register("rootstock_trainer_watchers", "Open watch streams", self.watchers.clone());
        registry.register(
            "rootstock_trainer_jobs_ended",
            "Training jobs by how they ended",
            self.ended.clone(),
        );
    }

    pub(crate) fn job_ended(&self, state: State) {
        self.ended.get_or_create(&StateLabel { state: state.name() }).inc();
    }
}
