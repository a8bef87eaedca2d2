//! Which measurement the arguments ask for, what room it takes on the server, and how it is made.

use rootstock_inference::Config as InferenceConfig;

use super::args::ServeArgs;
use super::load::Load;
use super::{Bench, Measured, churn, evaluate, overload, registered, requests, swaps, tenants};
use crate::bench::BenchError;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// So many requests, by all clients at once.
    Requests(requests::Plan),
    Swaps(swaps::Plan),
    Registered(registered::Plan),
    Churn(churn::Plan),
    Overload(overload::Plan),
    Tenants(tenants::Plan),
    Evaluate(evaluate::Plan),
}

impl Mode {
    /// What these arguments ask for, where a directory has so many adapters.
    pub(super) fn of(args: &ServeArgs, load: &Load, adapters: usize) -> Result<Self, BenchError> {
        if let Some(plan) = args.swaps.plan(load, adapters)? {
            return Ok(Self::Swaps(plan));
        }
        if let Some(plan) = args.registered.plan(load, args.warm())? {
            return Ok(Self::Registered(plan));
        }
        let overload = args.overload.plan().map(Self::Overload);
        let tenants = args.tenants.plan().map(Self::Tenants);
        let evaluate = args.evaluate.plan(&args.model)?.map(Self::Evaluate);
        let churn = args.churn.plan().map(Self::Churn);
        Ok(overload.or(tenants).or(evaluate).or(churn).unwrap_or_else(|| Self::Requests(args.plan())))
    }

    /// Requests at once.
    pub(super) fn at_once(&self, load: &Load) -> usize {
        match self {
            Self::Swaps(plan) => plan.at_once().max(load.concurrency),
            _ => load.concurrency,
        }
    }

    /// Leaves adapters the memory that is to be measured with, where a directory's take so many bytes of it.
    pub(super) fn make_room(&self, inference: &mut InferenceConfig, adapters: u64, made: u64) {
        match self {
            Self::Registered(plan) => inference.adapter_memory_bytes = plan.room(made),
            Self::Churn(_) => inference.adapter_memory_bytes = adapters + churn::room(made),
            _ => {}
        }
    }

    /// Measures; `again` requests are repeated where not every answer is compared anyway.
    pub(super) async fn measure(self, bench: &Bench, again: usize) -> Result<Measured, BenchError> {
        match self {
            Self::Requests(plan) => requests::measure(bench, plan, again).await,
            Self::Swaps(plan) => swaps::measure(bench, plan).await,
            Self::Registered(plan) => registered::measure(bench, plan, again).await,
            Self::Churn(plan) => churn::measure(bench, plan).await,
            Self::Overload(plan) => overload::measure(bench, plan).await,
            Self::Tenants(plan) => tenants::measure(bench, plan).await,
            Self::Evaluate(plan) => evaluate::measure(bench, plan).await,
        }
    }
}
