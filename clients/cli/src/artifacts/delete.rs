//! `rootstock artifacts delete`: gives the space of an artifact back.
use super::ArtifactArgs;
use crate::{CliError, Context, names, table};

pub(crate) async fn run(args: ArtifactArgs, context: &Context) -> Result<(), CliError> {
    let digest = names::stored_digest(context, None, &args.digest).await?;
    let freed = context.clients().checkpoint().delete_artifact(&digest).await?;
    context.line(format!("{digest} is deleted; {} freed", table::bytes(freed)))
}
