//! What an adapter must show to be published: the ranges are those of an evaluation's gate.

use std::ops::RangeInclusive;

use rootstock_artifacts::{AliasName, Kind};
use rootstock_proto::{inference::v1::EvaluationMetric, training::v1 as proto};
use rootstock_text::PromptTemplate;

use super::{numbers::Fields, spec::reference};
use crate::{
    error::Error,
    names,
    spec::{Canary, Improvement, Method, Objective, Publication},
};

const PUBLICATION: Fields = Fields { path: "spec.publication" };
const CANARY: Fields = Fields { path: "spec.publication.canary" };
/// Longest answer: more than the context of any model that is served.
const MAX_TOKENS: usize = 1 << 20;
/// Longest time that a canary stands before it is judged: a day.
const MAX_CANARY_SECONDS: u64 = 24 * 60 * 60;

/// The name under which a job publishes its adapter.
pub(crate) fn published_name(spec: &proto::TrainingSpec) -> &str {
    let name = spec.publication.as_ref().map_or("", |publication| &publication.name);
    if name.is_empty() { &spec.output } else { name }
}

/// What is to be published, where something is.
pub(super) fn publication(
    from: &proto::TrainingSpec,
    method: &Method,
    objective: &Objective,
) -> Result<Option<Publication>, Error> {
    let Some(written) = &from.publication else { return Ok(None) };
    if matches!(method, Method::Full(_) | Method::Fisher(_)) {
        let message = "publishes adapters, and this method makes none; take publication out, or set lora, \
                       bottleneck, prefix or prompt";
        return Err(Error::invalid("spec.publication", message));
    }
    let (threshold, improvement) = asked(written)?;
    Ok(Some(Publication {
        name: name(from)?,
        dataset: reference(PUBLICATION, "dataset", &[Kind::Dataset], &written.dataset)?,
        prompt_template: template(&written.prompt_template, objective)?,
        max_tokens: PUBLICATION.size("max_tokens", written.max_tokens, 0, MAX_TOKENS)? as i32,
        metric: metric(written)?,
        threshold,
        improvement,
        canary: written.canary.as_ref().map(canary).transpose()?,
    }))
}

fn name(from: &proto::TrainingSpec) -> Result<AliasName, Error> {
    let alias = names::alias(Kind::Adapter, published_name(from));
    alias.ok_or_else(|| PUBLICATION.invalid("name", "must be adapters/{id}, or empty for output"))
}

fn template(written: &str, objective: &Objective) -> Result<PromptTemplate, Error> {
    if let (true, Objective::Supervised { prompt_template, .. }) = (written.is_empty(), objective) {
        return Ok(*prompt_template);
    }
    PromptTemplate::parse(written).map_err(|error| PUBLICATION.invalid("prompt_template", error.to_string()))
}

fn metric(written: &proto::Publication) -> Result<EvaluationMetric, Error> {
    match EvaluationMetric::try_from(written.metric) {
        Ok(metric) if metric != EvaluationMetric::Unspecified => Ok(metric),
        _ => {
            let message = "must be keyword_accuracy, exact_match, token_f1 or perplexity";
            Err(PUBLICATION.invalid("metric", message))
        }
    }
}

/// What is asked for: a value, an improvement, or both.
fn asked(written: &proto::Publication) -> Result<(Option<f64>, Option<Improvement>), Error> {
    let (values, told, improvements) = match written.metric() {
        EvaluationMetric::Perplexity => (1.0..=f64::MAX, "a finite number from 1 on", 0.0..=f64::MAX),
        _ => (0.0..=1.0, "from 0 to 1", 0.0..=1.0),
    };
    let threshold = within("threshold", written.threshold, values, told)?;
    let told = if *improvements.end() > 1.0 { "a finite number from 0 on" } else { "from 0 to 1" };
    let least = within("min_improvement", written.min_improvement, improvements, told)?;
    let p_values = f64::MIN_POSITIVE..=1.0;
    let max_p_value = within("max_p_value", written.max_p_value, p_values, "above 0 and at most 1")?;
    let compares = least.is_some() || max_p_value.is_some();
    if threshold.is_none() && !compares {
        let message = "asks for nothing; set threshold, min_improvement or both";
        return Err(Error::invalid("spec.publication", message));
    }
    let improvement = Improvement { least: least.unwrap_or(0.0), max_p_value };
    Ok((threshold, compares.then_some(improvement)))
}

fn within(
    field: &str,
    value: Option<f64>,
    range: RangeInclusive<f64>,
    told: &str,
) -> Result<Option<f64>, Error> {
    value.map(|value| PUBLICATION.number(field, value, range, told)).transpose()
}

fn canary(written: &proto::PublicationCanary) -> Result<Canary, Error> {
    // The share of all requests is no canary's.
    let share = CANARY.number("share", written.share, f64::MIN_POSITIVE..1.0, "above 0 and below 1")?;
    let min_seconds = CANARY.whole("min_seconds", written.min_seconds, 0, MAX_CANARY_SECONDS)?;
    Ok(Canary { share, min_seconds })
}
