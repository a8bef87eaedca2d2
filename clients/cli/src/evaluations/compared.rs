//! How one target of an evaluation did against another: as a row, and as JSON.
use rootstock_client::proto::inference::v1 as proto;
use serde::Serialize;

use super::scores::target_name;
use crate::figures::rounded;
use crate::table::Tabular;

/// P-values below this are told as such.
const LEAST_P: f64 = 0.001;

/// A target against a baseline.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    target: String,
    baseline: String,
    keyword_accuracy: Hits,
    exact_match: Hits,
    token_f1: Means,
    negative_log_likelihood: Means,
}

#[derive(Debug, Serialize)]
struct Hits {
    #[serde(serialize_with = "rounded")]
    difference: f64,
    gained: i32,
    lost: i32,
    total: i32,
    #[serde(serialize_with = "rounded")]
    p_value: f64,
}

#[derive(Debug, Serialize)]
struct Means {
    #[serde(serialize_with = "rounded")]
    difference: f64,
    #[serde(serialize_with = "rounded")]
    lower: f64,
    #[serde(serialize_with = "rounded")]
    upper: f64,
    #[serde(serialize_with = "rounded")]
    p_value: f64,
}

impl Tabular for Compared {
    const HEADER: &'static [&'static str] = &[
        "TARGET",
        "AGAINST",
        "KEYWORDS",
        "KEYWORDS P",
        "EXACT",
        "EXACT P",
        "F1",
        "F1 95%",
        // Of whole answers, not of their tokens as the loss of a training or a perplexity.
        "LOSS PER ROW",
        "LOSS PER ROW 95%",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.target.clone(),
            self.baseline.clone(),
            self.keyword_accuracy.difference(),
            self.keyword_accuracy.p_value(),
            self.exact_match.difference(),
            self.exact_match.p_value(),
            format!("{:+.2}", self.token_f1.difference),
            self.token_f1.interval(),
            format!("{:+.2}", self.negative_log_likelihood.difference),
            self.negative_log_likelihood.interval(),
        ]
    }
}

impl Compared {
    /// A comparison of two of these targets.
    pub(super) fn new(comparison: proto::Comparison, targets: &[String]) -> Self {
        let name = |place: i32| {
            let target = usize::try_from(place).ok().and_then(|place| targets.get(place));
            target.map_or_else(|| place.to_string(), |target| target_name(target).to_owned())
        };
        Self {
            target: name(comparison.target),
            baseline: name(comparison.baseline),
            keyword_accuracy: comparison.keyword_accuracy.unwrap_or_default().into(),
            exact_match: comparison.exact_match.unwrap_or_default().into(),
            token_f1: comparison.token_f1.unwrap_or_default().into(),
            negative_log_likelihood: comparison.negative_log_likelihood.unwrap_or_default().into(),
        }
    }
}

impl Hits {
    fn difference(&self) -> String {
        match self.total {
            0 => "-".to_owned(),
            _ => format!("{:+.2} (+{} -{})", self.difference, self.gained, self.lost),
        }
    }

    fn p_value(&self) -> String {
        match self.p_value {
            _ if self.total == 0 => "-".to_owned(),
            p if p < LEAST_P => format!("<{LEAST_P}"),
            p => format!("{p:.3}"),
        }
    }
}

impl Means {
    fn interval(&self) -> String {
        format!("{:+.2} to {:+.2}", self.lower, self.upper)
    }
}

impl From<proto::PairedProportion> for Hits {
    fn from(pairs: proto::PairedProportion) -> Self {
        let proto::PairedProportion { difference, gained, lost, total, p_value } = pairs;
        Self { difference, gained, lost, total, p_value }
    }
}

impl From<proto::PairedMean> for Means {
    fn from(pairs: proto::PairedMean) -> Self {
        let proto::PairedMean { difference, lower, upper, p_value } = pairs;
        Self { difference, lower, upper, p_value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_names_its_targets_and_says_what_chance_does() {
        let exact =
            proto::PairedProportion { difference: 0.25, gained: 6, lost: 1, total: 20, p_value: 0.125 };
        let loss = proto::PairedMean { difference: -0.5, lower: -0.75, upper: 0.1, p_value: 0.06 };
        let comparison = proto::Comparison {
            target: 1,
            exact_match: Some(exact),
            negative_log_likelihood: Some(loss),
            ..proto::Comparison::default()
        };
        let targets = [String::new(), "adapters/a".to_owned()];
        let compared = Compared::new(comparison, &targets);
        let cells = compared.cells();
        assert_eq!(cells[..6], ["adapters/a", "base", "-", "-", "+0.25 (+6 -1)", "0.125"]);
        assert_eq!(cells[8..], ["-0.50", "-0.75 to +0.10"]);
        assert_eq!(cells.len(), Compared::HEADER.len());
        let sure = Hits { p_value: 1e-9, ..compared.exact_match };
        assert_eq!(sure.p_value(), "<0.001");
    }
}
