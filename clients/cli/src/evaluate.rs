//! `rootstock evaluate`: base model and adapters answer the rows of a data set, and are scored side by side.
use clap::Args;
use futures::StreamExt;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::{
    CreateEvaluationRequest, Evaluation, EvaluationSpec, EvaluationState, ItemResult, Proportion,
    TargetResult,
};
use serde::Serialize;

use crate::progress::Meter;
use crate::table::Tabular;
use crate::{CliError, Context, names};

/// What stands for the base model among the targets.
const BASE: &str = "base";

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Rows of instruction, input, output and keywords: a data set
    #[arg(long, value_name = "D")]
    dataset: String,
    /// The base model
    #[arg(long, value_name = "M")]
    model: String,
    /// What to compare, separated by commas: `base` for the base model itself, names or versions of adapters
    #[arg(long, value_name = "T,..", value_delimiter = ',', default_value = BASE)]
    targets: Vec<String>,
    /// How a row becomes a prompt: qa_zh, qa_en, alpaca or chat
    #[arg(long, value_name = "P")]
    prompt_template: String,
    /// Most tokens per answer
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true)]
    max_tokens: i32,
    /// Print one JSON object, with the evidence of every row
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    name: String,
    evidence_digest: String,
    results: Vec<Scores>,
}

#[derive(Debug, Serialize)]
struct Scores {
    target: String,
    adapter_digest: String,
    rows: i32,
    keyword_accuracy: Share,
    exact_match: Share,
    perplexity: f64,
    items: Vec<Item>,
}

#[derive(Debug, Default, Serialize)]
struct Share {
    value: f64,
    lower: f64,
    upper: f64,
    hits: i32,
    total: i32,
}

#[derive(Debug, Serialize)]
struct Item {
    row: i32,
    instruction: String,
    expected: String,
    answer: String,
    keywords_found: Vec<String>,
    keywords_missing: Vec<String>,
    exact_match: bool,
    negative_log_likelihood: f64,
    expected_tokens: i32,
}

pub(crate) async fn run(args: EvaluateArgs, context: &Context) -> Result<(), CliError> {
    let evaluations = context.clients().evaluation();
    let request = CreateEvaluationRequest { spec: Some(spec(&args)?), ..CreateEvaluationRequest::default() };
    let created = evaluations.create_evaluation(request).await?;
    context.note(&created.name);
    let ended = tokio::select! {
        ended = watch(context, created) => ended?,
        _ = tokio::signal::ctrl_c() => {
            return Err(CliError::refused("interrupted; the evaluation goes on in the server"));
        }
    };
    let how = match ended.state() {
        EvaluationState::Succeeded => return report(context, ended, args.json),
        EvaluationState::Cancelled => "was cancelled".to_owned(),
        _ => format!("failed: {}", ended.error),
    };
    Err(CliError::Ended { name: ended.name, how })
}

fn spec(args: &EvaluateArgs) -> Result<EvaluationSpec, CliError> {
    let target = |name: &String| match name.as_str() {
        BASE | "" => Ok(String::new()),
        name => names::artifact(Kind::Adapter, name),
    };
    Ok(EvaluationSpec {
        dataset: names::artifact(Kind::Dataset, &args.dataset)?,
        model: names::artifact(Kind::BaseModel, &args.model)?,
        targets: args.targets.iter().map(target).collect::<Result<_, _>>()?,
        prompt_template: args.prompt_template.clone(),
        max_tokens: args.max_tokens,
    })
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
    let results: Vec<Scores> = ended.results.into_iter().map(Scores::from).collect();
    if json {
        return context.json(&Report { name: ended.name, evidence_digest: ended.evidence_digest, results });
    }
    context.list(&results, false)?;
    context.note(format!("the answers are in {}", ended.evidence_digest));
    Ok(())
}

impl Tabular for Scores {
    const HEADER: &'static [&'static str] =
        &["TARGET", "ROWS", "KEYWORDS", "95%", "EXACT", "95%", "PERPLEXITY"];

    fn cells(&self) -> Vec<String> {
        let interval = |share: &Share| format!("{:.2}-{:.2}", share.lower, share.upper);
        let value = |share: &Share| format!("{:.2} ({}/{})", share.value, share.hits, share.total);
        vec![
            self.target.clone(),
            self.rows.to_string(),
            value(&self.keyword_accuracy),
            interval(&self.keyword_accuracy),
            value(&self.exact_match),
            interval(&self.exact_match),
            format!("{:.2}", self.perplexity),
        ]
    }
}

impl From<TargetResult> for Scores {
    fn from(result: TargetResult) -> Self {
        let target = if result.target.is_empty() { BASE.to_owned() } else { result.target };
        Self {
            target,
            adapter_digest: result.adapter_digest,
            rows: result.rows,
            keyword_accuracy: result.keyword_accuracy.map(Share::from).unwrap_or_default(),
            exact_match: result.exact_match.map(Share::from).unwrap_or_default(),
            perplexity: result.perplexity,
            items: result.items.into_iter().map(Item::from).collect(),
        }
    }
}

impl From<Proportion> for Share {
    fn from(share: Proportion) -> Self {
        let Proportion { value, lower, upper, hits, total } = share;
        Self { value, lower, upper, hits, total }
    }
}

impl From<ItemResult> for Item {
    fn from(item: ItemResult) -> Self {
        Self {
            row: item.row,
            instruction: item.instruction,
            expected: item.expected,
            answer: item.answer,
            keywords_found: item.keywords_found,
            keywords_missing: item.keywords_missing,
            exact_match: item.exact_match,
            negative_log_likelihood: item.negative_log_likelihood,
            expected_tokens: item.expected_tokens,
        }
    }
}
