//! A gate: what one target of an evaluation must show, and whether it did.

use serde::{Deserialize, Serialize};

use super::{Comparison, TargetResult};

/// What a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    KeywordAccuracy,
    ExactMatch,
    TokenF1,
    /// Less is better.
    Perplexity,
}

/// What the candidate must show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    pub(crate) metric: Metric,
    /// Place among the targets.
    pub(crate) candidate: usize,
    /// The value to reach.
    pub(crate) threshold: Option<f64>,
    pub(crate) improvement: Option<Improvement>,
}

/// By how much the candidate must be better than another target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Improvement {
    /// Place among the targets.
    pub(crate) baseline: usize,
    /// `None` is 0: not worse.
    pub(crate) least: Option<f64>,
    pub(crate) max_p_value: Option<f64>,
}

/// What a gate said, and what followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GateResult {
    pub(crate) passed: bool,
    /// The figures: all if it passed, else those that fell short.
    pub(crate) reason: String,
    pub(crate) published_generation: Option<i64>,
    /// Why nothing was published although something was to be.
    pub(crate) publish_error: String,
}

/// One figure beside what it must be.
struct Check {
    holds: bool,
    told: String,
}

impl Metric {
    pub(crate) const ALL: [Self; 4] =
        [Self::KeywordAccuracy, Self::ExactMatch, Self::TokenF1, Self::Perplexity];

    /// As requests and people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KeywordAccuracy => "keyword_accuracy",
            Self::ExactMatch => "exact_match",
            Self::TokenF1 => "token_f1",
            Self::Perplexity => "perplexity",
        }
    }

    fn of(self, result: &TargetResult) -> f64 {
        match self {
            Self::KeywordAccuracy => result.keyword_accuracy.value,
            Self::ExactMatch => result.exact_match.value,
            Self::TokenF1 => result.token_f1.map_or(0.0, |f1| f1.value),
            Self::Perplexity => result.perplexity,
        }
    }

    /// How much better the target is, and how likely so much is by chance.
    fn improvement(self, results: &[TargetResult], comparison: &Comparison) -> (f64, f64) {
        match self {
            Self::KeywordAccuracy => {
                (comparison.keyword_accuracy.difference, comparison.keyword_accuracy.p_value)
            }
            Self::ExactMatch => (comparison.exact_match.difference, comparison.exact_match.p_value),
            Self::TokenF1 => (comparison.token_f1.difference, comparison.token_f1.p_value),
            // The perplexity is a function of the sum of these.
            Self::Perplexity => (
                results[comparison.baseline].perplexity - results[comparison.target].perplexity,
                comparison.negative_log_likelihood.p_value,
            ),
        }
    }
}

impl Gate {
    /// The targets that it needs compared.
    pub(super) fn pair(&self) -> Option<(usize, usize)> {
        self.improvement.as_ref().map(|improvement| (self.candidate, improvement.baseline))
    }

    /// Whether the candidate shows all that is asked for.
    pub(super) fn judge(&self, results: &[TargetResult], comparisons: &[Comparison]) -> GateResult {
        let mut checks = Vec::new();
        checks.extend(self.threshold.map(|threshold| self.check_value(threshold, results)));
        if let Some(improvement) = &self.improvement {
            let pair = (self.candidate, improvement.baseline);
            let compared = comparisons.iter().find(|compared| (compared.target, compared.baseline) == pair);
            // What was not compared passes nothing: no number is at least or at most NaN.
            let figures =
                compared.map_or((f64::NAN, f64::NAN), |compared| self.metric.improvement(results, compared));
            checks.extend(self.check_improvement(improvement, figures, results));
        }
        let passed = checks.iter().all(|check| check.holds);
        let told = checks.into_iter().filter(|check| passed || !check.holds).map(|check| check.told);
        GateResult { passed, reason: told.collect::<Vec<_>>().join("; "), ..GateResult::default() }
    }

    fn check_value(&self, threshold: f64, results: &[TargetResult]) -> Check {
        let (metric, value) = (self.metric.name(), self.metric.of(&results[self.candidate]));
        let (holds, bound) = match self.metric {
            Metric::Perplexity => (value <= threshold, "at most"),
            _ => (value >= threshold, "at least"),
        };
        let target = shown(&results[self.candidate]);
        Check { holds, told: format!("{metric} of {target} is {value:.4}, must be {bound} {threshold}") }
    }

    fn check_improvement(
        &self,
        wanted: &Improvement,
        (better, p_value): (f64, f64),
        results: &[TargetResult],
    ) -> Vec<Check> {
        let least = wanted.least.unwrap_or(0.0);
        let (metric, baseline) = (self.metric.name(), shown(&results[wanted.baseline]));
        let how = if better < 0.0 { "worse" } else { "better" };
        let told = format!(
            "{metric} is {how} by {:.4} than that of {baseline}, must be better by {least} or more",
            better.abs()
        );
        let mut checks = vec![Check { holds: better >= least, told }];
        checks.extend(wanted.max_p_value.map(|most| Check {
            holds: p_value <= most,
            told: format!("p is {p_value:.4} for the difference to {baseline}, must be at most {most}"),
        }));
        checks
    }
}

/// A target for people.
fn shown(result: &TargetResult) -> &str {
    if result.target.is_empty() { "the base model" } else { &result.target }
}

#[cfg(test)]
mod tests {
    use super::{
        super::compare::{compare, tests::answers},
        *,
    };

    /// Twenty rows: the first target has 10 right, the second 19 with less loss, the third none.
    fn judged(gate: &Gate) -> GateResult {
        let results = vec![
            answers(|index| if index < 10 { "yes" } else { "no" }, 2.0),
            answers(|index| if index < 19 { "yes" } else { "no" }, 1.0),
            answers(|_| "no", 3.0),
        ];
        gate.judge(&results, &compare(&results, gate.pair()))
    }

    fn gate(metric: Metric, threshold: f64) -> Gate {
        Gate { metric, candidate: 1, threshold: Some(threshold), improvement: None }
    }

    fn better(metric: Metric, candidate: usize, least: Option<f64>, max_p_value: Option<f64>) -> Gate {
        let improvement = Some(Improvement { baseline: 0, least, max_p_value });
        Gate { metric, candidate, threshold: None, improvement }
    }

    #[test]
    fn a_value_must_reach_the_threshold_and_a_perplexity_stay_below() {
        // 19 of 20 rows, and all ten of the rows with keywords, which are the even ones.
        for (metric, reached, missed) in [
            (Metric::ExactMatch, 0.95, 0.951),
            (Metric::KeywordAccuracy, 1.0, f64::INFINITY),
            (Metric::TokenF1, 0.95, 0.951),
            // The losses are 1, 2 and 3 in turn: 39 over 20 rows.
            (Metric::Perplexity, 7.03, 7.02),
        ] {
            assert!(judged(&gate(metric, reached)).passed, "{metric:?}");
            let failed = judged(&gate(metric, missed));
            assert!(!failed.passed && failed.reason.contains(metric.name()), "{failed:?}");
        }
        let told = judged(&gate(Metric::ExactMatch, 0.99)).reason;
        assert_eq!(told, "exact_match of the base model is 0.9500, must be at least 0.99");
    }

    #[test]
    fn what_was_not_compared_passes_nothing() {
        let results = vec![answers(|_| "no", 1.0), answers(|_| "yes", 1.0)];
        let gate = Gate { threshold: Some(0.5), ..better(Metric::ExactMatch, 1, None, None) };
        assert!(gate.judge(&results, &compare(&results, None)).passed);
        assert!(!gate.judge(&results, &[]).passed);
    }

    #[test]
    fn an_improvement_must_be_large_enough_and_no_chance() {
        // Nine rows gained, none lost: p is 2 / 2^9.
        assert!(judged(&better(Metric::ExactMatch, 1, Some(0.45), Some(0.004))).passed);
        assert!(!judged(&better(Metric::ExactMatch, 1, Some(0.46), None)).passed);
        let chance = judged(&better(Metric::ExactMatch, 1, None, Some(0.003)));
        assert!(!chance.passed);
        assert_eq!(chance.reason, "p is 0.0039 for the difference to the base model, must be at most 0.003");
        for metric in [Metric::TokenF1, Metric::Perplexity, Metric::ExactMatch, Metric::KeywordAccuracy] {
            let improved = judged(&better(metric, 1, None, None));
            assert!(improved.passed, "{metric:?}: {}", improved.reason);
            let worse = judged(&better(metric, 2, None, Some(1.0)));
            assert!(!worse.passed, "{metric:?}: {}", worse.reason);
        }
    }
}
