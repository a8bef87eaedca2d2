//! The gate of an evaluation, and what it said.

use rootstock_artifacts::AliasName;
use rootstock_proto::inference::v1 as proto;

use super::{adapter::adapter_name, count};
use crate::{
    error::Error,
    evaluation::{Gate, GateResult, Improvement, Metric, TargetName},
};

/// Numbers that a field may have.
struct Range {
    least: f64,
    most: f64,
    told: &'static str,
}

const SHARE: Range = Range { least: 0.0, most: 1.0, told: "a number from 0 to 1" };
const PERPLEXITY: Range = Range { least: 1.0, most: f64::MAX, told: "a finite number from 1 on" };
const LESS_PERPLEXITY: Range = Range { least: 0.0, most: f64::MAX, told: "a finite number from 0 on" };
const P_VALUE: Range = Range { least: f64::MIN_POSITIVE, most: 1.0, told: "a number above 0 and up to 1" };

/// A gate on one of so many targets.
pub(super) fn gate(gate: &proto::EvaluationGate, targets: usize) -> Result<Gate, Error> {
    let metric = metric(gate.metric())?;
    let candidate = place("candidate", gate.candidate, targets)?;
    let (values, improvements) = match metric {
        Metric::Perplexity => (PERPLEXITY, LESS_PERPLEXITY),
        _ => (SHARE, SHARE),
    };
    let threshold = within("threshold", gate.threshold, &values)?;
    let improvement = improvement(gate, targets, &improvements)?;
    if threshold.is_none() && improvement.is_none() {
        return Err(Error::invalid("spec.gate", "asks for nothing; set threshold, baseline or both"));
    }
    if improvement.as_ref().is_some_and(|improvement| improvement.baseline == candidate) {
        return Err(wrong("baseline", "is the candidate itself; name another target"));
    }
    Ok(Gate { metric, candidate, threshold, improvement })
}

/// The alias to publish a gate's candidate under.
pub(super) fn publish(alias: &str, gate: Option<&Gate>, targets: &[TargetName]) -> Result<AliasName, Error> {
    let field = "spec.publish";
    let gate = gate.ok_or_else(|| Error::invalid(field, "needs a gate that decides; set gate as well"))?;
    if targets[gate.candidate] == TargetName::Base {
        return Err(Error::invalid(
            field,
            "the gate's candidate is the base model; only an adapter is published",
        ));
    }
    adapter_name(field, alias)
}

fn metric(metric: proto::EvaluationMetric) -> Result<Metric, Error> {
    let found = Metric::ALL.into_iter().find(|known| proto::EvaluationMetric::from(*known) == metric);
    found.ok_or_else(|| {
        wrong("metric", format!("must be one of {}", Metric::ALL.map(Metric::name).join(", ")))
    })
}

fn improvement(
    gate: &proto::EvaluationGate,
    targets: usize,
    range: &Range,
) -> Result<Option<Improvement>, Error> {
    let least = within("min_improvement", gate.min_improvement, range)?;
    let max_p_value = within("max_p_value", gate.max_p_value, &P_VALUE)?;
    match gate.baseline {
        Some(baseline) => {
            Ok(Some(Improvement { baseline: place("baseline", baseline, targets)?, least, max_p_value }))
        }
        None if least.is_some() => Err(wrong("min_improvement", "needs a baseline to improve on")),
        None if max_p_value.is_some() => Err(wrong("max_p_value", "needs a baseline to compare with")),
        None => Ok(None),
    }
}

fn place(field: &str, place: i32, targets: usize) -> Result<usize, Error> {
    let known = usize::try_from(place).ok().filter(|place| *place < targets);
    known.ok_or_else(|| {
        wrong(field, format!("is {place}; must be a place among the {targets} targets, from 0"))
    })
}

fn within(field: &str, value: Option<f64>, range: &Range) -> Result<Option<f64>, Error> {
    match value {
        // NaN is in no range.
        Some(value) if !(range.least..=range.most).contains(&value) => {
            Err(wrong(field, format!("is {value}; must be {}", range.told)))
        }
        within => Ok(within),
    }
}

fn wrong(field: &str, message: impl Into<String>) -> Error {
    Error::invalid(format!("spec.gate.{field}"), message)
}

impl From<Metric> for proto::EvaluationMetric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::KeywordAccuracy => Self::KeywordAccuracy,
            Metric::ExactMatch => Self::ExactMatch,
            Metric::TokenF1 => Self::TokenF1,
            Metric::Perplexity => Self::Perplexity,
        }
    }
}

impl From<&Gate> for proto::EvaluationGate {
    fn from(gate: &Gate) -> Self {
        let improvement = gate.improvement.as_ref();
        Self {
            metric: proto::EvaluationMetric::from(gate.metric).into(),
            candidate: count(gate.candidate),
            threshold: gate.threshold,
            baseline: improvement.map(|improvement| count(improvement.baseline)),
            min_improvement: improvement.and_then(|improvement| improvement.least),
            max_p_value: improvement.and_then(|improvement| improvement.max_p_value),
        }
    }
}

impl From<GateResult> for proto::GateResult {
    fn from(result: GateResult) -> Self {
        let GateResult { passed, reason, published_generation, publish_error } = result;
        Self { passed, reason, published_generation: published_generation.unwrap_or_default(), publish_error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert::tests::refused, evaluation::Spec};

    fn spec(gate: Option<proto::EvaluationGate>, publish: &str) -> proto::EvaluationSpec {
        proto::EvaluationSpec {
            dataset: "datasets/d".into(),
            model: "baseModels/m".into(),
            targets: vec![String::new(), "adapters/a".into()],
            prompt_template: "qa_en".into(),
            max_tokens: 64,
            gate,
            publish: publish.into(),
        }
    }

    /// A gate that asks for all there is.
    fn full(metric: proto::EvaluationMetric) -> proto::EvaluationGate {
        proto::EvaluationGate {
            metric: metric.into(),
            candidate: 1,
            threshold: Some(1.0),
            baseline: Some(0),
            min_improvement: Some(0.0),
            max_p_value: Some(0.05),
        }
    }

    const F1: proto::EvaluationMetric = proto::EvaluationMetric::TokenF1;
    const LESS: proto::EvaluationMetric = proto::EvaluationMetric::Perplexity;

    #[test]
    fn a_gate_reads_back_as_it_was() {
        let bare =
            proto::EvaluationGate { baseline: None, min_improvement: None, max_p_value: None, ..full(F1) };
        let not_worse =
            proto::EvaluationGate { threshold: None, min_improvement: None, max_p_value: None, ..full(F1) };
        for gate in [full(F1), full(LESS), bare, not_worse] {
            let given = spec(Some(gate), "adapters/b");
            assert_eq!(proto::EvaluationSpec::from(&Spec::try_from(given.clone()).unwrap()), given);
        }
    }

    #[test]
    fn what_a_gate_cannot_ask_for_is_named() {
        type Change = fn(&mut proto::EvaluationGate);
        let cases: [(&str, proto::EvaluationMetric, Change); 20] = [
            (".metric", proto::EvaluationMetric::Unspecified, |_| ()),
            (".metric", F1, |gate| gate.metric = 99),
            (".candidate", F1, |gate| gate.candidate = 2),
            (".candidate", F1, |gate| gate.candidate = -1),
            (".threshold", F1, |gate| gate.threshold = Some(1.01)),
            (".threshold", F1, |gate| gate.threshold = Some(-0.01)),
            (".threshold", F1, |gate| gate.threshold = Some(f64::NAN)),
            (".threshold", LESS, |gate| gate.threshold = Some(0.5)),
            (".threshold", LESS, |gate| gate.threshold = Some(f64::INFINITY)),
            (".baseline", F1, |gate| gate.baseline = Some(2)),
            (".baseline", F1, |gate| gate.baseline = Some(1)),
            (".min_improvement", F1, |gate| gate.min_improvement = Some(1.5)),
            (".min_improvement", F1, |gate| gate.min_improvement = Some(f64::NAN)),
            (".min_improvement", LESS, |gate| gate.min_improvement = Some(-1.0)),
            (".min_improvement", F1, |gate| gate.baseline = None),
            (".max_p_value", F1, |gate| gate.max_p_value = Some(0.0)),
            (".max_p_value", F1, |gate| gate.max_p_value = Some(1.1)),
            (".max_p_value", F1, |gate| gate.max_p_value = Some(f64::NAN)),
            (".max_p_value", F1, |gate| (gate.baseline, gate.min_improvement) = (None, None)),
            ("", F1, |gate| *gate = proto::EvaluationGate { metric: gate.metric, ..Default::default() }),
        ];
        for (field, metric, change) in cases {
            let mut gate = full(metric);
            change(&mut gate);
            let refused = refused(Spec::try_from(spec(Some(gate), "")));
            assert_eq!(refused, format!("spec.gate{field}"), "{gate:?}");
        }
    }

    #[test]
    fn only_an_adapter_that_a_gate_judges_is_published() {
        let published = |gate, alias: &str| refused(Spec::try_from(spec(gate, alias)));
        assert_eq!(published(None, "adapters/a"), "spec.publish");
        assert_eq!(published(Some(full(F1)), "datasets/a"), "spec.publish");
        let base = proto::EvaluationGate { candidate: 0, baseline: Some(1), ..full(F1) };
        assert_eq!(published(Some(base), "adapters/a"), "spec.publish");
    }
}
