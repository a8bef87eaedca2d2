//! `rootstock data audit`: what is wrong or suspicious in the data of a training file, before anything is trained on it.
mod shown;

use std::path::PathBuf;

use clap::Args;
use rootstock_client::proto::training::v1::{
    AuditDatasetRequest, AuditDatasetResponse, DataExample, DataFinding, DataProblem, DatasetAudit,
    LabelRows, LengthBucket,
};
use serde::Serialize;

use crate::{CliError, Context, train};

/// Arguments of `data audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The training file, as for `train`
    file: PathBuf,
    /// Most examples of each problem, 1 to 10
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: i32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Audit {
    /// Why a job would fail; empty where it would not.
    refusals: Vec<String>,
    /// Added tokens that nothing is trained on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen_tokens: Vec<String>,
    /// Labels that the model knows and nothing is trained on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_labels: Vec<String>,
    dataset: Option<Dataset>,
    /// Those of a mix, instead of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mixed: Vec<Dataset>,
    validation_dataset: Option<Dataset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Dataset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Dataset>,
}

#[derive(Debug, Serialize)]
struct Dataset {
    dataset: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    prompt_template: String,
    rows: i64,
    kept_rows: i64,
    tokens: i64,
    loss_tokens: i64,
    findings: Vec<Finding>,
    prompt_lengths: Vec<Bucket>,
    answer_lengths: Vec<Bucket>,
    /// Kept rows of each label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Label>,
    samples: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Label {
    label: String,
    rows: i64,
}

#[derive(Debug, Serialize)]
struct Finding {
    problem: &'static str,
    rows: i64,
    examples: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Bucket {
    below: i64,
    rows: i64,
}

#[derive(Debug, Serialize)]
struct Example {
    file: String,
    row: i64,
    prompt: String,
    trained: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The row that it repeats, contradicts or overlaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

impl From<AuditDatasetResponse> for Audit {
    fn from(found: AuditDatasetResponse) -> Self {
        Self {
            refusals: found.refusals,
            unseen_tokens: found.unseen_tokens,
            missing_labels: found.missing_labels,
            dataset: found.dataset.map(Dataset::from),
            mixed: found.mixed.into_iter().map(Dataset::from).collect(),
            validation_dataset: found.validation_dataset.map(Dataset::from),
            replay: found.replay.map(Dataset::from),
            retention: found.retention.map(Dataset::from),
        }
    }
}

impl From<DatasetAudit> for Dataset {
    fn from(audit: DatasetAudit) -> Self {
        let buckets = |lengths: Vec<LengthBucket>| {
            lengths.into_iter().map(|LengthBucket { below, rows }| Bucket { below, rows }).collect()
        };
        let labels = |LabelRows { label, rows }| Label { label, rows };
        Self {
            dataset: audit.dataset,
            prompt_template: audit.prompt_template,
            labels: audit.labels.into_iter().map(labels).collect(),
            rows: audit.rows,
            kept_rows: audit.kept_rows,
            tokens: audit.tokens,
            loss_tokens: audit.loss_tokens,
            findings: audit.findings.into_iter().map(Finding::from).collect(),
            prompt_lengths: buckets(audit.prompt_lengths),
            answer_lengths: buckets(audit.answer_lengths),
            samples: audit.samples.into_iter().map(Example::from).collect(),
        }
    }
}

impl From<DataFinding> for Finding {
    fn from(finding: DataFinding) -> Self {
        Self {
            problem: name(finding.problem()),
            rows: finding.rows,
            examples: finding.examples.into_iter().map(Example::from).collect(),
        }
    }
}

impl From<DataExample> for Example {
    fn from(example: DataExample) -> Self {
        let other = (example.other_row > 0).then(|| {
            let dataset = match example.other_dataset.as_str() {
                "" => String::new(),
                dataset => format!("{dataset} "),
            };
            format!("{dataset}{}:{}", example.other_file, example.other_row)
        });
        Self {
            file: example.file,
            row: example.row,
            prompt: example.prompt,
            trained: example.trained,
            detail: example.detail,
            other,
        }
    }
}

fn name(problem: DataProblem) -> &'static str {
    match problem {
        DataProblem::Unspecified => "unknown",
        DataProblem::Malformed => "malformed",
        DataProblem::InvalidUtf8 => "not UTF-8",
        DataProblem::MissingField => "missing field",
        DataProblem::WrongType => "wrong type",
        DataProblem::EmptyAnswer => "empty answer",
        DataProblem::EmptyPrompt => "empty prompt",
        DataProblem::Truncated => "truncated",
        DataProblem::Dropped => "dropped",
        DataProblem::FullyMasked => "fully masked",
        DataProblem::NoEos => "no EOS",
        DataProblem::Duplicate => "duplicate",
        DataProblem::NearDuplicate => "near duplicate",
        DataProblem::Contradiction => "contradiction",
        DataProblem::Overlap => "in training data too",
        DataProblem::Short => "far shorter",
        DataProblem::Long => "far longer",
        DataProblem::UnknownLabel => "unknown label",
    }
}

pub(crate) async fn run(args: AuditArgs, context: &Context) -> Result<(), CliError> {
    let request =
        AuditDatasetRequest { spec: Some(train::read(&args.file).await?), max_examples: args.examples };
    let audit = Audit::from(context.clients().training().audit_dataset(request).await?);
    if args.json { context.json(&audit) } else { context.line(audit.text()) }
}
