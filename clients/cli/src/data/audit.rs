//! `rootstock data audit`: what is wrong or suspicious in the data of a training file, before anything is trained on it.
use std::path::PathBuf;

use clap::Args;
use rootstock_client::proto::training::v1::{
    AuditDatasetRequest, AuditDatasetResponse, DataExample, DataFinding, DataProblem, DatasetAudit,
    LabelRows, LengthBucket,
};
use serde::Serialize;

use crate::table::{self, Tabular};
use crate::{CliError, Context, train};

/// Characters of a text in a table.
const SHOWN: usize = 60;
/// Labels in a table.
const SHOWN_LABELS: usize = 20;
/// What stands around the part of a row that is trained.
const TRAINED: [&str; 2] = ["\u{27E6}", "\u{27E7}"];

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

impl Example {
    /// Where it stands, and what is to be said about it; else the row itself.
    fn line(&self) -> String {
        let place = format!("{}:{}", self.file, self.row);
        match (&self.other, self.detail.as_str()) {
            (Some(other), _) => format!("{place} = {other}  {}", self.text()),
            (None, "") => format!("{place}  {}", self.text()),
            (None, detail) => format!("{place}  {detail}"),
        }
    }

    fn text(&self) -> String {
        let [begin, end] = TRAINED;
        let (prompt, trained) = (table::cut(&self.prompt, SHOWN), table::cut(&self.trained, SHOWN));
        format!("{prompt}{begin}{trained}{end}")
    }
}

/// A line of the table: an example of a problem, the first one with the problem's name.
#[derive(Serialize)]
struct Line(String, String, String);

impl Tabular for Line {
    const HEADER: &'static [&'static str] = &["PROBLEM", "ROWS", "EXAMPLES"];

    fn cells(&self) -> Vec<String> {
        vec![self.0.clone(), self.1.clone(), self.2.clone()]
    }
}

impl Finding {
    fn lines(&self) -> impl Iterator<Item = Line> {
        let head = |i: usize, text: String| if i == 0 { text } else { String::new() };
        self.examples.iter().enumerate().map(move |(i, example)| {
            Line(head(i, self.problem.to_owned()), head(i, self.rows.to_string()), example.line())
        })
    }
}

impl Dataset {
    fn text(&self, title: &str) -> String {
        let template = match self.prompt_template.as_str() {
            "" => String::new(),
            template => format!(" ({template})"),
        };
        let mut text = format!(
            "{title}, {}{template}: {} rows, {} kept; {} tokens, {} with loss\n",
            self.dataset, self.rows, self.kept_rows, self.tokens, self.loss_tokens
        );
        if !self.labels.is_empty() {
            let label = |Label { label, rows }: &Label| format!("{}: {rows}", table::cut(label, SHOWN));
            let labels: Vec<String> = self.labels.iter().take(SHOWN_LABELS).map(label).collect();
            let more = self.labels.len().saturating_sub(SHOWN_LABELS);
            let more = if more > 0 { format!("  and {more} more") } else { String::new() };
            text += &format!("rows of labels: {}{more}\n", labels.join("  "));
        }
        for (what, lengths) in [("prompts", &self.prompt_lengths), ("answers", &self.answer_lengths)] {
            let filled: Vec<String> = lengths
                .iter()
                .filter(|bucket| bucket.rows > 0)
                .map(|bucket| format!("<{}: {}", bucket.below, bucket.rows))
                .collect();
            if !filled.is_empty() {
                text += &format!("tokens of {what}: {}\n", filled.join("  "));
            }
        }
        for sample in &self.samples {
            text += &format!("{}\n", sample.line());
        }
        let lines: Vec<Line> = self.findings.iter().flat_map(Finding::lines).collect();
        text + &if lines.is_empty() { "nothing suspicious".to_owned() } else { table::list(&lines) }
    }
}

impl Audit {
    fn text(&self) -> String {
        let trained = self.dataset.iter().chain(&self.mixed).map(|dataset| dataset.text("data to train on"));
        let mut parts: Vec<String> = trained.collect();
        for (title, dataset) in [
            ("data to validate on", &self.validation_dataset),
            ("data to replay", &self.replay),
            ("data to retain", &self.retention),
        ] {
            parts.extend(dataset.as_ref().map(|dataset| dataset.text(title)));
        }
        for (what, names) in [
            ("added tokens that no row has, so that nothing is learned of them", &self.unseen_tokens),
            ("labels of the model that no row to train on has", &self.missing_labels),
        ] {
            if !names.is_empty() {
                parts.push(format!("{what}: {}", table::cut(&names.join(", "), 10 * SHOWN)));
            }
        }
        parts.extend(self.refusals.iter().map(|refusal| format!("a job would fail: {refusal}")));
        parts.join("\n\n")
    }
}

pub(crate) async fn run(args: AuditArgs, context: &Context) -> Result<(), CliError> {
    let request =
        AuditDatasetRequest { spec: Some(train::read(&args.file).await?), max_examples: args.examples };
    let audit = Audit::from(context.clients().training().audit_dataset(request).await?);
    if args.json { context.json(&audit) } else { context.line(audit.text()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_shown_with_their_rows_and_the_trained_part_is_marked() {
        let example = |row, other_row| DataExample {
            file: "rows.jsonl".into(),
            row,
            prompt: "Question: why?\nAnswer:".into(),
            trained: " so".into(),
            other_file: "rows.jsonl".into(),
            other_row,
            ..DataExample::default()
        };
        let bad = DataExample {
            row: 7,
            detail: "row 7 (line 8): no".into(),
            file: "a.csv".into(),
            ..DataExample::default()
        };
        let finding =
            |problem: DataProblem, examples| DataFinding { problem: problem.into(), rows: 2, examples };
        let dataset = DatasetAudit {
            dataset: "datasets/rows".into(),
            rows: 12,
            findings: vec![
                finding(DataProblem::Malformed, vec![bad]),
                finding(DataProblem::Duplicate, vec![example(3, 1), example(4, 1)]),
            ],
            answer_lengths: vec![LengthBucket { below: 1, rows: 0 }, LengthBucket { below: 2, rows: 5 }],
            samples: vec![example(1, 0)],
            ..DatasetAudit::default()
        };
        let other = DataExample { other_dataset: "datasets/rows".into(), ..example(6, 1) };
        let second = DatasetAudit {
            dataset: "datasets/more".into(),
            prompt_template: "qa_en".into(),
            findings: vec![finding(DataProblem::Contradiction, vec![other])],
            labels: vec![LabelRows { label: "fox".into(), rows: 3 }],
            ..DatasetAudit::default()
        };
        let audit = Audit::from(AuditDatasetResponse {
            mixed: vec![dataset, second],
            refusals: vec!["NOTHING_TO_TRAIN: spec.dataset".to_owned()],
            unseen_tokens: vec!["<call>".to_owned()],
            ..AuditDatasetResponse::default()
        });
        let text = audit.text();
        for told in [
            "12 rows",
            "a.csv:7  row 7 (line 8): no",
            "rows.jsonl:3 = rows.jsonl:1",
            "rows.jsonl:1  Question: why? Answer:\u{27E6} so\u{27E7}",
            "tokens of answers: <2: 5",
            "a job would fail: NOTHING_TO_TRAIN",
            "data to train on, datasets/rows: 12 rows",
            "data to train on, datasets/more (qa_en)",
            "rows.jsonl:6 = datasets/rows rows.jsonl:1",
            "rows of labels: fox: 3",
            "nothing is learned of them: <call>",
        ] {
            assert!(text.contains(told), "{told} is not in\n{text}");
        }
        let json = serde_json::to_value(&audit).unwrap();
        assert_eq!(json["mixed"][0]["findings"][1]["examples"][0]["other"], "rows.jsonl:1");
    }
}
