//! How one target of an evaluation did: as a row, and as JSON with the evidence of every row.
use rootstock_client::proto::inference::v1 as proto;
use rootstock_text::metrics::{Mean, Proportion};
use serde::Serialize;

use crate::figures::round;
use crate::table::{Tabular, or_dash};

/// What stands for the base model among the targets.
pub(crate) const BASE: &str = "base";

/// The scores of a target.
#[derive(Debug, Serialize)]
pub(crate) struct Scores {
    target: String,
    adapter_digest: String,
    rows: i32,
    keyword_accuracy: Proportion,
    exact_match: Proportion,
    /// Not in evaluations from before it was computed.
    token_f1: Option<Mean>,
    perplexity: f64,
    items: Vec<Item>,
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
    token_f1: Option<f64>,
}

impl Tabular for Scores {
    const HEADER: &'static [&'static str] = &[
        "TARGET",
        "ROWS",
        "KEYWORDS",
        "KEYWORDS 95%",
        "EXACT",
        "EXACT 95%",
        "F1",
        "F1 95%",
        "PERPLEXITY",
        "LOSS PER TOKEN",
    ];

    fn cells(&self) -> Vec<String> {
        // Rows without keywords have no share of them.
        let any = |share: &Proportion, text: String| if share.total == 0 { "-".to_owned() } else { text };
        let interval = |share: &Proportion| any(share, format!("{:.2}-{:.2}", share.lower, share.upper));
        let value =
            |share: &Proportion| any(share, format!("{:.2} ({}/{})", share.value, share.hits, share.total));
        vec![
            self.target.clone(),
            self.rows.to_string(),
            value(&self.keyword_accuracy),
            interval(&self.keyword_accuracy),
            value(&self.exact_match),
            interval(&self.exact_match),
            or_dash(self.token_f1.map(|f1| format!("{:.2}", f1.value))),
            or_dash(self.token_f1.map(|f1| format!("{:.2}-{:.2}", f1.lower, f1.upper))),
            format!("{:.2}", self.perplexity),
            format!("{:.4}", self.perplexity.ln()),
        ]
    }
}

impl From<proto::TargetResult> for Scores {
    fn from(result: proto::TargetResult) -> Self {
        Self {
            target: target_name(&result.target).to_owned(),
            adapter_digest: result.adapter_digest,
            rows: result.rows,
            keyword_accuracy: proportion(result.keyword_accuracy.unwrap_or_default()),
            exact_match: proportion(result.exact_match.unwrap_or_default()),
            token_f1: result.token_f1.map(mean),
            perplexity: result.perplexity,
            items: result.items.into_iter().map(Item::from).collect(),
        }
    }
}

fn proportion(share: proto::Proportion) -> Proportion {
    let proto::Proportion { value, lower, upper, hits, total } = share;
    let count = |rows: i32| usize::try_from(rows).unwrap_or_default();
    Proportion {
        value: round(value),
        lower: round(lower),
        upper: round(upper),
        hits: count(hits),
        total: count(total),
    }
}

fn mean(mean: proto::Mean) -> Mean {
    Mean { value: round(mean.value), lower: round(mean.lower), upper: round(mean.upper) }
}

impl From<proto::ItemResult> for Item {
    fn from(item: proto::ItemResult) -> Self {
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
            token_f1: item.token_f1,
        }
    }
}

/// A target as people write it.
pub(crate) fn target_name(target: &str) -> &str {
    if target.is_empty() { BASE } else { target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_keywords_have_no_share_of_them() {
        let exact = proto::Proportion { value: 0.5, lower: 0.1, upper: 0.9, hits: 1, total: 2 };
        let result = proto::TargetResult {
            rows: 2,
            exact_match: Some(exact),
            perplexity: 1.5f64.exp(),
            ..Default::default()
        };
        let cells = Scores::from(result).cells();
        assert_eq!(cells[..8], ["base", "2", "-", "-", "0.50 (1/2)", "0.10-0.90", "-", "-"]);
        assert_eq!(cells[8..], ["4.48", "1.5000"]);
        assert_eq!(cells.len(), Scores::HEADER.len());
        let mut titles = Scores::HEADER.to_vec();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Scores::HEADER.len(), "each column has a title of its own");
    }
}
