//! What an audit found, for people: data set by data set, each problem with its first rows and the trained part of each marked.
use serde::Serialize;

use super::{Audit, Dataset, Example, Finding, Label};
use crate::table::{self, Tabular};

/// Characters of a text in a table.
const SHOWN: usize = 60;
/// Labels in a table.
const SHOWN_LABELS: usize = 20;
/// What stands around the part of a row that is trained.
const TRAINED: [&str; 2] = ["\u{27E6}", "\u{27E7}"];

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
    pub(super) fn text(&self) -> String {
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

#[cfg(test)]
mod tests {
    use rootstock_client::proto::training::v1::{
        AuditDatasetResponse, DataExample, DataFinding, DataProblem, DatasetAudit, LabelRows, LengthBucket,
    };

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
