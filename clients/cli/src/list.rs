//! What every `list` verb does: rows as a table or as a JSON array, of names with what they point at where they are aliases.
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use rootstock_artifacts::Kind;
use rootstock_client::proto::checkpoint::v1::{Alias, Artifact};

use crate::table::Tabular;
use crate::{CliError, Context};

/// Records asked for at a time.
const PARALLEL: usize = 8;

/// Arguments of a `list` verb.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    /// Prints things as rows.
    pub(crate) fn print<R: Tabular>(
        &self,
        context: &Context,
        things: impl IntoIterator<Item: Into<R>>,
    ) -> Result<(), CliError> {
        let rows: Vec<R> = things.into_iter().map(Into::into).collect();
        context.list(&rows, self.json)
    }
}

/// The aliases of a kind by name, each with what it points at.
pub(crate) async fn aliases(context: &Context, kind: Kind) -> Result<Vec<(Alias, Artifact)>, CliError> {
    let collection = format!("{}/", kind.collection());
    let aliases = context.clients().checkpoint().list_aliases(&collection).await?;
    let with_artifact = |alias: Alias| async {
        let artifact = context.clients().checkpoint().get_artifact(&alias.digest).await?;
        Ok((alias, artifact))
    };
    stream::iter(aliases).map(with_artifact).buffered(PARALLEL).try_collect().await
}
