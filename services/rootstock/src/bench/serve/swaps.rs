//! `--swaps`: how long publishing takes while others generate, and whether every answer is that of one version alone.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::client::ask;
use super::figures::Figures;
use super::load::Load;
use super::store::publisher;
use super::streams::{Ran, Streams};
use super::truth::{self, Sample};
use super::{Bench, Measured};
use crate::bench::BenchError;
use crate::bench::percentile::Times;

/// The name under which two versions take turns.
const SWAPPED: &str = "adapters/bench-swapped";
/// Versions that take turns.
const VERSIONS: usize = 2;
/// Different prompts: few, so that a reference for each of them takes no time beside thousands of swaps.
const PROMPTS: usize = 8;
/// Tokens of a request that is sent for its first one: the second comes from a step that decodes.
const PROBE_TOKENS: usize = 2;

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct SwapsArgs {
    /// Publish the other one of two adapters so many times under one name, beside streams that use it
    #[arg(long, value_name = "N", group = "mode", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    swaps: Option<u32>,
    /// Streams beside the swaps; 0 swaps on an idle server [default: the concurrency]
    #[arg(long, value_name = "S", requires = "swaps", value_parser = clap::value_parser!(u32).range(0..=4096))]
    streams: Option<u32>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    swaps: usize,
    streams: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    swaps: usize,
    streams: usize,
    swap_ms_p50: Option<f64>,
    swap_ms_p99: Option<f64>,
    publish_call_ms_p50: Option<f64>,
    ttft_after_swap_ms_p50: Option<f64>,
    errors: usize,
}

/// What one swap after the other told.
#[derive(Debug, Default)]
struct Swapped {
    /// Requests sent where nothing was published.
    before: Vec<Sample>,
    /// Requests sent as soon as a publishing call returned.
    after: Vec<Sample>,
    /// Of those, such that did not get the version just published.
    stale: usize,
    swap_ms: Vec<f64>,
    calls: Vec<Duration>,
    errors: usize,
}

impl SwapsArgs {
    /// What to measure, if it is this; refuses swaps of fewer adapters than take turns.
    pub(super) fn plan(&self, load: &Load, adapters: usize) -> Result<Option<Plan>, BenchError> {
        if self.swaps.is_some() && adapters < VERSIONS {
            let message = format!(
                "--swaps takes {VERSIONS} adapters in turn; name a directory with them by --adapters"
            );
            return Err(BenchError::Refused(message));
        }
        let streams = self.streams.map_or(load.concurrency, |streams| streams as usize);
        Ok(self.swaps.map(|swaps| Plan { swaps: swaps as usize, streams }))
    }
}

impl Plan {
    /// Requests at once: a stream's each, and the one between the swaps.
    pub(super) fn at_once(&self) -> usize {
        self.streams + 1
    }
}

/// Swaps beside the streams, then asks again alone what was answered.
pub(super) async fn measure(bench: &Bench, plan: Plan) -> Result<Measured, BenchError> {
    let versions = [&bench.stored.adapters[0].digest, &bench.stored.adapters[1].digest];
    publisher(&bench.clients).publish_adapter(SWAPPED, versions[1], None).await?;
    let mut load = Load { prompts: Some(PROMPTS), ..bench.load.clone() };
    load.adapters.insert(0, SWAPPED.to_owned());
    bench.output.line(&format!("{} swaps beside {} streams", plan.swaps, plan.streams));
    let streams = Streams::start(bench, &load, plan.streams);
    let mut swapped = Swapped::default();
    for swap in 0..plan.swaps {
        swapped.next(bench, swap % PROMPTS, versions[swap % VERSIONS]).await;
    }
    let ran = streams.end().await?;
    bench.output.line("asking alone, of each version, what was answered");
    let samples = || ran.samples.iter().chain(&swapped.before).chain(&swapped.after);
    let mismatches = swapped.stale + truth::mismatches(bench, samples()).await?;
    let figures = figures(bench, &ran, &swapped, mismatches)?;
    Measured::new(figures, samples().count(), &swapped.report(plan, ran.unanswered()))
}

/// Those of the streams, or without any those of the requests between the swaps, whose first tokens they are in any case.
fn figures(bench: &Bench, ran: &Ran, swapped: &Swapped, mismatches: usize) -> Result<Figures, BenchError> {
    let answers = if ran.samples.is_empty() { &swapped.before } else { &ran.samples };
    let figures = Figures::new(answers.iter().map(Sample::answer), bench.load.prompt, mismatches)?;
    Ok(figures.with_first_tokens(swapped.before.iter().map(Sample::answer)))
}

impl Swapped {
    /// A request, a swap, and the same request right after it.
    async fn next(&mut self, bench: &Bench, prompt: usize, digest: &str) {
        if let Some(sample) = self.probe(bench, prompt).await {
            self.before.push(sample);
        }
        let called = Instant::now();
        match publisher(&bench.clients).publish_adapter(SWAPPED, digest, None).await {
            Ok(published) => {
                self.calls.push(called.elapsed());
                self.swap_ms.push(published.swap_ms);
            }
            Err(_) => {
                self.errors += 1;
                return;
            }
        }
        if let Some(sample) = self.probe(bench, prompt).await {
            self.stale += usize::from(sample.answer.digest != digest);
            self.after.push(sample);
        }
    }

    async fn probe(&mut self, bench: &Bench, prompt: usize) -> Option<Sample> {
        let tokens = bench.load.generate.min(PROBE_TOKENS);
        let asked = ask(&bench.clients, bench.load.ask(SWAPPED, prompt, tokens)).await;
        self.errors += usize::from(asked.is_err());
        asked.ok().map(|answer| Sample { prompt, answer })
    }

    fn report(&self, plan: Plan, stream_errors: usize) -> Report {
        let swap_ms = Times::of_ms(self.swap_ms.iter().copied());
        let after: Times = self.after.iter().filter_map(|sample| sample.answer.first_token()).collect();
        Report {
            swaps: self.swap_ms.len(),
            streams: plan.streams,
            swap_ms_p50: swap_ms.median_ms(),
            swap_ms_p99: swap_ms.percentile_ms(0.99),
            publish_call_ms_p50: self.calls.iter().copied().collect::<Times>().median_ms(),
            ttft_after_swap_ms_p50: after.median_ms(),
            errors: self.errors + stream_errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_take_two_adapters_and_as_many_streams_as_clients_unless_told() {
        let load = Load { concurrency: 32, ..Load::default() };
        let plan = |swaps, streams, adapters| SwapsArgs { swaps, streams }.plan(&load, adapters);
        let refused = plan(Some(1), None, 1).unwrap_err().to_string();
        assert!(
            refused.starts_with("--swaps takes 2 adapters") && refused.contains("--adapters"),
            "{refused}"
        );
        let streams = |streams| plan(Some(3), streams, 2).unwrap().map(|plan| (plan.swaps, plan.streams));
        assert_eq!((streams(None), streams(Some(0))), (Some((3, 32)), Some((3, 0))));
        assert!(plan(None, None, 0).unwrap().is_none());
    }

    #[test]
    fn percentiles_are_those_of_the_swaps_and_every_failure_counts() {
        let swapped = Swapped {
            swap_ms: vec![3.0, 1.0, 2.0],
            calls: vec![Duration::from_millis(4)],
            errors: 2,
            ..Swapped::default()
        };
        let report = swapped.report(Plan { swaps: 5, streams: 1 }, 3);
        assert_eq!((report.swaps, report.errors), (3, 5));
        assert_eq!((report.swap_ms_p50, report.swap_ms_p99), (Some(2.0), Some(3.0)));
        assert_eq!((report.publish_call_ms_p50, report.ttft_after_swap_ms_p50), (Some(4.0), None));
    }
}
