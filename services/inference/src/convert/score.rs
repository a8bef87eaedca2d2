//! Score's messages.

use rootstock_artifacts::Kind;
use rootstock_proto::inference::v1::{
    self as proto, continuation::Input as Continued, score_request::Input as Prompt,
};

use super::{
    generation::{ids_input, routing_key, text_input, wanted},
    optional_reference,
};
use crate::{
    error::Error,
    generation::{Input, ScoreRequest, Scored, Scores},
};

const MAX_CONTINUATIONS: usize = 64;

impl TryFrom<proto::ScoreRequest> for ScoreRequest {
    type Error = Error;

    fn try_from(request: proto::ScoreRequest) -> Result<Self, Error> {
        let count = request.continuations.len();
        if !(1..=MAX_CONTINUATIONS).contains(&count) {
            let message = format!("has {count} entries; must have 1 to {MAX_CONTINUATIONS}");
            return Err(Error::invalid("continuations", message));
        }
        Ok(Self {
            model: optional_reference("model", Kind::BaseModel, &request.model)?,
            adapter: wanted(&request.adapter, &request.adapters)?,
            input: match request.input {
                Some(Prompt::Prompt(text)) => text_input("prompt", text)?,
                Some(Prompt::PromptIds(ids)) => ids_input("prompt_ids", ids)?,
                None => return Err(Error::invalid("prompt", "is missing; set prompt or prompt_ids")),
            },
            continuations: (0..).zip(request.continuations).map(continuation).collect::<Result<_, _>>()?,
            routing_key: routing_key(request.routing_key)?,
        })
    }
}

fn continuation((index, continuation): (usize, proto::Continuation)) -> Result<Input, Error> {
    let field = format!("continuations[{index}]");
    match continuation.input {
        Some(Continued::Text(text)) => text_input(&format!("{field}.text"), text),
        Some(Continued::Ids(ids)) => ids_input(&format!("{field}.ids"), ids),
        None => Err(Error::invalid(field, "is missing; set text or ids")),
    }
}

impl From<Scores> for proto::ScoreResponse {
    fn from(scores: Scores) -> Self {
        Self {
            started: Some(scores.started.into()),
            continuations: scores.continuations.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Scored> for proto::ScoredContinuation {
    fn from(Scored { ids, logprobs }: Scored) -> Self {
        Self { ids, total_logprob: logprobs.iter().sum(), logprobs }
    }
}
