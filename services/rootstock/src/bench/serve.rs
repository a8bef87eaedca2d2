//! `rootstock bench serve`: many clients at once on a server in this process, over gRPC as any client would be unless asked otherwise.

mod args;
mod beside;
mod churn;
mod client;
mod counts;
mod evaluate;
mod figures;
mod load;
mod made;
mod mode;
mod offer;
mod overload;
mod registered;
mod requests;
mod room;
mod store;
mod streams;
mod swaps;
mod tenants;
mod transport;
mod truth;
mod zipf;

use std::path::PathBuf;

use rootstock_client::{Clients, Endpoints};
use rootstock_runtime::{Metrics, Shutdown};
use serde::Serialize;
use serde_json::Value;

pub use self::args::ServeArgs;

use self::args::Whom;
use self::figures::Figures;
use self::load::Load;
use self::made::Shape;
use self::mode::Mode;
use self::store::Stored;
use self::transport::Transport;
use super::model_dir::ModelDir;
use super::output::Output;
use super::{BenchError, rss};
use crate::serve::{self, Running, ServeOptions, Settings};

/// What every measurement works with: a server that is ready, what is stored in it, and what to ask of it.
#[derive(Clone, Debug)]
struct Bench {
    clients: Clients,
    /// How the requests that are measured are asked.
    transport: Transport,
    /// What the server counts.
    metrics: Metrics,
    stored: Stored,
    load: Load,
    /// The adapters that a measurement makes itself.
    shape: Shape,
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
    let mode = Mode::of(&args, &load, adapters.len())?;
    let data = tempfile::tempdir()?;
    let mut options = ServeOptions::on_free_ports(data.path().to_owned());
    make_room(&mut options.settings, &args, &model, &adapters, mode)?;
    let server = serve::start(options).await?;
    // Asked to end, it still removes its directory.
    let signals = Shutdown::on_signals()?;
    let measured = tokio::select! {
        measured = measure(&server, &args, &adapters, load, mode) => measured,
        () = signals.requested() => Err(BenchError::Refused("interrupted".to_owned())),
    };
    server.stop().await?;
    let Measured { figures, compared, own } = measured?;
    let weight_format = args.weights.in_memory(&model)?.name();
    let mismatches = figures.mismatches;
    output.result(&figures.report(rss::peak_bytes(), weight_format, own))?;
    if mismatches > 0 {
        return Err(BenchError::Mismatches { mismatches, repeated: compared });
    }
    Ok(())
}

fn make_room(
    settings: &mut Settings,
    args: &ServeArgs,
    model: &ModelDir,
    adapters: &[PathBuf],
    mode: Mode,
) -> Result<(), BenchError> {
    let mut load = args.load(&model.config)?;
    load.concurrency = mode.at_once(&load);
    settings.inference.weight_dtype = args.weights.dtype();
    room::make(settings, &load, model, store::bytes(adapters)?)?;
    let format = args.weights.in_memory(model)?.of_adapters();
    let made = args.shape(model).bytes(format);
    mode.make_room(&mut settings.inference, store::memory_bytes(adapters, format)?, made);
    Ok(())
}

/// Stores and publishes, warms up, and measures what is asked for.
async fn measure(
    server: &Running,
    args: &ServeArgs,
    adapters: &[PathBuf],
    mut load: Load,
    mode: Mode,
) -> Result<Measured, BenchError> {
    let output = Output::new(args.json);
    let model = ModelDir::read(&args.model)?;
    let clients = Clients::new(Endpoints::single(&server.endpoint)?)?;
    let stored = store::fill(&server.endpoint, &clients, &args.model, adapters, output).await?;
    load.adapters = if args.ask == Whom::Base { Vec::new() } else { stored.names() };
    output.line("warming up with one request to the base model");
    client::ask(&clients, load.warm_up()).await?;
    let again = args.repeated(&load);
    let transport = match server.in_process().filter(|_| args.in_process) {
        Some(engine) => Transport::InProcess(engine.clone()),
        None => Transport::Grpc(clients.clone()),
    };
    let (metrics, shape) = (server.metrics().clone(), args.shape(&model));
    mode.measure(&Bench { clients, transport, metrics, stored, load, shape, output }, again).await
}
