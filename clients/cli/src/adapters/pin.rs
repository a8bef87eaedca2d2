//! `rootstock adapters pin` and `unpin`: whether servers keep an adapter in memory.
use clap::Args;
use rootstock_artifacts::Kind;

use super::publish::DEADLINE;
use super::served::Alone;
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Arguments of `adapters pin` and `adapters unpin`.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// The adapter
    name: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: PinArgs, pinned: bool, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let meter = Meter::waiting(format!("{} {name}", if pinned { "pinning" } else { "unpinning" }));
    let adapter = context.clients().with_deadline(DEADLINE).adapters().pin_adapter(name, pinned).await;
    meter.clear();
    context.show(&Alone::from(adapter?), args.json)
}
