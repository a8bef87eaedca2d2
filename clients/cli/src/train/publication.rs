//! The keys of `publication` in a training file: under which name the adapter is published, and what it must show before.
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::EvaluationMetric;
use rootstock_client::proto::training::v1 as proto;
use serde::{Deserialize, Serialize};

use super::spec::named;
use crate::names;

/// What an evaluation measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    KeywordAccuracy,
    ExactMatch,
    TokenF1,
    Perplexity,
}

/// What an adapter must show.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Publication {
    name: String,
    dataset: String,
    prompt_template: String,
    max_tokens: i32,
    metric: Option<Metric>,
    threshold: Option<f64>,
    min_improvement: Option<f64>,
    max_p_value: Option<f64>,
    canary: Option<Canary>,
}

/// How an adapter is tried.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Canary {
    share: f64,
    min_seconds: i32,
}

/// As the contract has it.
pub(super) fn publication(from: &Publication) -> Result<proto::Publication, String> {
    let name = match from.name.as_str() {
        "" => String::new(),
        name => names::alias(Kind::Adapter, name).map_err(|error| format!("publication.name: {error}"))?,
    };
    let canary = from.canary.as_ref();
    Ok(proto::Publication {
        name,
        dataset: named("publication.dataset", Kind::Dataset, &from.dataset)?,
        prompt_template: from.prompt_template.clone(),
        max_tokens: from.max_tokens,
        metric: from.metric.map(EvaluationMetric::from).unwrap_or_default().into(),
        threshold: from.threshold,
        min_improvement: from.min_improvement,
        max_p_value: from.max_p_value,
        canary: canary
            .map(|canary| proto::PublicationCanary { share: canary.share, min_seconds: canary.min_seconds }),
    })
}

impl From<Metric> for EvaluationMetric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::KeywordAccuracy => Self::KeywordAccuracy,
            Metric::ExactMatch => Self::ExactMatch,
            Metric::TokenF1 => Self::TokenF1,
            Metric::Perplexity => Self::Perplexity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::parse;
    use super::*;

    fn parsed(publication: &str) -> Result<proto::Publication, String> {
        let file = "output: a\nbase_model: m\ndataset: d\nobjective: supervised\nprompt_template: qa_en\nmethod: lora\n";
        let spec = parse(format!("{file}publication: {publication}\n").as_bytes())?;
        Ok(spec.publication.unwrap())
    }

    #[test]
    fn a_publication_is_read_with_all_its_keys() {
        let all = "{name: b, dataset: held, prompt_template: qa_zh, max_tokens: 9, metric: token_f1, threshold: 0.5, \
                   min_improvement: 0, max_p_value: 0.05, canary: {share: 0.1, min_seconds: 60}}";
        assert_eq!(
            parsed(all).unwrap(),
            proto::Publication {
                name: "adapters/b".into(),
                dataset: "datasets/held".into(),
                prompt_template: "qa_zh".into(),
                max_tokens: 9,
                metric: EvaluationMetric::TokenF1.into(),
                threshold: Some(0.5),
                min_improvement: Some(0.0),
                max_p_value: Some(0.05),
                canary: Some(proto::PublicationCanary { share: 0.1, min_seconds: 60 }),
            }
        );
        let least = parsed("{dataset: held, metric: perplexity}").unwrap();
        assert_eq!((least.name.as_str(), least.min_improvement, least.canary), ("", None, None));
    }

    #[test]
    fn what_a_publication_does_not_have_is_named() {
        let refused = |publication: &str| parsed(publication).unwrap_err();
        assert!(refused("{datset: a}").contains("unknown key publication.datset; did you mean dataset?"));
        let canary = refused("{dataset: a, canary: {shares: 1}}");
        assert!(canary.contains("unknown key publication.canary.shares"), "{canary}");
        assert!(refused("{dataset: ''}").starts_with("publication.dataset"));
        assert!(refused("{dataset: a, metric: accuracy}").contains("keyword_accuracy"));
    }
}
