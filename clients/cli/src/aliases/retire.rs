//! `rootstock aliases retire`: a name stands for nothing any more, so that its artifact may be deleted.
use clap::Args;

use crate::{CliError, Context, names};

/// Arguments of `aliases retire`.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// The full name: baseModels/ID, adapters/ID, datasets/ID or tokenizers/ID
    name: String,
}

pub(crate) async fn run(args: RetireArgs, context: &Context) -> Result<(), CliError> {
    let name = names::full_alias(&args.name)?;
    let checkpoint = context.clients().checkpoint();
    // What was seen is what is retired: a name that moves meanwhile stays.
    let seen = checkpoint.get_alias(&name).await?;
    let retired = checkpoint.retire_alias(&name, seen.etag).await?;
    context.line(format!("{name} is retired as generation {}", retired.generation))?;
    context.note(format!("it stood for {}", seen.digest));
    Ok(())
}
