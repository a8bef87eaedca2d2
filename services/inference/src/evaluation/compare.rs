//! How two targets of an evaluation compare, row by row: both answered the same questions, so that hard rows and easy ones
//! count for both alike and a smaller difference says more.

use std::iter;

use rootstock_text::metrics::mcnemar_exact;
use serde::{Deserialize, Serialize};

use super::score::{Item, TargetResult, resampled};

/// A target against a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Place among the targets.
    pub(crate) target: usize,
    pub(crate) baseline: usize,
    pub(crate) keyword_accuracy: PairedProportion,
    pub(crate) exact_match: PairedProportion,
    pub(crate) token_f1: PairedMean,
    pub(crate) negative_log_likelihood: PairedMean,
}

/// Hits of two targets on the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairedProportion {
    pub(crate) difference: f64,
    /// Rows that the target alone hit.
    pub(crate) gained: usize,
    /// Rows that the baseline alone hit.
    pub(crate) lost: usize,
    pub(crate) total: usize,
    /// Of McNemar's exact test.
    pub(crate) p_value: f64,
}

/// Means of two targets over the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairedMean {
    pub(crate) difference: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// Of the paired bootstrap.
    pub(crate) p_value: f64,
}

/// Compares each target with the first and with the one before it, and one more pair if it isn't among those; blocks.
pub(super) fn compare(results: &[TargetResult], also: Option<(usize, usize)>) -> Vec<Comparison> {
    let mut pairs = pairs(results.len());
    let also = also.filter(|pair| !pairs.contains(pair));
    pairs.extend(also);
    pairs.into_iter().map(|pair| Comparison::of(results, pair)).collect()
}

fn pairs(targets: usize) -> Vec<(usize, usize)> {
    let with_both = |target: usize| {
        let before = (target > 1).then(|| (target, target - 1));
        iter::once((target, 0)).chain(before)
    };
    (1..targets).flat_map(with_both).collect()
}

impl Comparison {
    fn of(results: &[TargetResult], (target, baseline): (usize, usize)) -> Self {
        let pairs = Pairs { target: &results[target].items, baseline: &results[baseline].items };
        Self {
            target,
            baseline,
            keyword_accuracy: pairs.proportion(Item::keywords_hit),
            exact_match: pairs.proportion(|item| Some(item.exact_match)),
            token_f1: pairs.mean(|item| item.token_f1.unwrap_or_default()),
            negative_log_likelihood: pairs.mean(|item| item.negative_log_likelihood),
        }
    }
}

/// The same rows of two targets.
struct Pairs<'r> {
    target: &'r [Item],
    baseline: &'r [Item],
}

impl Pairs<'_> {
    fn of<T>(&self, figure: impl Fn(&Item) -> T) -> impl Iterator<Item = (T, T)> {
        self.target
            .iter()
            .zip(self.baseline)
            .map(move |(target, baseline)| (figure(target), figure(baseline)))
    }

    /// Rows without the figure are not counted.
    fn proportion(&self, hit: impl Fn(&Item) -> Option<bool>) -> PairedProportion {
        let hits: Vec<(bool, bool)> =
            self.of(hit).filter_map(|(target, baseline)| target.zip(baseline)).collect();
        let count = |wanted| hits.iter().filter(|&&pair| pair == wanted).count();
        let (gained, lost, total) = (count((true, false)), count((false, true)), hits.len());
        PairedProportion {
            difference: (gained as f64 - lost as f64) / total.max(1) as f64,
            gained,
            lost,
            total,
            p_value: mcnemar_exact(gained as u64, lost as u64),
        }
    }

    fn mean(&self, figure: impl Fn(&Item) -> f64) -> PairedMean {
        let differences: Vec<f64> = self.of(figure).map(|(target, baseline)| target - baseline).collect();
        let bootstrap = resampled(&differences);
        let mean = bootstrap.mean();
        PairedMean {
            difference: mean.value,
            lower: mean.lower,
            upper: mean.upper,
            p_value: bootstrap.p_value(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rootstock_model::LossSum;
    use rootstock_text::{JudgedRow, Row};

    use super::*;

    /// Answers to questions whose answer is always "yes", every second one with that keyword.
    pub(in super::super) fn answers(of: impl Fn(usize) -> &'static str, loss: f64) -> TargetResult {
        let judge = |index: usize| {
            let row =
                Row { instruction: "q".into(), input: String::new(), output: "yes".into(), ..Row::default() };
            let keywords = if index.is_multiple_of(2) { vec!["yes".to_owned()] } else { Vec::new() };
            let loss = LossSum { sum: loss + (index % 3) as f64, tokens: 1 };
            Item::judge(index, &JudgedRow { row, keywords }, of(index), loss)
        };
        TargetResult::of(String::new(), None, (0..20).map(judge).collect())
    }

    #[test]
    fn each_target_is_held_against_the_first_and_the_one_before_it() {
        assert_eq!(pairs(1), []);
        assert_eq!(pairs(2), [(1, 0)]);
        assert_eq!(pairs(4), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 2)]);
        let results = [answers(|_| "yes", 1.0), answers(|_| "no", 1.0)];
        let compared =
            |also| compare(&results, also).iter().map(|of| (of.target, of.baseline)).collect::<Vec<_>>();
        assert_eq!(compared(Some((0, 1))), [(1, 0), (0, 1)]);
        assert_eq!(compared(Some((1, 0))), [(1, 0)]);
    }

    #[test]
    fn rows_that_only_one_of_them_hit_decide() {
        // The first ten rows are right against the last twelve, so two are in both.
        let first = answers(|index| if index < 10 { "yes" } else { "no" }, 1.0);
        let last = answers(|index| if index >= 8 { "yes" } else { "well, yes" }, 2.0);
        let compared = Comparison::of(&[first, last], (1, 0));
        let exact = compared.exact_match;
        assert_eq!((exact.gained, exact.lost, exact.total), (10, 8, 20));
        assert!((exact.difference - 0.1).abs() < 1e-12);
        // 2 * sum(comb(18, k) for k in range(9)) / 2**18
        assert!((exact.p_value - 0.8145294189453125).abs() < 1e-9, "{}", exact.p_value);
        // "well, yes" has the keyword, which every second row asks for.
        let keywords = compared.keyword_accuracy;
        assert_eq!((keywords.gained, keywords.lost, keywords.total), (5, 0, 10));
        assert_eq!((keywords.difference, keywords.p_value), (0.5, 0.0625));
        // Ten rows gain 1, eight lose a third, two stay.
        let f1 = compared.token_f1;
        assert!((f1.difference - (10.0 - 8.0 / 3.0) / 20.0).abs() < 1e-12);
        assert!(f1.lower > 0.0 && f1.lower < f1.difference && f1.difference < f1.upper && f1.p_value < 0.05);
        // The loss differs by one in every row, however it differs between rows.
        let loss = compared.negative_log_likelihood;
        assert_eq!((loss.difference, loss.lower, loss.upper), (1.0, 1.0, 1.0));
        assert!(loss.p_value < 0.001);
    }

    #[test]
    fn the_same_answers_differ_in_nothing_and_the_other_way_round_all_signs_turn() {
        let same = |_| "yes";
        let compared = Comparison::of(&[answers(same, 1.0), answers(same, 1.0)], (1, 0));
        assert_eq!((compared.exact_match.difference, compared.exact_match.p_value), (0.0, 1.0));
        assert_eq!((compared.token_f1.difference, compared.token_f1.p_value), (0.0, 1.0));
        let results = [answers(|_| "no", 1.0), answers(same, 1.5)];
        let (there, back) = (Comparison::of(&results, (1, 0)), Comparison::of(&results, (0, 1)));
        assert_eq!(there.exact_match.difference, -back.exact_match.difference);
        assert_eq!(there.exact_match.p_value, back.exact_match.p_value);
        assert_eq!(there.negative_log_likelihood.difference, -back.negative_log_likelihood.difference);
    }
}
