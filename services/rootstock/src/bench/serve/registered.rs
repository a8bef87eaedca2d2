//! `--registered`: many adapters of which few are in memory, asked for as their popularity has it.

use clap::Args;
use serde::Serialize;

use super::counts::Counts;
use super::figures::Figures;
use super::load::{self, Load};
use super::made;
use super::truth::{self, Sample};
use super::zipf::Zipf;
use super::{Bench, Measured};
use crate::bench::BenchError;

/// Popularity unless told otherwise: the k-th is asked for in proportion to 1/k.
const EXPONENT: f64 = 1.0;
/// The largest exponent; beyond it all requests take the first.
const MOST_EXPONENT: f64 = 10.0;

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct RegisteredArgs {
    /// Make and register so many adapters, and let the requests choose among them
    #[arg(long, value_name = "N", group = "mode", conflicts_with = "adapters", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    registered: Option<u32>,
    /// Room in memory for so many of them, at least one for each client [default: all]
    #[arg(long, value_name = "R", requires = "registered", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    resident: Option<u32>,
    /// The k-th of them is asked for in proportion to 1/k^S [default: 1]
    #[arg(long, value_name = "S", requires = "registered", value_parser = exponent)]
    zipf: Option<f64>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    registered: usize,
    resident: usize,
    zipf: f64,
    warm: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    registered: usize,
    resident: usize,
    zipf: f64,
    adapter_loads: u64,
    adapter_evictions: u64,
    /// Share of the requests that no load was made for; one that several waited for counts once.
    resident_share: f64,
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse().ok().filter(|exponent| (0.0..=MOST_EXPONENT).contains(exponent));
    exponent.ok_or_else(|| format!("must be a number from 0 to {MOST_EXPONENT}"))
}

impl RegisteredArgs {
    /// What to measure, if it is this: half as many requests warm up, unless told otherwise.
    pub(super) fn plan(&self, load: &Load, warm: Option<usize>) -> Result<Option<Plan>, BenchError> {
        let Some(registered) = self.registered.map(|registered| registered as usize) else {
            return Ok(None);
        };
        let resident = self.resident.map_or(registered, |resident| resident as usize).min(registered);
        if resident < load.concurrency.min(registered) {
            let message = format!(
                "--resident is {resident}, but each of --concurrency {} may need one in memory",
                load.concurrency
            );
            return Err(BenchError::Refused(message));
        }
        let warm = warm.unwrap_or(load.requests / 2);
        Ok(Some(Plan { registered, resident, zipf: self.zipf.unwrap_or(EXPONENT), warm }))
    }
}

impl Plan {
    /// Memory for as many adapters as are to be resident, of which one takes so many bytes.
    pub(super) fn room(&self, made: u64) -> u64 {
        self.resident as u64 * made
    }
}

/// Registers, warms up, and lets all clients ask at once.
pub(super) async fn measure(bench: &Bench, plan: Plan, again: usize) -> Result<Measured, BenchError> {
    bench.output.line(&format!("making and registering {} adapters", plan.registered));
    let made = made::store(&bench.clients, &bench.stored, &bench.shape, plan.registered).await?;
    let load = Load {
        adapters: made.into_iter().map(|adapter| adapter.name).collect(),
        zipf: Some(Zipf::new(plan.registered, plan.zipf)),
        ..bench.load.clone()
    };
    bench.output.line(&format!("{} requests to warm up", plan.warm));
    // One token each: what is to be warm are the adapters.
    let warm_up = Load { generate: 1, ..load.clone() };
    load::together(&bench.transport, &warm_up, 0..plan.warm).await?;
    bench.output.line(&format!("{} requests of {} clients", load.requests, load.concurrency));
    let before = Counts::read(&bench.metrics)?;
    let samples = load::together(&bench.transport, &load, plan.warm..plan.warm + load.requests).await?;
    let after = Counts::read(&bench.metrics)?;
    let mismatches = truth::mismatches(bench, load::spread(&samples, again)).await?;
    let figures = Figures::new(samples.iter().map(Sample::answer), load.prompt, mismatches)?;
    Measured::new(figures, again, &plan.report(before, after, samples.len()))
}

impl Plan {
    fn report(&self, before: Counts, after: Counts, requests: usize) -> Report {
        let loads = after.loads_since(before);
        Report {
            registered: self.registered,
            resident: self.resident,
            zipf: self.zipf,
            adapter_loads: loads,
            adapter_evictions: after.evictions_since(before),
            resident_share: 1.0 - loads as f64 / requests as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_can_have_an_adapter_in_memory() {
        let load = Load { concurrency: 4, requests: 10, ..Load::default() };
        let asked =
            |registered, resident| RegisteredArgs { registered, resident, zipf: None }.plan(&load, None);
        assert_eq!(asked(None, None).unwrap(), None);
        let plan = Plan { registered: 9, resident: 4, zipf: 1.0, warm: 5 };
        assert_eq!(asked(Some(9), Some(4)).unwrap(), Some(plan));
        assert_eq!(asked(Some(2), None).unwrap().map(|plan| plan.resident), Some(2));
        let refused = asked(Some(9), Some(3)).unwrap_err().to_string();
        assert!(refused.starts_with("--resident is 3, but each of --concurrency 4"), "{refused}");
        assert!(exponent("1.5") == Ok(1.5) && exponent("-1").is_err() && exponent("nan").is_err());
    }

    #[test]
    fn a_request_in_four_that_was_loaded_for_leaves_three() {
        let plan = Plan { registered: 9, resident: 4, zipf: 1.0, warm: 0 };
        let counts = |loads, resident| Counts { loads, resident };
        let report = plan.report(counts(10, 4), counts(15, 4), 20);
        assert_eq!((report.adapter_loads, report.adapter_evictions), (5, 5));
        assert_eq!(report.resident_share, 0.75);
    }
}
