//! The gate of `rootstock evaluate`: what one target must show, and where it is published then.
use clap::Args;
use clap::builder::PossibleValuesParser;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::{EvaluationGate, EvaluationMetric};

use super::target;
use crate::{CliError, names};

/// What a gate may look at, as people write it.
const METRICS: [&str; 4] = ["keyword_accuracy", "exact_match", "token_f1", "perplexity"];

/// What one target must show.
#[derive(Debug, Default, Args)]
pub(super) struct GateArgs {
    /// Judge one target by this; the command fails if the target does
    #[arg(long, value_name = "METRIC", value_parser = PossibleValuesParser::new(METRICS))]
    gate: Option<String>,
    /// The target to judge [default: the last one]
    #[arg(long, value_name = "T", requires = "gate")]
    candidate: Option<String>,
    /// What the metric must be at least; at most, for the perplexity
    #[arg(long, value_name = "X", requires = "gate", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// The target that the candidate must not be worse than
    #[arg(long, value_name = "T", requires = "gate")]
    baseline: Option<String>,
    /// By how much it must be better than the baseline
    #[arg(long, value_name = "X", requires = "baseline", allow_negative_numbers = true)]
    min_improvement: Option<f64>,
    /// How likely the improvement may be by chance, such as 0.05
    #[arg(long, value_name = "P", requires = "baseline", allow_negative_numbers = true)]
    max_p_value: Option<f64>,
    /// Publish the candidate under this adapter's name if it passes and the name hasn't moved
    #[arg(long, value_name = "NAME", requires = "gate")]
    publish: Option<String>,
}

impl GateArgs {
    /// The gate on one of these targets, if one is asked for.
    pub(super) fn gate(&self, targets: &[String]) -> Result<Option<EvaluationGate>, CliError> {
        let Some(metric) = &self.gate else { return Ok(None) };
        let metric = format!("EVALUATION_METRIC_{}", metric.to_uppercase());
        let metric = EvaluationMetric::from_str_name(&metric).unwrap_or_default();
        let candidate = match &self.candidate {
            Some(name) => place("--candidate", name, targets)?,
            None => signed(targets.len().saturating_sub(1)),
        };
        let baseline = self.baseline.as_ref().map(|name| place("--baseline", name, targets)).transpose()?;
        Ok(Some(EvaluationGate {
            metric: metric.into(),
            candidate,
            threshold: self.threshold,
            baseline,
            min_improvement: self.min_improvement,
            max_p_value: self.max_p_value,
        }))
    }

    /// The alias to publish under; empty for none.
    pub(super) fn publish(&self) -> Result<String, CliError> {
        self.publish.as_ref().map_or(Ok(String::new()), |name| names::alias(Kind::Adapter, name))
    }
}

fn place(flag: &str, name: &str, targets: &[String]) -> Result<i32, CliError> {
    let wanted = target(name)?;
    let found = targets.iter().position(|target| *target == wanted);
    found.map(signed).ok_or_else(|| {
        CliError::refused(format!("{flag} {name}: is none of the --targets; add it there too"))
    })
}

fn signed(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        gate: GateArgs,
    }

    #[test]
    fn what_belongs_to_a_gate_is_refused_without_one_and_an_unknown_metric_is_named() {
        let parse = |line: &str| Line::try_parse_from(format!("evaluate {line}").split(' '));
        let refused = |line: &str| parse(line).unwrap_err().to_string();
        for alone in ["--publish a", "--threshold 0.5", "--candidate a", "--baseline base"] {
            assert!(refused(alone).contains("--gate"), "{alone}");
        }
        assert!(refused("--gate token_f1 --max-p-value 0.05").contains("--baseline"));
        assert!(refused("--gate accuracy").contains("keyword_accuracy"));
        let parsed = parse("--gate token_f1 --baseline base --min-improvement -0.1 --publish a").unwrap();
        assert_eq!(parsed.gate.publish().unwrap(), "adapters/a");
    }

    #[test]
    fn names_of_targets_become_their_places_and_the_last_one_is_judged() {
        let targets = [String::new(), "adapters/a@previous".to_owned(), "adapters/a".to_owned()];
        let args = GateArgs { gate: Some("token_f1".into()), ..GateArgs::default() };
        let gate = args.gate(&targets).unwrap().unwrap();
        assert_eq!((gate.metric(), gate.candidate, gate.baseline), (EvaluationMetric::TokenF1, 2, None));
        let args = GateArgs { candidate: Some("a@previous".into()), baseline: Some("base".into()), ..args };
        let gate = args.gate(&targets).unwrap().unwrap();
        assert_eq!((gate.candidate, gate.baseline), (1, Some(0)));
        let unknown = GateArgs { baseline: Some("b".into()), ..args }.gate(&targets).unwrap_err();
        assert!(unknown.to_string().contains("--baseline b: is none of the --targets"), "{unknown}");
        assert_eq!(GateArgs::default().gate(&targets).unwrap(), None);
    }

    #[test]
    fn every_metric_of_the_contract_can_be_written() {
        for metric in METRICS {
            let args = GateArgs { gate: Some(metric.into()), ..GateArgs::default() };
            let gate = args.gate(&[String::new()]).unwrap().unwrap();
            assert_ne!(gate.metric(), EvaluationMetric::Unspecified, "{metric}");
        }
    }
}
