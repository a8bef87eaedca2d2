//! `rootstock bench`: how fast this machine trains and serves a model, and how exactly, as one line that scripts can read.

mod error;
mod kernels;
mod model_dir;
mod output;
mod percentile;
mod rss;
mod serve;
mod tokens;
mod train;

use clap::Subcommand;
use tokio::runtime::Runtime;

pub use error::BenchError;
pub use kernels::KernelsArgs;
pub use serve::ServeArgs;
pub use train::TrainArgs;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train on random tokens: speed, memory, and with --check how exact the gradients are
    Train(TrainArgs),
    /// Generate for many clients at once: speed, latencies, and whether each answer is the one it gets alone
    Serve(ServeArgs),
    /// Multiply matrices: each shape beside the limits of the machine
    Kernels(KernelsArgs),
}

/// Measures, and prints what was measured.
///
/// # Errors
/// When the model can't be used, a call fails, or an answer differs from the one that its request gets alone.
pub fn run(command: Command) -> Result<(), BenchError> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Serve(args) => Runtime::new()?.block_on(Box::pin(serve::run(args))),
    }
}
