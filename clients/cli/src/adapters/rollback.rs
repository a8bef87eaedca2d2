//! `rootstock adapters rollback`: an earlier version is served again.
use clap::Args;
use rootstock_artifacts::Kind;

use super::publish::DEADLINE;
use super::served::Swapped;
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Arguments of `adapters rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The adapter
    name: String,
    /// Serve the version of this generation, any since the oldest in `versions` [default: what stood before the present
    /// version was first set]
    #[arg(long, value_name = "G", default_value_t = 0, hide_default_value = true)]
    to_generation: i64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: RollbackArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let meter = Meter::waiting(format!("rolling {name} back"));
    let adapters = context.clients().with_deadline(DEADLINE).adapters();
    let published = adapters.rollback_adapter(name, args.to_generation).await;
    meter.clear();
    let published = published?;
    context.show(&Swapped::new(published.adapter, published.swap_ms)?, args.json)
}
