//! What an adapter must show to be published, checked.

use rootstock_artifacts::{AliasName, ArtifactName};
use rootstock_proto::inference::v1::EvaluationMetric;
use rootstock_text::PromptTemplate;

/// Under which name an adapter is published, and what it must show before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publication {
    pub(crate) name: AliasName,
    pub(crate) dataset: ArtifactName,
    pub(crate) prompt_template: PromptTemplate,
    /// 0 leaves it to the evaluation.
    pub(crate) max_tokens: i32,
    pub(crate) metric: EvaluationMetric,
    /// The value to reach.
    pub(crate) threshold: Option<f64>,
    pub(crate) improvement: Option<Improvement>,
    pub(crate) canary: Option<Canary>,
}

/// By how much an adapter must be better than what it would replace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Improvement {
    pub(crate) least: f64,
    pub(crate) max_p_value: Option<f64>,
}

/// How an adapter is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canary {
    /// Above 0 and below 1.
    pub(crate) share: f64,
    pub(crate) min_seconds: u64,
}
