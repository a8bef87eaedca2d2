//! `rootstock adapters retire`: the name is out of service from here on; what runs on it finishes.
use clap::Args;
use rootstock_artifacts::Kind;

use crate::{CliError, Context, names};

/// Arguments of `adapters retire`.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// The adapter
    name: String,
    /// Retire only if the name is at this generation
    #[arg(long, value_name = "G")]
    expected_generation: Option<i64>,
}

pub(crate) async fn run(args: RetireArgs, context: &Context) -> Result<(), CliError> {
    let name = names::alias(Kind::Adapter, &args.name)?;
    let generation = context.clients().adapters().retire_adapter(&name, args.expected_generation).await?;
    context.line(format!("{name} is retired as generation {generation}"))?;
    context.note(format!("bring it back with `rootstock adapters publish {}`", args.name));
    Ok(())
}
