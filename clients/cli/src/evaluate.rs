//! `rootstock evaluate`: base model and adapters answer the rows of a data set, and are scored side by side.
mod gate;

use clap::Args;
use futures::StreamExt;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::{
    CreateEvaluationRequest, Evaluation, EvaluationSpec, EvaluationState,
};
use serde::Serialize;

use crate::evaluations::report::Report;
use crate::evaluations::scores::BASE;
use crate::progress::Meter;
use crate::{CliError, Context, adapters, limits, names};

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Rows of instruction, input, output and keywords: a data set
    #[arg(long, value_name = "D")]
    dataset: String,
    /// The base model
    #[arg(long, value_name = "M")]
    model: String,
    /// What to compare, separated by commas: `base` for the base model itself, names or versions of adapters, NAME@previous
    /// for what `adapters rollback` would publish
    #[arg(long, value_name = "T,..", value_delimiter = ',', default_value = BASE)]
    targets: Vec<String>,
    /// How a row becomes a prompt: qa_zh, qa_en, alpaca or chat
    #[arg(long, value_name = "P")]
    prompt_template: String,
    /// Most tokens per answer
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true)]
    max_tokens: i32,
    #[command(flatten)]
    gate: gate::GateArgs,
    /// Print one JSON object, with the evidence of every row
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Ended {
    name: String,
    evidence_digest: String,
    #[serde(flatten)]
    report: Report,
}

/// What follows an adapter's name where the version before the present one is meant.
const PREVIOUS: &str = "@previous";

pub(crate) async fn run(args: EvaluateArgs, context: &Context) -> Result<(), CliError> {
    let evaluations = context.clients().evaluation();
    let spec = spec(&args)?;
    let targets = spec.targets.clone();
    let request = CreateEvaluationRequest { spec: Some(spec), ..CreateEvaluationRequest::default() };
    let created = match evaluations.create_evaluation(request).await {
        Ok(created) => created,
        Err(error) => return Err(adapters::unpublished::explain(context, error, &targets).await),
    };
    context.note(&created.name);
    let name = created.name.clone();
    let ended = tokio::select! {
        ended = watch(context, created) => ended?,
        _ = tokio::signal::ctrl_c() => return Err(interrupted(name)),
    };
    let how = match ended.state() {
        EvaluationState::Succeeded => return report(context, ended, args.json),
        EvaluationState::Cancelled => "was cancelled".to_owned(),
        _ => format!("failed: {}", ended.error),
    };
    Err(CliError::Ended { name: ended.name, how })
}

fn interrupted(name: String) -> CliError {
    let id = names::evaluation_id(&name);
    let (look, stop) =
        (format!("rootstock evaluations show {id}"), format!("rootstock evaluations cancel {id}"));
    CliError::Interrupted { name, look, stop }
}

fn spec(args: &EvaluateArgs) -> Result<EvaluationSpec, CliError> {
    let targets = args.targets.iter().map(|name| target(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(EvaluationSpec {
        dataset: names::artifact(Kind::Dataset, &args.dataset)?,
        model: names::artifact(Kind::BaseModel, &args.model)?,
        gate: args.gate.gate(&targets)?,
        publish: args.gate.publish()?,
        targets,
        prompt_template: args.prompt_template.clone(),
        max_tokens: limits::max_tokens(args.max_tokens)?,
    })
}

fn target(name: &str) -> Result<String, CliError> {
    match name.strip_suffix(PREVIOUS) {
        Some(adapter) => Ok(names::alias(Kind::Adapter, adapter)? + PREVIOUS),
        None if matches!(name, BASE | "") => Ok(String::new()),
        None => names::artifact(Kind::Adapter, name),
    }
}

async fn watch(context: &Context, created: Evaluation) -> Result<Evaluation, CliError> {
    let meter = Meter::steps("row");
    let mut last = created;
    let mut stream = context.clients().evaluation().watch_evaluation(&last.name);
    while let Some(evaluation) = stream.next().await {
        last = evaluation?;
        meter.rows(unsigned(last.completed_rows), unsigned(last.total_rows));
    }
    meter.clear();
    Ok(last)
}

fn unsigned(number: i32) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn report(context: &Context, ended: Evaluation, json: bool) -> Result<(), CliError> {
    let (name, evidence_digest) = (ended.name.clone(), ended.evidence_digest.clone());
    let ended = Ended { name, evidence_digest, report: Report::from(ended) };
    if json {
        context.json(&ended)?;
    } else {
        ended.report.print(context)?;
        context.note(format!("the answers are in {}", ended.evidence_digest));
    }
    match ended.report.gate {
        Some(gate) if !gate.holds() => Err(CliError::Ended { name: ended.name, how: gate.told() }),
        Some(gate) if !json => context.line(format!("\n{}", gate.told())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_the_base_an_adapter_or_what_an_adapter_was() {
        let named = |name: &str| target(name).unwrap();
        assert_eq!((named("base"), named("")), (String::new(), String::new()));
        assert_eq!((named("a").as_str(), named("adapters/a").as_str()), ("adapters/a", "adapters/a"));
        assert_eq!(named("a@previous"), "adapters/a@previous");
        assert!(target("a@first").is_err() && target("datasets/a@previous").is_err());
    }
}
