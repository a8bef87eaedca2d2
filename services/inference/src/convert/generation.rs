//! GenerationService's messages.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use rootstock_artifacts::{Id, Kind};
use rootstock_kernels::dispatch;
use rootstock_proto::inference::v1::{
    self as proto, generate_request::Input as InputMessage, generate_response::Message,
};
use rootstock_text::ChatMessage;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use super::{constraint::constraint, count, optional_reference, reference};
use crate::{
    adapters::Part,
    bind::Wanted,
    engine::{Delta, FinishReason, Finished, Switched},
    error::Error,
    generation::{Input, Request, Started},
    sampling::{Sampling, Token},
};

const DEFAULT_MAX_TOKENS: usize = 64;
const MAX_PROMPT_BYTES: usize = 1 << 20;
/// Messages of one conversation, whose bytes are bounded as a prompt's.
const MAX_MESSAGES: usize = 256;
const MAX_TEMPERATURE: f64 = 100.0;
const MAX_REPETITION_PENALTY: f64 = 100.0;
/// Of presence and frequency penalty, either way.
const MAX_PENALTY: f64 = 2.0;
const MAX_BIASES: usize = 1024;
/// Either way.
const MAX_BIAS: f32 = 100.0;
const MAX_STOP_TOKENS: usize = 64;
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;
const MAX_LOGPROBS: usize = 20;
const MAX_COMPLETIONS: usize = 16;
/// The metadata key that names a request's tenant.
const TENANT: &str = "rootstock-tenant";
/// Whose the requests are that name none; no id is written so.
pub(crate) const NO_TENANT: &str = "(none)";
/// Either way.
const MAX_PRIORITY: i32 = 100;
const MAX_ROUTING_KEY_BYTES: usize = 256;
/// Adapters that one request sums up.
const MAX_ADAPTERS: usize = 8;
const MAX_WEIGHT: f64 = 4.0;

impl TryFrom<proto::GenerateRequest> for Request {
    type Error = Error;

    fn try_from(request: proto::GenerateRequest) -> Result<Self, Error> {
        let input = match request.input {
            Some(InputMessage::Prompt(text)) => text_input("prompt", text)?,
            Some(InputMessage::PromptIds(ids)) => ids_input("prompt_ids", ids)?,
            Some(InputMessage::Messages(messages)) => Input::Chat(chat(messages.messages)?),
            None => return Err(Error::invalid("prompt", "is missing; set prompt, prompt_ids or messages")),
        };
        let mut params = request.sampling.unwrap_or_default();
        let constraint = params.constraint.take().map(constraint).transpose()?;
        if constraint.is_some() && params.ignore_eos {
            let message = "a text that a constraint has completed ends; leave one of the two out";
            return Err(Error::invalid("sampling.ignore_eos", message));
        }
        Ok(Self {
            model: optional_reference("model", Kind::BaseModel, &request.model)?,
            adapter: wanted(&request.adapter, &request.adapters)?,
            input,
            stop: stops(&params.stop)?,
            constraint,
            prompt_logprobs: params
                .prompt_logprobs
                .map(|count| logprobs("prompt_logprobs", count))
                .transpose()?,
            completions: completions(params.n, params.temperature)?,
            sampling: params.try_into()?,
            routing_key: routing_key(request.routing_key)?,
            order: order(request.priority)?,
        })
    }
}

pub(super) fn text_input(field: &str, text: String) -> Result<Input, Error> {
    check_text(field, &text)?;
    Ok(Input::Text(text))
}

pub(super) fn check_text(field: &str, text: &str) -> Result<(), Error> {
    if text.len() <= MAX_PROMPT_BYTES {
        return Ok(());
    }
    let message = format!("has {} bytes, more than the {MAX_PROMPT_BYTES} allowed", text.len());
    Err(Error::invalid(field, message))
}

pub(super) fn ids_input(field: &str, ids: proto::TokenIds) -> Result<Input, Error> {
    if ids.ids.is_empty() {
        return Err(Error::invalid(format!("{field}.ids"), "is empty; send at least one token"));
    }
    Ok(Input::Ids(ids.ids))
}

fn chat(messages: Vec<proto::ChatMessage>) -> Result<Vec<ChatMessage>, Error> {
    let bytes: usize = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
    let refused = |message: String| Err(Error::invalid("messages", message));
    match messages.len() {
        0 => refused("is empty; send at least one message".to_owned()),
        count if count > MAX_MESSAGES => {
            refused(format!("has {count} entries, more than the {MAX_MESSAGES} allowed"))
        }
        _ if bytes > MAX_PROMPT_BYTES => {
            refused(format!("has {bytes} bytes, more than the {MAX_PROMPT_BYTES} allowed"))
        }
        _ => {
            Ok(messages.into_iter().map(|message| ChatMessage::new(message.role, message.content)).collect())
        }
    }
}

fn order(priority: i32) -> Result<i32, Error> {
    if (-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
        return Ok(priority);
    }
    let message = format!("is {priority}; must be in [-{MAX_PRIORITY}, {MAX_PRIORITY}]");
    Err(Error::invalid("priority", message))
}

/// Whose a request is, by its metadata.
pub(crate) fn tenant(metadata: &MetadataMap) -> Result<Arc<str>, Error> {
    let Some(value) = metadata.get(TENANT) else { return Ok(NO_TENANT.into()) };
    let name = value.to_str().ok().filter(|name| name.parse::<Id>().is_ok());
    let malformed =
        || Error::invalid(TENANT, "must be an id: lower-case letters, digits, and . _ - between them");
    name.map(Arc::from).ok_or_else(malformed)
}

/// The key that was given, or one that nobody else has.
pub(super) fn routing_key(key: String) -> Result<String, Error> {
    match key.len() {
        0 => Ok(Uuid::now_v7().to_string()),
        1..=MAX_ROUTING_KEY_BYTES => Ok(key),
        bytes => {
            let message = format!("has {bytes} bytes, more than the {MAX_ROUTING_KEY_BYTES} allowed");
            Err(Error::invalid("routing_key", message))
        }
    }
}

pub(super) fn wanted(adapter: &str, adapters: &[proto::WeightedAdapter]) -> Result<Wanted, Error> {
    if adapters.is_empty() {
        let adapter = optional_reference("adapter", Kind::Adapter, adapter)?;
        return Ok(adapter.map_or(Wanted::Base, Wanted::Adapter));
    }
    if !adapter.is_empty() {
        return Err(Error::invalid("adapter", "is set beside adapters; set one of them"));
    }
    if adapters.len() > MAX_ADAPTERS {
        let message = format!("has {} entries, more than the {MAX_ADAPTERS} allowed", adapters.len());
        return Err(Error::invalid("adapters", message));
    }
    let part = |(index, part): (usize, &proto::WeightedAdapter)| {
        let weight = part.weight.filter(|weight| weight.abs() <= MAX_WEIGHT).ok_or_else(|| {
            let message = match part.weight {
                None => "is missing; 1 adds the adapter as it is".to_owned(),
                Some(weight) => format!("is {weight}; must be in [-4, 4]"),
            };
            Error::invalid(format!("adapters[{index}].weight"), message)
        })?;
        Ok((reference(&format!("adapters[{index}].name"), Kind::Adapter, &part.name)?, weight))
    };
    adapters.iter().enumerate().map(part).collect::<Result<_, Error>>().map(Wanted::Sum)
}

impl TryFrom<proto::SamplingParams> for Sampling {
    type Error = Error;

    fn try_from(params: proto::SamplingParams) -> Result<Self, Error> {
        let penalty = params.repetition_penalty.unwrap_or(1.0);
        let top_p = params.top_p.unwrap_or(1.0);
        within(
            "temperature",
            params.temperature,
            "in [0, 100]",
            (0.0..=MAX_TEMPERATURE).contains(&params.temperature),
        )?;
        within("top_p", top_p, "in (0, 1]", top_p > 0.0 && top_p <= 1.0)?;
        within("min_p", params.min_p, "in [0, 1]", (0.0..=1.0).contains(&params.min_p))?;
        // As a 32-bit float, because that is what it multiplies.
        let penalty_ok = penalty as f32 > 0.0 && penalty <= MAX_REPETITION_PENALTY;
        within("repetition_penalty", penalty, "in (0, 100]", penalty_ok)?;
        let max_tokens = match natural("max_tokens", params.max_tokens)? {
            0 => DEFAULT_MAX_TOKENS,
            tokens => tokens,
        };
        Ok(Self {
            max_tokens,
            temperature: params.temperature,
            top_k: natural("top_k", params.top_k)?,
            top_p,
            min_p: params.min_p,
            repetition_penalty: penalty as f32,
            presence_penalty: additive_penalty("presence_penalty", params.presence_penalty)?,
            frequency_penalty: additive_penalty("frequency_penalty", params.frequency_penalty)?,
            logit_bias: logit_bias(&params.logit_bias)?,
            min_tokens: min_tokens(params.min_tokens, max_tokens)?,
            stop_token_ids: at_most("stop_token_ids", MAX_STOP_TOKENS, params.stop_token_ids)?,
            seed: params.seed.unwrap_or_else(draw_seed),
            logprobs: params.logprobs.map(|count| logprobs("logprobs", count)).transpose()?,
            ignore_eos: params.ignore_eos,
        })
    }
}

/// NaN lies in no range.
fn within(field: &str, value: f64, range: &str, holds: bool) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::invalid(format!("sampling.{field}"), format!("is {value}; must be {range}")))
}

fn natural(field: &str, value: i32) -> Result<usize, Error> {
    let negative =
        |_| Error::invalid(format!("sampling.{field}"), format!("is {value}; must not be negative"));
    usize::try_from(value).map_err(negative)
}

fn additive_penalty(field: &str, value: f64) -> Result<f32, Error> {
    within(field, value, "in [-2, 2]", (-MAX_PENALTY..=MAX_PENALTY).contains(&value))?;
    Ok(value as f32)
}

fn logit_bias(biases: &[proto::LogitBias]) -> Result<Vec<(u32, f32)>, Error> {
    let biases = at_most("logit_bias", MAX_BIASES, biases.to_vec())?;
    let mut ids = BTreeSet::new();
    for (index, proto::LogitBias { token_id, bias }) in biases.iter().enumerate() {
        let holds = (-MAX_BIAS..=MAX_BIAS).contains(bias);
        within(&format!("logit_bias[{index}].bias"), f64::from(*bias), "in [-100, 100]", holds)?;
        if !ids.insert(token_id) {
            let field = format!("sampling.logit_bias[{index}].token_id");
            return Err(Error::invalid(field, format!("{token_id} has a bias already; give each token one")));
        }
    }
    Ok(biases.into_iter().map(|bias| (bias.token_id, bias.bias)).collect())
}

fn min_tokens(value: i32, max_tokens: usize) -> Result<usize, Error> {
    let tokens = natural("min_tokens", value)?;
    let message = || format!("is {value}; must not be above max_tokens, {max_tokens}");
    if tokens <= max_tokens { Ok(tokens) } else { Err(Error::invalid("sampling.min_tokens", message())) }
}

fn at_most<T>(field: &str, limit: usize, items: Vec<T>) -> Result<Vec<T>, Error> {
    let message = || format!("has {} entries, more than the {limit} allowed", items.len());
    if items.len() <= limit { Ok(items) } else { Err(Error::invalid(format!("sampling.{field}"), message())) }
}

fn logprobs(field: &str, value: i32) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(value) if value <= MAX_LOGPROBS => Ok(value),
        _ => {
            let message = format!("is {value}; must be in [0, {MAX_LOGPROBS}]");
            Err(Error::invalid(format!("sampling.{field}"), message))
        }
    }
}

/// Greedy completions would all be the same.
fn completions(n: i32, temperature: f64) -> Result<usize, Error> {
    let refused = |message: String| Err(Error::invalid("sampling.n", message));
    match natural("n", n)? {
        0 | 1 => Ok(1),
        2..=MAX_COMPLETIONS if temperature == 0.0 => {
            refused(format!("is {n}; must be 1 at temperature 0, where all completions would be the same"))
        }
        n @ 2..=MAX_COMPLETIONS => Ok(n),
        n => refused(format!("is {n}; must be in [0, {MAX_COMPLETIONS}]")),
    }
}

fn stops(stops: &[String]) -> Result<Vec<String>, Error> {
    let stops = at_most("stop", MAX_STOPS, stops.to_vec())?;
    for (index, stop) in stops.iter().enumerate() {
        if stop.is_empty() || stop.len() > MAX_STOP_BYTES {
            let message = format!("has {} bytes; must have 1 to {MAX_STOP_BYTES}", stop.len());
            return Err(Error::invalid(format!("sampling.stop[{index}]"), message));
        }
    }
    Ok(stops)
}

/// A seed that nobody can foresee: the hasher's keys are the operating system's random numbers.
fn draw_seed() -> u64 {
    RandomState::new().hash_one(Uuid::now_v7())
}

fn response(message: Message) -> proto::GenerateResponse {
    proto::GenerateResponse { message: Some(message), index: 0 }
}

impl From<Started> for proto::GenerateResponse {
    fn from(started: Started) -> Self {
        response(Message::Started(started.into()))
    }
}

impl From<Started> for proto::GenerationStarted {
    fn from(started: Started) -> Self {
        Self {
            request_id: started.request_id,
            base_digest: started.base.to_string(),
            adapter_digest: started.adapter.map(|digest| digest.to_string()).unwrap_or_default(),
            adapter_generation: started.adapter_generation,
            canary: started.canary,
            adapters: started.adapters.into_iter().map(Into::into).collect(),
            tokenizer_digest: started.tokenizer,
            seed: started.seed,
            prompt_tokens: count(started.prompt_tokens),
            dispatch: dispatch().name().to_owned(),
            weight_format: started.weights.to_owned(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl From<Part> for proto::BoundAdapter {
    fn from(part: Part) -> Self {
        Self { digest: part.digest.to_string(), generation: part.generation, weight: part.weight }
    }
}

/// How likely a prompt is.
pub(crate) fn prompt_response(prompt: Vec<Token>) -> proto::GenerateResponse {
    let tokens = prompt.into_iter().map(Into::into).collect();
    response(Message::Prompt(proto::PromptLogprobs { tokens }))
}

impl From<Delta> for proto::GenerateResponse {
    fn from(delta: Delta) -> Self {
        response(Message::Delta(proto::GenerationDelta {
            text: delta.text,
            tokens: vec![delta.token.into()],
            switched: delta.switched.map(Into::into),
        }))
    }
}

impl From<Switched> for proto::AdapterSwitched {
    fn from(switched: Switched) -> Self {
        Self {
            adapter_digest: switched.to.digest.to_string(),
            adapter_generation: switched.to.generation,
            at_token: count(switched.at_token),
            canary: switched.to.canary,
        }
    }
}

impl From<Token> for proto::GeneratedToken {
    fn from(token: Token) -> Self {
        let top = token.top.into_iter().map(|(id, logprob)| proto::TokenLogprob { id, logprob });
        Self { id: token.id, logprob: token.logprob, top_logprobs: top.collect() }
    }
}

impl From<Finished> for proto::GenerateResponse {
    fn from(finished: Finished) -> Self {
        let reason = match finished.reason {
            FinishReason::Eos => proto::FinishReason::Eos,
            FinishReason::Stop => proto::FinishReason::Stop,
            FinishReason::Length => proto::FinishReason::Length,
        };
        response(Message::Finished(proto::GenerationFinished {
            finish_reason: reason.into(),
            prompt_tokens: count(finished.prompt_tokens),
            completion_tokens: count(finished.completion_tokens),
            cached_tokens: count(finished.cached_tokens),
            queue_ms: finished.queue_ms,
            prefill_ms: finished.prefill_ms,
            decode_ms: finished.decode_ms,
        }))
    }
}
