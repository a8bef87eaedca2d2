//! `rootstock artifacts verify`: whether an artifact is still what its digest says.
use super::ArtifactArgs;
use crate::{CliError, Context, names, table};

pub(crate) async fn run(args: ArtifactArgs, context: &Context) -> Result<(), CliError> {
    let digest = names::stored_digest(context, None, &args.digest).await?;
    let verified = context.clients().checkpoint().verify_artifact(&digest).await?;
    context.line(format!("{digest} is intact; {} read", table::bytes(verified)))
}
