//! How one target of an evaluation did: as a row, and as JSON with the evidence of every row.
use rootstock_client::proto::inference::v1::{ItemResult, Proportion, TargetResult};
use serde::Serialize;

use crate::figures::rounded;
use crate::table::Tabular;

/// What stands for the base model among the targets.
pub(crate) const BASE: &str = "base";

/// The scores of a target.
#[derive(Debug, Serialize)]
pub(crate) struct Scores {
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
    #[serde(serialize_with = "rounded")]
    value: f64,
    #[serde(serialize_with = "rounded")]
    lower: f64,
    #[serde(serialize_with = "rounded")]
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

impl Tabular for Scores {
    const HEADER: &'static [&'static str] =
        &["TARGET", "ROWS", "KEYWORDS", "KEYWORDS 95%", "EXACT", "EXACT 95%", "PERPLEXITY"];

    fn cells(&self) -> Vec<String> {
        // Rows without keywords have no share of them.
        let any = |share: &Share, text: String| if share.total == 0 { "-".to_owned() } else { text };
        let interval = |share: &Share| any(share, format!("{:.2}-{:.2}", share.lower, share.upper));
        let value =
            |share: &Share| any(share, format!("{:.2} ({}/{})", share.value, share.hits, share.total));
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
        Self {
            target: target_name(&result.target).to_owned(),
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

/// A target as people write it.
pub(crate) fn target_name(target: &str) -> &str {
    if target.is_empty() { BASE } else { target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_keywords_have_no_share_of_them() {
        let exact = Proportion { value: 0.5, lower: 0.1, upper: 0.9, hits: 1, total: 2 };
        let result = TargetResult { rows: 2, exact_match: Some(exact), ..TargetResult::default() };
        let cells = Scores::from(result).cells();
        assert_eq!(cells[..6], ["base", "2", "-", "-", "0.50 (1/2)", "0.10-0.90"]);
        let mut titles = Scores::HEADER.to_vec();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Scores::HEADER.len(), "each column has a title of its own");
    }
}
