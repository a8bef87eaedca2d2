//! `rootstock evaluations show`: one evaluation, and the scores of its targets once there are any.
use serde::Serialize;

use super::EvaluationArgs;
use super::report::Report;
use super::row::Summary;
use crate::{CliError, Context, names};

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    report: Report,
}

pub(crate) async fn run(args: EvaluationArgs, context: &Context) -> Result<(), CliError> {
    let name = names::evaluation(&args.evaluation);
    let evaluation = context.clients().evaluation().get_evaluation(name).await?;
    let summary = Summary::from(&evaluation);
    let report = Report::from(evaluation);
    if args.json {
        return context.json(&Shown { summary, report });
    }
    context.show(&summary, false)?;
    if report.is_empty() {
        return Ok(());
    }
    context.line("")?;
    report.print(context)?;
    report.gate.map_or(Ok(()), |gate| context.line(format!("\n{}", gate.told())))
}
