//! `--overload`: how much useful work a server does that is asked for more than it can do, and how it recovers.

use std::ops::Range;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::figures::Figures;
use super::load::Load;
use super::offer::{Offered, goodput, offer};
use super::streams::{Ran, Streams};
use super::truth::{self, Sample};
use super::{Bench, Measured};
use crate::bench::percentile::Times;
use crate::bench::{BenchError, rss};

/// How much may be offered, in peaks.
const FACTORS: Range<f64> = 0.1..1000.0;
/// Seconds unless told otherwise.
const SECONDS: u32 = 10;
/// Different prompts: few, so that every answer can be compared with a reference.
const PROMPTS: usize = 8;
/// How long the server has to recover.
const RECOVERY: Duration = Duration::from_secs(5);
/// This part of a measurement of the peak is for getting there.
const WARM_UP: u32 = 4;

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct OverloadArgs {
    /// Offer so many times the peak, which is what the clients get when each waits for its answer
    #[arg(long, value_name = "X", group = "mode", value_parser = factor)]
    overload: Option<f64>,
    /// How long it is offered, and how long the peak is measured before [default: 10]
    #[arg(long, value_name = "T", requires = "overload", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    factor: f64,
    lasts: Duration,
}

#[derive(Debug, Serialize)]
struct Report {
    peak_tokens_per_second: f64,
    offered_requests: usize,
    goodput_tokens_per_second: f64,
    goodput_over_peak: f64,
    rejected: usize,
    rejection_ms_p99: Option<f64>,
    /// In the five seconds after, with the clients of the peak again.
    recovery_tokens_per_second: f64,
    recovery_over_peak: f64,
    /// Of those clients' requests.
    recovery_rejected: usize,
    rss_start_bytes: u64,
    rss_end_bytes: u64,
    errors: usize,
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| FACTORS.contains(factor));
    factor.ok_or_else(|| format!("must be a number from {} to below {}", FACTORS.start, FACTORS.end))
}

impl OverloadArgs {
    /// What to measure, if it is this.
    pub(super) fn plan(&self) -> Option<Plan> {
        let lasts = Duration::from_secs(self.seconds.unwrap_or(SECONDS).into());
        self.overload.map(|factor| Plan { factor, lasts })
    }
}

/// Tokens a second that so many clients get who each wait for their answers, and what they got.
pub(super) async fn peak(bench: &Bench, load: &Load, lasts: Duration) -> Result<(f64, Ran), BenchError> {
    let streams = Streams::start(bench, load, load.concurrency);
    tokio::time::sleep(lasts / WARM_UP).await;
    let from = Instant::now();
    tokio::time::sleep(lasts).await;
    let until = Instant::now();
    let ran = streams.end().await?;
    let peak = goodput(&ran.samples, &(from..until));
    if peak > 0.0 {
        return Ok((peak, ran));
    }
    Err(BenchError::Refused("no token came while the peak was measured; let it last longer".to_owned()))
}

/// Finds the peak, offers a multiple of it, and looks how the server recovers.
pub(super) async fn measure(bench: &Bench, plan: Plan) -> Result<Measured, BenchError> {
    let load = Load { prompts: Some(PROMPTS), ..bench.load.clone() };
    bench.output.line(&format!("the peak of {} clients", load.concurrency));
    let (peak, before) = peak(bench, &load, plan.lasts).await?;
    let per_second = plan.factor * peak / load.generate as f64;
    bench.output.line(&format!("{peak:.1} tokens/s; offering {per_second:.1} requests/s"));
    let rss_start_bytes = rss::resident_bytes();
    let from = Instant::now();
    let offering = offer(&bench.clients, &load, per_second, "overload", plan.lasts).await;
    let until = Instant::now();
    let streams = Streams::start(bench, &load, load.concurrency);
    tokio::time::sleep(RECOVERY).await;
    let recovered = Instant::now();
    let (after, offered) = (streams.end().await?, offering.end().await?);
    let recovery = goodput(offered.samples.iter().chain(&after.samples), &(until..recovered));
    let goodput = goodput(&offered.samples, &(from..until));
    let samples = || offered.samples.iter().chain(&before.samples).chain(&after.samples);
    let report = Report {
        rss_start_bytes,
        rss_end_bytes: rss::resident_bytes(),
        recovery_rejected: after.rejected,
        errors: before.errors + offered.errors + after.errors,
        ..Report::new(peak, goodput, recovery, &offered)
    };
    bench.output.line("asking alone what was answered");
    let mismatches = truth::mismatches(bench, samples()).await?;
    let figures = Figures::new(samples().map(Sample::answer), load.prompt, mismatches)?;
    Measured::new(figures, samples().count(), &report)
}

impl Report {
    fn new(peak: f64, goodput: f64, recovery: f64, offered: &Offered) -> Self {
        let Offered { samples, rejections, errors } = offered;
        Self {
            peak_tokens_per_second: peak,
            offered_requests: samples.len() + rejections.len() + errors,
            goodput_tokens_per_second: goodput,
            goodput_over_peak: goodput / peak,
            rejected: rejections.len(),
            rejection_ms_p99: rejections.iter().copied().collect::<Times>().percentile_ms(0.99),
            recovery_tokens_per_second: recovery,
            recovery_over_peak: recovery / peak,
            recovery_rejected: 0,
            rss_start_bytes: 0,
            rss_end_bytes: 0,
            errors: *errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_offered_is_answered_rejected_or_failed() {
        let rejections = vec![Duration::from_millis(3), Duration::from_millis(5)];
        let offered = Offered { samples: Vec::new(), rejections, errors: 1 };
        let report = Report::new(200.0, 150.0, 190.0, &offered);
        assert_eq!((report.offered_requests, report.rejected), (3, 2));
        assert_eq!((report.goodput_over_peak, report.recovery_over_peak), (0.75, 0.95));
        assert_eq!(report.rejection_ms_p99, Some(5.0));
        assert!(factor("3") == Ok(3.0) && factor("0").is_err() && factor("1e9").is_err());
    }
}
