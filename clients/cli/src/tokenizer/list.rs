//! `rootstock tokenizer list`: the tokenizers in the store.
use super::described::Described;
use crate::list::ListArgs;
use crate::{CliError, Context};

pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), CliError> {
    args.print::<Described>(context, context.clients().tokenization().list_tokenizers().await?)
}
