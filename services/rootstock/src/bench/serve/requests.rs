//! Without another wish: so many requests by all clients at once, and some of them again, alone.

use serde::Serialize;

use super::counts::Counts;
use super::figures::Figures;
use super::truth::{self, Sample};
use super::{Bench, Measured, load};
use crate::bench::BenchError;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Requests before those that are measured, so that the server has the memory that it will need.
    pub(super) warm: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    /// How the requests came to the engine.
    transport: &'static str,
    /// Adapters in memory while it was measured, whether they were asked or not.
    adapters_resident: u64,
}

/// Lets all clients ask at once, and asks some of it again.
pub(super) async fn measure(bench: &Bench, plan: Plan, again: usize) -> Result<Measured, BenchError> {
    let Bench { transport, load, output, .. } = bench;
    if plan.warm > 0 {
        output.line(&format!("{} requests to warm up", plan.warm));
        // After the one that has warmed up already: each has a prompt of its own.
        let first = load.requests + 1;
        load::together(transport, load, first..first + plan.warm).await?;
    }
    output.line(&format!("{} requests of {} clients", load.requests, load.concurrency));
    let samples = load::together(transport, load, 0..load.requests).await?;
    let report =
        Report { transport: transport.name(), adapters_resident: Counts::read(&bench.metrics)?.resident };
    output.line(&format!("asking {again} of them again, one at a time"));
    let mismatches = truth::mismatches(bench, load::spread(&samples, again)).await?;
    let figures = Figures::new(samples.iter().map(Sample::answer), load.prompt, mismatches)?;
    Measured::new(figures, again, &report)
}
