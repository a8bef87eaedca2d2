//! `--load-churn`: what running streams notice of adapters that are loaded and dropped all the time.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::beside::{self, Beside};
use super::counts::Counts;
use super::figures::Figures;
use super::store::{StoredAdapter, publisher};
use super::truth::{self, Sample};
use super::{Bench, Measured, made};
use crate::bench::BenchError;

/// The name under which one adapter after the other is published.
const CHURNED: &str = "adapters/bench-churned";
/// Adapters that take turns.
const COLD: usize = 8;
/// How many of them find room: fewer than take turns, so that each load drops another one.
const ROOM: u64 = 2;
/// The streams run alone for this part of the time before.
const ALONE: u32 = 4;

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct ChurnArgs {
    /// Load and drop adapters beside the streams for so many seconds; a quarter as long they run alone before
    #[arg(long, value_name = "SECONDS", group = "mode", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    load_churn: Option<u32>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    churn: Duration,
}

#[derive(Debug, Serialize)]
struct Report {
    quiet_gap_ms_p50: Option<f64>,
    quiet_gap_ms_p999: Option<f64>,
    churn_gap_ms_p50: Option<f64>,
    churn_gap_ms_p999: Option<f64>,
    /// The longest gaps with loads over the median one without.
    churn_p999_over_quiet_p50: Option<f64>,
    adapter_loads: u64,
    adapter_evictions: u64,
    errors: usize,
}

impl ChurnArgs {
    /// What to measure, if it is this.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.load_churn.map(|seconds| Plan { churn: Duration::from_secs(seconds.into()) })
    }
}

/// Memory for the adapters that take turns, of which one takes so many bytes.
pub(super) fn room(made: u64) -> u64 {
    ROOM * made
}

/// Lets the streams run without and with loads.
pub(super) async fn measure(bench: &Bench, plan: Plan) -> Result<Measured, BenchError> {
    let cold = made::store(&bench.clients, &bench.stored, &bench.shape, COLD).await?;
    bench.output.line(&format!("loads beside {} streams for {:?}", bench.load.concurrency, plan.churn));
    let before = Counts::read(&bench.metrics)?;
    let (streams, failed) = beside::measure(bench, plan.churn / ALONE, churn(bench, &cold, plan)).await?;
    let after = Counts::read(&bench.metrics)?;
    bench.output.line("asking alone what was answered");
    let samples = &streams.ran.samples;
    let mismatches = truth::mismatches(bench, samples).await?;
    let figures = Figures::new(samples.iter().map(Sample::answer), bench.load.prompt, mismatches)?;
    let report = Report::new(&streams, (before, after), failed);
    Measured::new(figures, samples.len(), &report)
}

/// Publishes one adapter after the other, each at least once, which loads it and drops another; returns how often that failed.
async fn churn(bench: &Bench, cold: &[StoredAdapter], plan: Plan) -> Result<usize, BenchError> {
    let publisher = publisher(&bench.clients);
    let begun = Instant::now();
    let mut failed = 0;
    for (turn, adapter) in cold.iter().cycle().enumerate() {
        if turn >= cold.len() && begun.elapsed() >= plan.churn {
            break;
        }
        failed += usize::from(publisher.publish_adapter(CHURNED, &adapter.digest, None).await.is_err());
    }
    Ok(failed)
}

impl Report {
    fn new(streams: &Beside, (before, after): (Counts, Counts), failed: usize) -> Self {
        let quiet_gap_ms_p50 = streams.alone.median_ms();
        let churn_gap_ms_p999 = streams.beside.percentile_ms(0.999);
        Self {
            quiet_gap_ms_p50,
            quiet_gap_ms_p999: streams.alone.percentile_ms(0.999),
            churn_gap_ms_p50: streams.beside.median_ms(),
            churn_gap_ms_p999,
            churn_p999_over_quiet_p50: churn_gap_ms_p999
                .zip(quiet_gap_ms_p50)
                .map(|(with, without)| with / without),
            adapter_loads: after.loads_since(before),
            adapter_evictions: after.evictions_since(before),
            errors: failed + streams.ran.unanswered(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::percentile::Times;
    use crate::bench::serve::streams::Ran;

    #[test]
    fn the_longest_gaps_with_loads_are_set_against_the_median_without() {
        let streams = Beside {
            ran: Ran { errors: 1, ..Ran::default() },
            alone: Times::of_ms([9.0, 4.0, 2.0]),
            beside: Times::of_ms([5.0, 10.0]),
        };
        let counts = |loads, resident| Counts { loads, resident };
        let report = Report::new(&streams, (counts(1, 1), counts(9, 3)), 2);
        assert_eq!((report.quiet_gap_ms_p50, report.churn_gap_ms_p50), (Some(4.0), Some(10.0)));
        assert_eq!(report.churn_p999_over_quiet_p50, Some(2.5));
        assert_eq!((report.adapter_loads, report.adapter_evictions, report.errors), (8, 6, 3));
    }
}
