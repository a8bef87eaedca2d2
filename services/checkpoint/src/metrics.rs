//! The service's metrics.
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rootstock_artifacts::Kind;
use rootstock_runtime::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// What the store counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreMetrics {
    committed: Family<KindLabel, Counter>,
    moves: Counter,
    written: Counter,
    read: Counter,
    corrupt: Counter,
    collected: Counter,
    uploads: Gauge,
}

impl StoreMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.register(
            "rootstock_checkpoint_commits",
            "Artifacts committed, by kind",
            own.committed.clone(),
        );
        metrics.register("rootstock_checkpoint_alias_moves", "Moves of aliases", own.moves.clone());
        metrics.register(
            "rootstock_checkpoint_written_bytes",
            "Bytes of chunks taken in",
            own.written.clone(),
        );
        metrics.register("rootstock_checkpoint_read_bytes", "Bytes of blobs sent", own.read.clone());
        metrics.register("rootstock_checkpoint_corrupt", "Blobs found damaged", own.corrupt.clone());
        metrics.register(
            "rootstock_checkpoint_collected_bytes",
            "Bytes of blobs removed",
            own.collected.clone(),
        );
        metrics.register("rootstock_checkpoint_uploads", "Uploads in flight", own.uploads.clone());
        own
    }

    pub(crate) fn committed(&self, kind: Kind) {
        self.committed.get_or_create(&KindLabel { kind: kind.as_str() }).inc();
    }

    pub(crate) fn moved(&self) {
        self.moves.inc();
    }

    pub(crate) fn wrote(&self, bytes: usize, uploads: usize) {
        self.written.inc_by(bytes as u64);
        self.uploads.set(i64::try_from(uploads).unwrap_or(i64::MAX));
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.read.inc_by(bytes as u64);
    }

    pub(crate) fn corrupt(&self) {
        self.corrupt.inc();
    }

    pub(crate) fn collected(&self, bytes: u64) {
        self.collected.inc_by(bytes);
    }
}
