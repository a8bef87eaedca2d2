//! `rootstock bench serve`: many clients at once on a server in this process, over gRPC as any client would be.

mod args;
mod client;
mod figures;
mod load;
mod room;
mod store;
mod streams;
mod swaps;
mod truth;

use std::path::PathBuf;

use rootstock_client::{Clients, Endpoints};
use rootstock_runtime::Shutdown;
use serde::Serialize;
use serde_json::Value;

pub use self::args::ServeArgs;

use self::figures::Figures;
use self::load::Load;
use self::store::Stored;
use super::model_dir::ModelDir;
use super::output::Output;
use super::{BenchError, rss};
use crate::serve::{self, ServeOptions};

/// What every measurement works with: a server that is ready, what is stored in it, and what to ask of it.
#[derive(Clone, Debug)]
struct Bench {
    clients: Clients,
    stored: Stored,
    load: Load,
    output: Output,
}

/// What was measured.
#[derive(Debug)]
struct Measured {
    figures: Figures,
    /// Answers that were compared with those that their requests get alone.
    compared: usize,
    /// Figures of this measurement alone, by name.
    own: Value,
}

impl Measured {
    fn new<T: Serialize>(figures: Figures, compared: usize, own: &T) -> Result<Self, BenchError> {
        Ok(Self { figures, compared, own: serde_json::to_value(own)? })
    }
}

/// Measures, and prints the figures.
pub(super) async fn run(args: ServeArgs) -> Result<(), BenchError> {
    let output = Output::new(args.json);
    let model = ModelDir::read(&args.model)?;
    let adapters = args.adapters.as_deref().map(store::adapter_dirs).transpose()?.unwrap_or_default();
    let load = args.load(&model.config)?;
    args.swaps.check(adapters.len())?;
    let data = tempfile::tempdir()?;
    let mut options = ServeOptions::on_free_ports(data.path().to_owned());
    options.settings.inference.weight_dtype = args.weights.dtype();
    let at_once = Load { concurrency: load.concurrency.max(args.swaps.at_once(&load)), ..load.clone() };
    room::make(&mut options.settings, &at_once, &model, store::bytes(&adapters)?)?;
    let server = serve::start(options).await?;
    // Asked to end, it still removes its directory.
    let signals = Shutdown::on_signals()?;
    let measured = tokio::select! {
        measured = measure(&server.endpoint, &args, &adapters, load, output) => measured,
        () = signals.requested() => Err(BenchError::Refused("interrupted".to_owned())),
    };
    server.stop().await?;
    let Measured { figures, compared, own } = measured?;
    let weight_format = args.weights.in_memory(&model)?.as_str();
    let mismatches = figures.mismatches;
    output.result(&figures.report(rss::peak_bytes(), weight_format, own))?;
    if mismatches > 0 {
        return Err(BenchError::Mismatches { mismatches, repeated: compared });
    }
    Ok(())
}

/// Stores and publishes, warms up, and measures what the arguments ask for.
async fn measure(
    endpoint: &str,
    args: &ServeArgs,
    adapters: &[PathBuf],
    mut load: Load,
    output: Output,
) -> Result<Measured, BenchError> {
    let clients = Clients::new(Endpoints::single(endpoint)?)?;
    let stored = store::fill(endpoint, &clients, &args.model, adapters, output).await?;
    load.adapters = stored.names();
    output.line("warming up with one request to the base model");
    client::ask(&clients, load.warm_up()).await?;
    let bench = Bench { clients, stored, load, output };
    match args.swaps.plan(&bench.load) {
        Some(plan) => swaps::measure(&bench, plan).await,
        None => requests(&bench, args.repeated(&bench.load)).await,
    }
}

/// Lets all clients ask at once, and asks some of it again, alone.
async fn requests(bench: &Bench, again: usize) -> Result<Measured, BenchError> {
    let Bench { clients, load, output, .. } = bench;
    output.line(&format!("{} requests of {} clients", load.requests, load.concurrency));
    let answers = load::together(clients, load).await?;
    output.line(&format!("asking {again} of them again, one at a time"));
    let mismatches = load::mismatches(clients, load, &answers, again).await?;
    let figures = Figures::new(&answers, load.prompt, mismatches)?;
    Measured::new(figures, again, &serde_json::Map::new())
}
