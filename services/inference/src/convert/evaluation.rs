//! EvaluationService's messages.

use prost::Message;
use rootstock_artifacts::{Digest, Id, Kind};
use rootstock_proto::inference::v1 as proto;
use rootstock_runtime::MAX_MESSAGE_BYTES;
use rootstock_text::{
    PromptTemplate,
    metrics::{Mean, Proportion},
};

use super::{MAX_EVALUATIONS, adapter::adapter_name, count, from_micros, page_size, reference};
use crate::{
    error::Error,
    evaluation::{
        Comparison, Evaluation, Item, PREVIOUS, PairedMean, PairedProportion, Spec, State, TargetName,
        TargetResult, parse_evaluation_name,
    },
};

const DEFAULT_MAX_TOKENS: usize = 64;
/// Longest answer: more than the context of any model that is served.
const MAX_TOKENS: i32 = 1 << 20;
const MAX_TARGETS: usize = 8;
/// Hexadecimal digits in a page token that say that this list returned it.
const TOKEN_DIGITS: usize = 16;
const MAX_REQUEST_ID_CHARS: usize = 64;
/// Room for what is around the evaluation in a message.
const MESSAGE_MARGIN: usize = 64 << 10;

/// CreateEvaluationRequest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Create {
    pub(crate) id: Option<Id>,
    pub(crate) spec: Spec,
    pub(crate) request_id: Option<String>,
}

impl TryFrom<proto::CreateEvaluationRequest> for Create {
    type Error = Error;

    fn try_from(request: proto::CreateEvaluationRequest) -> Result<Self, Error> {
        let id = match request.evaluation_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|error| Error::invalid("evaluation_id", format!("{error}")))?),
        };
        if request.request_id.chars().count() > MAX_REQUEST_ID_CHARS {
            let message = format!("has more than {MAX_REQUEST_ID_CHARS} characters");
            return Err(Error::invalid("request_id", message));
        }
        let spec = request.spec.ok_or_else(|| Error::invalid("spec", "is missing"))?;
        // Here and not with the rest, because evaluations stored before this bound must still be readable.
        if spec.max_tokens > MAX_TOKENS {
            let message = format!("is {}; must be at most {MAX_TOKENS}", spec.max_tokens);
            return Err(Error::invalid("spec.max_tokens", message));
        }
        let request_id = Some(request.request_id).filter(|id| !id.is_empty());
        Ok(Self { id, spec: spec.try_into()?, request_id })
    }
}

impl TryFrom<proto::EvaluationSpec> for Spec {
    type Error = Error;

    fn try_from(spec: proto::EvaluationSpec) -> Result<Self, Error> {
        if spec.targets.is_empty() || spec.targets.len() > MAX_TARGETS {
            let message = format!("has {} entries; must have 1 to {MAX_TARGETS}", spec.targets.len());
            return Err(Error::invalid("spec.targets", message));
        }
        let targets = spec.targets.iter().enumerate();
        let targets = targets.map(|(index, target)| target_name(&format!("spec.targets[{index}]"), target));
        let template = PromptTemplate::parse(&spec.prompt_template)
            .map_err(|error| Error::invalid("spec.prompt_template", error.to_string()))?;
        let max_tokens = match usize::try_from(spec.max_tokens) {
            Ok(0) => DEFAULT_MAX_TOKENS,
            Ok(tokens) => tokens,
            Err(_) => return Err(Error::invalid("spec.max_tokens", "must not be negative")),
        };
        let targets = targets.collect::<Result<Vec<_>, Error>>()?;
        let gate = spec.gate.map(|gate| super::gate::gate(&gate, targets.len())).transpose()?;
        let publish = match spec.publish.as_str() {
            "" => None,
            alias => Some(super::gate::publish(alias, gate.as_ref(), &targets)?),
        };
        Ok(Self {
            dataset: reference("spec.dataset", Kind::Dataset, &spec.dataset)?,
            model: reference("spec.model", Kind::BaseModel, &spec.model)?,
            targets,
            template,
            max_tokens,
            gate,
            publish,
        })
    }
}

/// What a target is called.
pub(crate) fn target_name(field: &str, name: &str) -> Result<TargetName, Error> {
    match name.strip_suffix(PREVIOUS) {
        Some(alias) => adapter_name(field, alias).map(TargetName::Previous),
        None if name.is_empty() => Ok(TargetName::Base),
        None => reference(field, Kind::Adapter, name).map(TargetName::Adapter),
    }
}

impl From<&Spec> for proto::EvaluationSpec {
    fn from(spec: &Spec) -> Self {
        Self {
            dataset: spec.dataset.to_string(),
            model: spec.model.to_string(),
            targets: spec.targets.iter().map(ToString::to_string).collect(),
            prompt_template: spec.template.name().to_owned(),
            max_tokens: count(spec.max_tokens),
            gate: spec.gate.as_ref().map(Into::into),
            publish: spec.publish.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// ListEvaluationsRequest. The token is the number of the last evaluation on the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListEvaluations {
    pub(crate) page_size: usize,
    pub(crate) before: Option<i64>,
}

impl TryFrom<proto::ListEvaluationsRequest> for ListEvaluations {
    type Error = Error;

    fn try_from(request: proto::ListEvaluationsRequest) -> Result<Self, Error> {
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(read_page_token(token).ok_or_else(|| {
                Error::invalid("page_token", "is none that ListEvaluations gave; leave it out to begin again")
            })?),
        };
        Ok(Self { page_size: page_size(request.page_size, MAX_EVALUATIONS)?, before })
    }
}

/// The token of the page after the evaluation with this number.
pub(crate) fn page_token(number: i64) -> String {
    let digest = Digest::of(format!("ListEvaluations/{number}").as_bytes()).hex();
    format!("{}{number}", &digest[..TOKEN_DIGITS])
}

fn read_page_token(token: &str) -> Option<i64> {
    let number = token.get(TOKEN_DIGITS..)?.parse().ok()?;
    (page_token(number) == token).then_some(number)
}

/// The id in `evaluations/{id}`.
pub(crate) fn evaluation_id(name: &str) -> Result<Id, Error> {
    let wrong = || Error::invalid("name", format!("{name:?} must be evaluations/ and an id"));
    parse_evaluation_name(name).ok_or_else(wrong)
}

/// The message with the rows' evidence; without it where it doesn't fit a message, and then the artifact has it.
pub(crate) fn message_with_items(evaluation: Evaluation) -> proto::Evaluation {
    let mut message = proto::Evaluation::from(evaluation);
    if message.encoded_len() > MAX_MESSAGE_BYTES - MESSAGE_MARGIN {
        message.results.iter_mut().for_each(|result| result.items.clear());
    }
    message
}

impl From<Evaluation> for proto::Evaluation {
    fn from(evaluation: Evaluation) -> Self {
        Self {
            name: evaluation.name(),
            spec: Some((&evaluation.spec).into()),
            state: proto::EvaluationState::from(evaluation.state).into(),
            completed_rows: count(evaluation.completed_rows),
            total_rows: count(evaluation.total_rows),
            results: evaluation.results.into_iter().map(Into::into).collect(),
            error: evaluation.error,
            create_time: Some(from_micros(evaluation.create_micros)),
            end_time: evaluation.end_micros.map(from_micros),
            evidence_digest: evaluation.evidence.map(|digest| digest.to_string()).unwrap_or_default(),
            comparisons: evaluation.comparisons.into_iter().map(Into::into).collect(),
            gate: evaluation.gate.map(Into::into),
        }
    }
}

impl From<State> for proto::EvaluationState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl From<TargetResult> for proto::TargetResult {
    fn from(result: TargetResult) -> Self {
        Self {
            target: result.target,
            adapter_digest: result.adapter_digest.map(|digest| digest.to_string()).unwrap_or_default(),
            rows: count(result.rows),
            keyword_accuracy: Some(proportion(result.keyword_accuracy)),
            exact_match: Some(proportion(result.exact_match)),
            perplexity: result.perplexity,
            token_f1: result.token_f1.map(mean),
            items: result.items.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Comparison> for proto::Comparison {
    fn from(comparison: Comparison) -> Self {
        Self {
            target: count(comparison.target),
            baseline: count(comparison.baseline),
            keyword_accuracy: Some(paired_proportion(comparison.keyword_accuracy)),
            exact_match: Some(paired_proportion(comparison.exact_match)),
            token_f1: Some(paired_mean(comparison.token_f1)),
            negative_log_likelihood: Some(paired_mean(comparison.negative_log_likelihood)),
        }
    }
}

fn paired_proportion(pairs: PairedProportion) -> proto::PairedProportion {
    let PairedProportion { difference, gained, lost, total, p_value } = pairs;
    proto::PairedProportion {
        difference,
        gained: count(gained),
        lost: count(lost),
        total: count(total),
        p_value,
    }
}

fn paired_mean(pairs: PairedMean) -> proto::PairedMean {
    let PairedMean { difference, lower, upper, p_value } = pairs;
    proto::PairedMean { difference, lower, upper, p_value }
}

fn proportion(share: Proportion) -> proto::Proportion {
    let Proportion { value, lower, upper, hits, total } = share;
    proto::Proportion { value, lower, upper, hits: count(hits), total: count(total) }
}

fn mean(mean: Mean) -> proto::Mean {
    let Mean { value, lower, upper } = mean;
    proto::Mean { value, lower, upper }
}

impl From<Item> for proto::ItemResult {
    fn from(item: Item) -> Self {
        Self {
            row: count(item.row),
            instruction: item.instruction,
            expected: item.expected,
            answer: item.answer,
            keywords_found: item.keywords_found,
            keywords_missing: item.keywords_missing,
            exact_match: item.exact_match,
            negative_log_likelihood: item.negative_log_likelihood,
            expected_tokens: i32::try_from(item.expected_tokens).unwrap_or(i32::MAX),
            token_f1: item.token_f1,
        }
    }
}
