//! `rootstock evaluations show`: one evaluation, and the scores of its targets once there are any.
use serde::Serialize;

use super::EvaluationArgs;
use super::row::Summary;
use super::scores::Scores;
use crate::{CliError, Context, names};

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    results: Vec<Scores>,
}

pub(crate) async fn run(args: EvaluationArgs, context: &Context) -> Result<(), CliError> {
    let name = names::evaluation(&args.evaluation);
    let evaluation = context.clients().evaluation().get_evaluation(name).await?;
    let summary = Summary::from(&evaluation);
    let results: Vec<Scores> = evaluation.results.into_iter().map(Scores::from).collect();
    if args.json {
        return context.json(&Shown { summary, results });
    }
    context.show(&summary, false)?;
    if results.is_empty() {
        return Ok(());
    }
    context.line("")?;
    context.list(&results, false)
}
