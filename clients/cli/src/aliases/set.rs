//! `rootstock aliases set`: a name stands for an artifact that is stored, such as an earlier version of it.
use clap::Args;

use crate::{CliError, Context, names, transfer};

/// Arguments of `aliases set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The full name: baseModels/ID, adapters/ID, datasets/ID or tokenizers/ID
    name: String,
    /// Digest of an artifact of its kind
    digest: String,
}

pub(crate) async fn run(args: SetArgs, context: &Context) -> Result<(), CliError> {
    let name = names::full_alias(&args.name)?;
    let digest = names::stored_digest(context, None, &args.digest).await?;
    let alias = transfer::point(context, &name, &digest).await?;
    context.line(format!("{name} stands for {digest} as generation {}", alias.generation))
}
