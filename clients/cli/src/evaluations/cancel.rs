//! `rootstock evaluations cancel`: stops an evaluation.
use super::EvaluationArgs;
use super::row::Summary;
use crate::{CliError, Context, names};

pub(crate) async fn run(args: EvaluationArgs, context: &Context) -> Result<(), CliError> {
    let name = names::evaluation(&args.evaluation);
    let evaluation = context.clients().evaluation().cancel_evaluation(name).await?;
    context.show(&Summary::from(&evaluation), args.json)
}
