//! What the demo reports: answers side by side for people, one JSON object for scripts.

use rootstock_client::proto::inference::v1::{ItemResult, TargetResult};
use serde::Serialize;

use super::error::DemoError;
use super::steps::Losses;

/// Questions shown side by side.
const SHOWN: usize = 8;

/// The last line of `demo --json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) base_keyword_accuracy: f64,
    pub(crate) adapter_keyword_accuracy: f64,
    pub(crate) adapter_taught_accuracy: f64,
    pub(crate) base_eval_loss_first: f64,
    pub(crate) base_eval_loss_last: f64,
    pub(crate) train_loss_first: f64,
    pub(crate) train_loss_last: f64,
    pub(crate) adapter_digest: String,
    pub(crate) swap_ms: f64,
    pub(crate) seconds: f64,
}

/// The losses that every finished job has told.
pub(crate) struct Told {
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Losses {
    /// The held-out losses before and after training.
    pub(crate) fn eval(&self) -> Result<Told, DemoError> {
        told(self.eval_first, self.eval_last, "held-out loss")
    }

    /// The training losses of the first and the last step.
    pub(crate) fn train(&self) -> Result<Told, DemoError> {
        told(self.train_first, self.train_last, "training loss")
    }
}

fn told(first: Option<f64>, last: Option<f64>, what: &str) -> Result<Told, DemoError> {
    let told = first.zip(last).map(|(first, last)| Told { first, last });
    told.ok_or_else(|| DemoError::Unexpected(format!("the job told no {what}")))
}

/// The keyword accuracy of a result, with its interval, as text.
pub(crate) fn accuracy(result: &TargetResult) -> String {
    let share = result.keyword_accuracy.unwrap_or_default();
    format!("{}/{} = {:.2} [{:.2}, {:.2}]", share.hits, share.total, share.value, share.lower, share.upper)
}

/// The keyword accuracy of a result.
pub(crate) fn keyword_accuracy(result: &TargetResult) -> f64 {
    result.keyword_accuracy.unwrap_or_default().value
}

/// Some held-out questions with the answers of base and adapter.
pub(crate) fn side_by_side(base: &TargetResult, adapter: &TargetResult) -> String {
    let pairs: Vec<_> = base.items.iter().zip(&adapter.items).collect();
    let step = pairs.len().div_ceil(SHOWN).max(1);
    pairs.into_iter().step_by(step).map(|(base, adapter)| question(base, adapter)).collect()
}

fn question(base: &ItemResult, adapter: &ItemResult) -> String {
    let mark = if adapter.keywords_missing.is_empty() { "+" } else { "-" };
    format!(
        "\n  ? {}\n    base:    {}\n  {mark} adapter: {}\n",
        base.instruction,
        line(&base.answer),
        line(&adapter.answer)
    )
}

/// The first line of an answer.
fn line(answer: &str) -> &str {
    answer.trim().lines().next().unwrap_or_default()
}
