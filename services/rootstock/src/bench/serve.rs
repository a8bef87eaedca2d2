//! `rootstock bench serve`: many clients at once on a server in this process, over gRPC as any client would be.

mod client;
mod figures;
mod load;
mod room;
mod store;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rootstock_client::{Clients, Endpoints};
use rootstock_inference::WeightDtype;
use rootstock_kernels::Format;
use rootstock_runtime::Shutdown;

use self::figures::Figures;
use self::load::Load;
use super::model_dir::ModelDir;
use super::output::Output;
use super::{BenchError, rss};
use crate::serve::{self, ServeOptions};

/// Most clients at once: each has a connection's stream, a request and its answer in this process.
const MOST_CLIENTS: usize = 4096;
/// Requests that are repeated alone unless told otherwise.
const REPEATED: usize = 4;

/// Arguments of `rootstock bench serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// A Hugging Face Llama directory
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// A directory of PEFT directories, which the requests take in turn [default: the base model answers]
    #[arg(long, value_name = "DIR")]
    adapters: Option<PathBuf>,
    /// Clients at once, each with one request at a time
    #[arg(long, value_name = "N")]
    concurrency: NonZeroUsize,
    /// Random tokens in a prompt
    #[arg(long, value_name = "P")]
    prompt: NonZeroUsize,
    /// Tokens to generate
    #[arg(long, value_name = "G")]
    generate: NonZeroUsize,
    /// Requests of all clients together [default: one of each]
    #[arg(long, value_name = "R")]
    requests: Option<NonZeroUsize>,
    /// Requests that are repeated alone and compared [default: one of each client, but at most 4]
    #[arg(long, value_name = "N")]
    repeat: Option<usize>,
    /// What the weights are in memory
    #[arg(long, value_enum, default_value_t)]
    weights: Weights,
    /// Print the figures as one JSON object on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Weights {
    #[default]
    Bf16,
    F32,
    Int8,
    /// As they are in the files.
    Stored,
}

/// Measures, and prints the figures.
pub(super) async fn run(args: ServeArgs) -> Result<(), BenchError> {
    let output = Output::new(args.json);
    let model = ModelDir::read(&args.model)?;
    let adapters = args.adapters.as_deref().map(store::adapter_dirs).transpose()?.unwrap_or_default();
    let load = args.load(model.config.vocab_size);
    if load.concurrency > MOST_CLIENTS {
        let message =
            format!("--concurrency is {}; at most {MOST_CLIENTS} clients fit here", load.concurrency);
        return Err(BenchError::Refused(message));
    }
    let data = tempfile::tempdir()?;
    let mut options = ServeOptions::on_free_ports(data.path().to_owned());
    options.settings.inference.weight_dtype = args.weights.dtype();
    room::make(&mut options.settings, &load, &model, store::bytes(&adapters)?)?;
    let server = serve::start(options).await?;
    // Asked to end, it still removes its directory.
    let signals = Shutdown::on_signals()?;
    let measured = tokio::select! {
        measured = measure(&server.endpoint, &args, &adapters, load, output) => measured,
        () = signals.requested() => Err(BenchError::Refused("interrupted".to_owned())),
    };
    server.stop().await?;
    let (figures, repeated) = measured?;
    let mismatches = figures.mismatches;
    output.result(&figures.report(rss::peak_bytes(), weight_format(args.weights, &model)?))?;
    if mismatches > 0 {
        return Err(BenchError::Mismatches { mismatches, repeated });
    }
    Ok(())
}

/// Stores and publishes, lets all clients ask at once, and asks some of it again; returns how many that were as well.
async fn measure(
    endpoint: &str,
    args: &ServeArgs,
    adapters: &[PathBuf],
    mut load: Load,
    output: Output,
) -> Result<(Figures, usize), BenchError> {
    let clients = Clients::new(Endpoints::single(endpoint)?)?;
    load.adapters = store::fill(endpoint, &clients, &args.model, adapters, output).await?;
    output.line("warming up with one request to the base model");
    client::ask(&clients, load.warm_up()).await?;
    output.line(&format!("{} requests of {} clients", load.requests, load.concurrency));
    let answers = load::together(&clients, &load).await?;
    let again = args.repeat.unwrap_or_else(|| load.concurrency.min(REPEATED)).min(load.requests);
    output.line(&format!("asking {again} of them again, one at a time"));
    let mismatches = load::mismatches(&clients, &load, &answers, again).await?;
    Ok((Figures::new(&answers, load.prompt, mismatches)?, again))
}

impl ServeArgs {
    fn load(&self, vocab_size: usize) -> Load {
        let concurrency = self.concurrency.get();
        Load {
            adapters: Vec::new(),
            concurrency,
            requests: self.requests.map_or(concurrency, NonZeroUsize::get),
            prompt: self.prompt.get(),
            generate: self.generate.get(),
            vocab_size,
        }
    }
}

impl Weights {
    fn dtype(self) -> WeightDtype {
        match self {
            Self::Bf16 => WeightDtype::Bf16,
            Self::F32 => WeightDtype::F32,
            Self::Int8 => WeightDtype::Int8,
            Self::Stored => WeightDtype::Stored,
        }
    }
}

/// What the server computes with.
fn weight_format(weights: Weights, model: &ModelDir) -> Result<&'static str, BenchError> {
    Ok(match weights {
        Weights::Bf16 => Format::Bf16,
        Weights::F32 => Format::F32,
        Weights::Int8 => Format::Int8,
        Weights::Stored => model.stored_dtype()?.into(),
    }
    .name())
}
