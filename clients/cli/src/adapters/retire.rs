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
    // Not always the newest one: it may have been rolled back to.
    let served = context.clients().checkpoint().get_alias(&name).await.ok();
    let generation = context.clients().adapters().retire_adapter(&name, args.expected_generation).await?;
    context.line(format!("{name} is retired as generation {generation}"))?;
    let digest = served.map(|alias| format!(" --digest {}", alias.digest)).unwrap_or_default();
    context.note(format!("bring it back with `rootstock adapters publish {}{digest}`", args.name));
    Ok(())
}
