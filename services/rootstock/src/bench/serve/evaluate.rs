//! `--evaluate`: what running streams notice of an evaluation beside them.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use futures::StreamExt;
use rootstock_client::proto::inference::v1::{CreateEvaluationRequest, EvaluationSpec, EvaluationState};
use rootstock_client::{ArtifactDraft, ErrorReason, Kind, Progress};
use serde::Serialize;
use serde_json::json;

use super::beside::{self, Beside};
use super::figures::Figures;
use super::truth::{self, Sample};
use super::{Bench, Measured};
use crate::bench::BenchError;

/// Rows of an evaluation; when it has ended, the next one begins.
const ROWS: usize = 500;
/// What makes tokens of the rows.
const TOKENIZER: &str = "tokenizer.json";
/// How rows become prompts.
const TEMPLATE: &str = "qa_en";

/// Arguments of the measurement.
#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// Evaluate beside the streams for so many seconds; as long they run alone before
    #[arg(long, value_name = "SECONDS", group = "mode", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    evaluate: Option<u32>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    lasts: Duration,
}

#[derive(Debug, Serialize)]
struct Report {
    alone_itl_ms_p50: Option<f64>,
    alone_itl_ms_p99: Option<f64>,
    beside_itl_ms_p50: Option<f64>,
    beside_itl_ms_p99: Option<f64>,
    beside_over_alone: Option<f64>,
    evaluated_rows: usize,
    errors: usize,
}

impl EvaluateArgs {
    /// What to measure, if it is this, of a model in this directory.
    pub(super) fn plan(&self, model: &Path) -> Result<Option<Plan>, BenchError> {
        let Some(seconds) = self.evaluate else { return Ok(None) };
        if !model.join(TOKENIZER).is_file() {
            let message = format!(
                "--evaluate takes a model with a tokenizer; there is no {TOKENIZER} in {}",
                model.display()
            );
            return Err(BenchError::Refused(message));
        }
        Ok(Some(Plan { lasts: Duration::from_secs(seconds.into()) }))
    }
}

/// Lets the streams run without and with an evaluation.
pub(super) async fn measure(bench: &Bench, plan: Plan) -> Result<Measured, BenchError> {
    let request = request(bench).await?;
    bench.output.line(&format!("evaluating beside {} streams for {:?}", bench.load.concurrency, plan.lasts));
    let (streams, rows) = beside::measure(bench, plan.lasts, evaluate(bench, &request, plan)).await?;
    let rows = finished(rows, plan.lasts)?;
    bench.output.line(&format!("{rows} rows were evaluated beside the streams"));
    bench.output.line("asking alone what was answered");
    let samples = &streams.ran.samples;
    let mismatches = truth::mismatches(bench, samples).await?;
    let figures = Figures::new(samples.iter().map(Sample::answer), bench.load.prompt, mismatches)?;
    Measured::new(figures, samples.len(), &Report::new(&streams, rows))
}

/// Stores the rows; answers are as long as those of the streams.
async fn request(bench: &Bench) -> Result<CreateEvaluationRequest, BenchError> {
    let draft = ArtifactDraft::new(Kind::Dataset).parent("datasets/bench").file("rows.jsonl", rows());
    let dataset = bench.clients.checkpoint().upload_artifact(draft, &Progress::none()).await?.digest;
    let spec = EvaluationSpec {
        dataset,
        model: bench.stored.base.digest.clone(),
        targets: vec![bench.load.adapters.first().cloned().unwrap_or_default()],
        prompt_template: TEMPLATE.to_owned(),
        max_tokens: i32::try_from(bench.load.generate).unwrap_or(i32::MAX),
        ..EvaluationSpec::default()
    };
    Ok(CreateEvaluationRequest { spec: Some(spec), ..CreateEvaluationRequest::default() })
}

fn rows() -> String {
    let row = |number: usize| json!({"instruction": format!("What is {number} + 7?"), "output": (number + 7).to_string()});
    (0..ROWS).map(|number| format!("{}\n", row(number))).collect()
}

/// One evaluation after the other until the time is over; returns the rows that were finished.
async fn evaluate(bench: &Bench, request: &CreateEvaluationRequest, plan: Plan) -> Result<usize, BenchError> {
    let until = Instant::now() + plan.lasts;
    let mut rows = 0;
    while Instant::now() < until {
        rows += evaluate_once(bench, request.clone(), until).await?;
    }
    Ok(rows)
}

/// Beside an evaluation that finished nothing, nothing was measured.
fn finished(rows: usize, lasts: Duration) -> Result<usize, BenchError> {
    if rows > 0 {
        return Ok(rows);
    }
    let message = format!(
        "no row was evaluated within {lasts:?}; let --evaluate last longer, or take a shorter --generate"
    );
    Err(BenchError::Refused(message))
}

async fn evaluate_once(
    bench: &Bench,
    request: CreateEvaluationRequest,
    until: Instant,
) -> Result<usize, BenchError> {
    let evaluations = bench.clients.evaluation();
    let name = evaluations.create_evaluation(request).await?.name;
    let mut watched = evaluations.watch_evaluation(&name);
    let mut rows = 0;
    while let Ok(seen) = tokio::time::timeout_at(until.into(), watched.next()).await {
        let Some(seen) = seen.transpose()? else { return Ok(rows) };
        if seen.state() == EvaluationState::Failed {
            return Err(BenchError::Unexpected(format!("the evaluation failed: {}", seen.error)));
        }
        rows = usize::try_from(seen.completed_rows).unwrap_or_default();
    }
    match evaluations.cancel_evaluation(&name).await {
        // It ended in this moment.
        Err(error) if error.is(ErrorReason::WrongState) => Ok(rows),
        cancelled => Ok(cancelled.map(|_| rows)?),
    }
}

impl Report {
    fn new(streams: &Beside, evaluated_rows: usize) -> Self {
        let (alone, beside) = (streams.alone.median_ms(), streams.beside.median_ms());
        Self {
            alone_itl_ms_p50: alone,
            alone_itl_ms_p99: streams.alone.percentile_ms(0.99),
            beside_itl_ms_p50: beside,
            beside_itl_ms_p99: streams.beside.percentile_ms(0.99),
            beside_over_alone: beside.zip(alone).map(|(beside, alone)| beside / alone),
            evaluated_rows,
            errors: streams.ran.unanswered(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::percentile::Times;
    use crate::bench::serve::streams::Ran;

    #[test]
    fn the_median_beside_is_set_against_the_median_alone() {
        let streams = Beside {
            ran: Ran { errors: 1, ..Ran::default() },
            alone: Times::of_ms([4.0, 2.0, 9.0]),
            beside: Times::of_ms([5.0, 5.0, 20.0]),
        };
        let report = Report::new(&streams, 7);
        assert_eq!((report.beside_over_alone, report.alone_itl_ms_p99), (Some(1.25), Some(9.0)));
        assert_eq!((report.evaluated_rows, report.errors), (7, 1));
    }

    #[test]
    fn a_model_without_a_tokenizer_is_refused_before_it_is_loaded() {
        let model = tempfile::tempdir().unwrap();
        let plan = |evaluate| EvaluateArgs { evaluate }.plan(model.path());
        let refused = plan(Some(1)).unwrap_err().to_string();
        assert!(refused.starts_with("--evaluate takes a model with a tokenizer"), "{refused}");
        assert!(plan(None).unwrap().is_none());
        std::fs::write(model.path().join(TOKENIZER), "{}").unwrap();
        assert_eq!(plan(Some(1)).unwrap().map(|plan| plan.lasts), Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_evaluation_that_finished_no_row_is_no_measurement() {
        let refused = finished(0, Duration::from_secs(2)).unwrap_err().to_string();
        assert_eq!(
            refused,
            "no row was evaluated within 2s; let --evaluate last longer, or take a shorter --generate"
        );
        assert_eq!(finished(7, Duration::from_secs(2)).unwrap(), 7);
    }

    #[test]
    fn the_rows_are_as_many_questions() {
        let rows = rootstock_text::parse_rows(rows().as_bytes()).unwrap();
        assert_eq!((rows.len(), rows[1].output.as_str()), (ROWS, "8"));
    }
}
