//! How answers are judged, row by row and together.

use rootstock_artifacts::Digest;
use rootstock_kernels::Random;
use rootstock_model::LossSum;
use rootstock_text::JudgedRow;
use rootstock_text::metrics::{Bootstrap, Mean, Proportion, exact_match, keyword_hit, token_f1};
use serde::{Deserialize, Serialize};

/// Seed of every resample: the same answers have the same intervals, and all targets are resampled alike.
const RESAMPLING_SEED: u64 = 0;
/// Mean loss beyond which the perplexity would be infinite, which no JSON holds.
const MAX_MEAN_LOSS: f64 = 700.0;

/// One row's evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) row: usize,
    pub(crate) instruction: String,
    pub(crate) expected: String,
    pub(crate) answer: String,
    pub(crate) keywords_found: Vec<String>,
    pub(crate) keywords_missing: Vec<String>,
    pub(crate) exact_match: bool,
    pub(crate) negative_log_likelihood: f64,
    pub(crate) expected_tokens: u64,
    /// Not in evaluations from before it was computed.
    #[serde(default)]
    pub(crate) token_f1: Option<f64>,
}

/// How one target did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetResult {
    /// As asked for; empty for the base model.
    pub(crate) target: String,
    pub(crate) adapter_digest: Option<Digest>,
    pub(crate) rows: usize,
    pub(crate) keyword_accuracy: Proportion,
    pub(crate) exact_match: Proportion,
    pub(crate) perplexity: f64,
    /// Not in evaluations from before it was computed.
    #[serde(default)]
    pub(crate) token_f1: Option<Mean>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Item>,
}

impl Item {
    /// Judges an answer; `loss` is that of the expected answer's tokens.
    pub(super) fn judge(row: usize, question: &JudgedRow, answer: &str, loss: LossSum) -> Self {
        let answer = answer.trim();
        let hits = keyword_hit(answer, &question.keywords).found;
        let pick = |wanted: bool| {
            let pairs = question.keywords.iter().zip(&hits);
            pairs.filter(|(_, found)| **found == wanted).map(|(keyword, _)| keyword.clone()).collect()
        };
        Self {
            row,
            instruction: question.row.instruction.clone(),
            expected: question.row.output.clone(),
            answer: answer.to_owned(),
            keywords_found: pick(true),
            keywords_missing: pick(false),
            exact_match: exact_match(answer, &question.row.output),
            negative_log_likelihood: loss.sum,
            expected_tokens: loss.tokens,
            token_f1: Some(token_f1(answer, &question.row.output)),
        }
    }

    /// Whether all keywords occur; nothing where there are none.
    pub(super) fn keywords_hit(&self) -> Option<bool> {
        let any = !self.keywords_found.is_empty() || !self.keywords_missing.is_empty();
        any.then_some(self.keywords_missing.is_empty())
    }
}

/// What the mean of these values is worth; takes a while.
pub(super) fn resampled(values: &[f64]) -> Bootstrap {
    let random = Random::new(RESAMPLING_SEED, 0);
    Bootstrap::of_mean(values, |position, bound| random.below(position, bound))
}

impl TargetResult {
    /// Puts the rows together; blocks.
    pub(super) fn of(target: String, adapter_digest: Option<Digest>, items: Vec<Item>) -> Self {
        let keywords: Vec<bool> = items.iter().filter_map(Item::keywords_hit).collect();
        let keyword_hits = keywords.iter().filter(|&&hit| hit).count();
        let exact_hits = items.iter().filter(|item| item.exact_match).count();
        let loss: f64 = items.iter().map(|item| item.negative_log_likelihood).sum();
        let tokens: u64 = items.iter().map(|item| item.expected_tokens).sum();
        let mean = if tokens == 0 { 0.0 } else { loss / tokens as f64 };
        let token_f1: Vec<f64> = items.iter().filter_map(|item| item.token_f1).collect();
        Self {
            target,
            adapter_digest,
            rows: items.len(),
            keyword_accuracy: Proportion::new(keyword_hits, keywords.len()),
            exact_match: Proportion::new(exact_hits, items.len()),
            perplexity: mean.min(MAX_MEAN_LOSS).exp(),
            token_f1: Some(resampled(&token_f1).mean()),
            items,
        }
    }

    /// The same without the rows.
    pub(super) fn summary(&self) -> Self {
        Self {
            target: self.target.clone(),
            adapter_digest: self.adapter_digest,
            rows: self.rows,
            keyword_accuracy: self.keyword_accuracy,
            exact_match: self.exact_match,
            perplexity: self.perplexity,
            token_f1: self.token_f1,
            items: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_text::Row;

    use super::*;

    fn question(output: &str, keywords: &[&str]) -> JudgedRow {
        let row =
            Row { instruction: "q".into(), input: String::new(), output: output.into(), ..Row::default() };
        JudgedRow { row, keywords: keywords.iter().map(|&keyword| keyword.to_owned()).collect() }
    }

    fn loss(sum: f64, tokens: u64) -> LossSum {
        LossSum { sum, tokens }
    }

    #[test]
    fn all_keywords_must_occur_and_rows_without_any_are_not_counted() {
        let items = vec![
            Item::judge(0, &question("It is RED.", &["red", "ＲＥＤ"]), " it is red.\n", loss(2.0, 4)),
            Item::judge(1, &question("blue and green", &["blue", "green"]), "blue", loss(6.0, 4)),
            Item::judge(2, &question("anything", &[]), "something", loss(0.0, 2)),
        ];
        assert_eq!(items[1].keywords_found, ["blue"]);
        assert_eq!(items[1].keywords_missing, ["green"]);
        let result = TargetResult::of(String::new(), None, items);
        assert_eq!((result.keyword_accuracy.hits, result.keyword_accuracy.total), (1, 2));
        assert_eq!((result.exact_match.hits, result.exact_match.total, result.rows), (1, 3, 3));
        // 8 nats over 10 tokens.
        assert!((result.perplexity - 0.8_f64.exp()).abs() < 1e-12);
        // All words are the same; one of one and of three; none.
        let f1: Vec<f64> = result.items.iter().map(|item| item.token_f1.unwrap()).collect();
        assert_eq!(f1, [1.0, 0.5, 0.0]);
        let mean = result.token_f1.unwrap();
        assert_eq!((mean.value, mean.lower, mean.upper), (0.5, 0.0, 1.0));
        // Wilson's interval for 1 of 2 at 95%: (0.5 + z^2/4 +- z sqrt(1/8 + z^2/16)) / (1 + z^2/2) with z = 1.959964.
        assert!((result.keyword_accuracy.lower - 0.094_531).abs() < 1e-5);
        assert!((result.keyword_accuracy.upper - 0.905_469).abs() < 1e-5);
    }

    #[test]
    fn what_has_nothing_to_count_is_zero_and_never_infinite() {
        let items = vec![Item::judge(0, &question("x", &[]), "", loss(1e9, 1))];
        let result = TargetResult::of(String::new(), None, items);
        assert_eq!((result.keyword_accuracy.value, result.keyword_accuracy.total), (0.0, 0));
        assert!(result.perplexity.is_finite());
        let json = serde_json::to_string(&result).unwrap();
        let read: TargetResult = serde_json::from_str(&json).unwrap();
        assert!(read.perplexity.is_finite());
        assert_eq!(read.items, result.items);
        assert!(result.summary().items.is_empty());
    }
}
