//! `--tenants`: what one tenant loses where another asks for ten times its fair share.

use std::time::{Duration, Instant};

use clap::Args;
use futures::join;
use serde::Serialize;

use super::figures::Figures;
use super::load::Load;
use super::offer::{Offered, goodput, offer};
use super::overload::peak;
use super::truth::{self, Sample};
use super::{Bench, Measured};
use crate::bench::BenchError;
use crate::bench::percentile::Times;

/// Who asks for its fair share.
const MODEST: &str = "bench-modest";
/// Who asks for more.
const GREEDY: &str = "bench-greedy";
/// How much the greedy tenant asks for, in fair shares: first as much as the other, then more.
const SHARES: [f64; 2] = [1.0, 10.0];
/// Tenants among whom the peak is shared.
const TENANTS: f64 = 2.0;
/// Different prompts: few, so that every answer can be compared with a reference.
const PROMPTS: usize = 8;

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct TenantsArgs {
    /// Measure the peak, then a tenant at its fair share beside one at 1 and at 10 times that, each for so many seconds
    #[arg(long, value_name = "SECONDS", group = "mode", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    tenants: Option<u32>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    lasts: Duration,
}

/// What both tenants got in one part.
#[derive(Debug)]
struct Shared {
    goodput: f64,
    modest: Offered,
    greedy: Offered,
}

#[derive(Debug, Serialize)]
struct Report {
    peak_tokens_per_second: f64,
    fair_tokens_per_second: f64,
    beside_fair_goodput: f64,
    beside_greedy_goodput: f64,
    beside_fair_ttft_ms_p50: Option<f64>,
    beside_greedy_ttft_ms_p50: Option<f64>,
    /// Of the tenant at its fair share, while the other asked for more.
    modest_rejected: usize,
    greedy_rejected: usize,
    /// Share of its goodput that a tenant loses where the other asks for more.
    other_tenant_loss: f64,
    errors: usize,
}

impl TenantsArgs {
    /// What to measure, if it is this.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.tenants.map(|seconds| Plan { lasts: Duration::from_secs(seconds.into()) })
    }
}

/// Finds the peak, and offers what both tenants ask for.
pub(super) async fn measure(bench: &Bench, plan: Plan) -> Result<Measured, BenchError> {
    let load = Load { prompts: Some(PROMPTS), ..bench.load.clone() };
    bench.output.line(&format!("the peak of {} clients", load.concurrency));
    let (peak, before) = peak(bench, &load, plan.lasts).await?;
    let fair = peak / TENANTS / load.generate as f64;
    bench.output.line(&format!("{peak:.1} tokens/s; a fair share is {fair:.2} requests/s"));
    let [beside_fair, beside_greedy] = SHARES.map(|share| share_between(bench, &load, (fair, share), plan));
    let (beside_fair, beside_greedy) = (beside_fair.await?, beside_greedy.await?);
    let parts = [&beside_fair, &beside_greedy];
    let of_tenants =
        || parts.into_iter().flat_map(|part| part.modest.samples.iter().chain(&part.greedy.samples));
    let samples = || before.samples.iter().chain(of_tenants());
    bench.output.line("asking alone what was answered");
    let mismatches = truth::mismatches(bench, samples()).await?;
    let figures = Figures::new(samples().map(Sample::answer), load.prompt, mismatches)?;
    let report = Report::new(peak, parts, before.errors);
    Measured::new(figures, samples().count(), &report)
}

/// Offers the modest tenant's share of requests a second, and beside it so many shares of the greedy one.
async fn share_between(
    bench: &Bench,
    load: &Load,
    (fair, shares): (f64, f64),
    plan: Plan,
) -> Result<Shared, BenchError> {
    let (modest, greedy) = (bench.clients.with_tenant(MODEST)?, bench.clients.with_tenant(GREEDY)?);
    let from = Instant::now();
    let (modest, greedy) = join!(
        offer(&modest, load, fair, MODEST, plan.lasts),
        offer(&greedy, load, fair * shares, GREEDY, plan.lasts),
    );
    let until = Instant::now();
    let (modest, greedy) = (modest.end().await?, greedy.end().await?);
    Ok(Shared { goodput: goodput(&modest.samples, &(from..until)), modest, greedy })
}

impl Shared {
    fn first_token_ms(&self) -> Option<f64> {
        let firsts = self.modest.samples.iter().filter_map(|sample| sample.answer.first_token());
        firsts.collect::<Times>().median_ms()
    }

    fn errors(&self) -> usize {
        self.modest.errors + self.greedy.errors
    }
}

impl Report {
    fn new(peak: f64, [fair, greedy]: [&Shared; 2], errors: usize) -> Self {
        Self {
            peak_tokens_per_second: peak,
            fair_tokens_per_second: peak / TENANTS,
            beside_fair_goodput: fair.goodput,
            beside_greedy_goodput: greedy.goodput,
            beside_fair_ttft_ms_p50: fair.first_token_ms(),
            beside_greedy_ttft_ms_p50: greedy.first_token_ms(),
            modest_rejected: greedy.modest.rejections.len(),
            greedy_rejected: greedy.greedy.rejections.len(),
            other_tenant_loss: 1.0 - greedy.goodput / fair.goodput,
            errors: errors + fair.errors() + greedy.errors(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_the_share_of_the_goodput_that_is_gone() {
        let offered = |rejected, errors| {
            let rejections = vec![Duration::from_millis(1); rejected];
            Offered { samples: Vec::new(), rejections, errors }
        };
        let fair = Shared { goodput: 40.0, modest: offered(0, 1), greedy: offered(0, 0) };
        let greedy = Shared { goodput: 30.0, modest: offered(2, 0), greedy: offered(5, 1) };
        let report = Report::new(100.0, [&fair, &greedy], 3);
        assert_eq!((report.fair_tokens_per_second, report.other_tenant_loss), (50.0, 0.25));
        assert_eq!((report.modest_rejected, report.greedy_rejected, report.errors), (2, 5, 5));
    }
}
