//! The answer of `rootstock generate` as `--json` prints it: the text, the tokens, and all that made them.
use std::collections::BTreeMap;

use rootstock_client::proto::inference::v1::{
    AdapterSwitched, BoundAdapter, FinishReason, GeneratedToken, GenerationDelta, GenerationFinished,
    GenerationStarted, PromptLogprobs,
};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::figures::rounded;

#[derive(Debug, Default, Serialize)]
pub(super) struct Generation {
    #[serde(flatten)]
    pub(super) first: Completion,
    #[serde(flatten)]
    pub(super) started: Started,
    /// The completions after the first, in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "in_order")]
    others: BTreeMap<i32, Completion>,
    /// The prompt's tokens from the second on, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prompt_logprobs: Vec<Token>,
    /// What was asked.
    pub(super) request: Value,
}

/// The reason of an end for want of tokens.
const LENGTH: &str = "length";

/// One completion of the prompt.
#[derive(Debug, Default, Serialize)]
pub(super) struct Completion {
    text: String,
    tokens: Vec<Token>,
    #[serde(flatten)]
    pub(super) finished: Finished,
    /// Where a publish moved it to another version of the adapter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switches: Vec<Switch>,
}

impl Generation {
    /// The one that a message is of.
    pub(super) fn completion(&mut self, index: i32) -> &mut Completion {
        if index == 0 { &mut self.first } else { self.others.entry(index).or_default() }
    }

    pub(super) fn add_prompt(&mut self, prompt: PromptLogprobs) {
        self.prompt_logprobs.extend(prompt.tokens.into_iter().map(Token::from));
    }

    pub(super) fn completions(&self) -> impl Iterator<Item = &Completion> {
        std::iter::once(&self.first).chain(self.others.values())
    }
}

impl Completion {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has as many tokens as were asked for.
    pub(super) fn is_cut(&self) -> bool {
        self.finished.finish_reason == LENGTH
    }

    pub(super) fn add(&mut self, delta: GenerationDelta) {
        self.text.push_str(&delta.text);
        self.tokens.extend(delta.tokens.into_iter().map(Token::from));
        self.switches.extend(delta.switched.map(Switch::from));
    }
}

fn in_order<S: Serializer>(others: &BTreeMap<i32, Completion>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(others.values())
}

#[derive(Debug, Serialize)]
pub(super) struct Switch {
    pub(super) at_token: i32,
    pub(super) adapter_digest: String,
    pub(super) adapter_generation: i64,
    pub(super) canary: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Started {
    pub(super) request_id: String,
    pub(super) base_digest: String,
    pub(super) adapter_digest: String,
    pub(super) adapter_generation: i64,
    pub(super) canary: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) adapters: Vec<Bound>,
    pub(super) tokenizer_digest: String,
    pub(super) seed: u64,
    pub(super) prompt_tokens: i32,
    pub(super) dispatch: String,
    pub(super) weight_format: String,
    pub(super) engine_version: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Bound {
    pub(super) digest: String,
    pub(super) generation: i64,
    pub(super) weight: f64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Finished {
    pub(super) finish_reason: &'static str,
    pub(super) completion_tokens: i32,
    #[serde(serialize_with = "rounded")]
    pub(super) queue_ms: f64,
    #[serde(serialize_with = "rounded")]
    pub(super) prefill_ms: f64,
    #[serde(serialize_with = "rounded")]
    pub(super) decode_ms: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprob: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) top_logprobs: Vec<Likely>,
}

#[derive(Debug, Serialize)]
pub(super) struct Likely {
    pub(super) id: u32,
    pub(super) logprob: f64,
}

impl From<GenerationStarted> for Started {
    fn from(started: GenerationStarted) -> Self {
        Self {
            request_id: started.request_id,
            base_digest: started.base_digest,
            adapter_digest: started.adapter_digest,
            adapter_generation: started.adapter_generation,
            canary: started.canary,
            adapters: started.adapters.into_iter().map(Bound::from).collect(),
            tokenizer_digest: started.tokenizer_digest,
            seed: started.seed,
            prompt_tokens: started.prompt_tokens,
            dispatch: started.dispatch,
            weight_format: started.weight_format,
            engine_version: started.engine_version,
        }
    }
}

impl From<AdapterSwitched> for Switch {
    fn from(switched: AdapterSwitched) -> Self {
        Self {
            at_token: switched.at_token,
            adapter_digest: switched.adapter_digest,
            adapter_generation: switched.adapter_generation,
            canary: switched.canary,
        }
    }
}

impl From<BoundAdapter> for Bound {
    fn from(adapter: BoundAdapter) -> Self {
        Self { digest: adapter.digest, generation: adapter.generation, weight: adapter.weight }
    }
}

impl From<GenerationFinished> for Finished {
    fn from(finished: GenerationFinished) -> Self {
        Self {
            finish_reason: match finished.finish_reason() {
                FinishReason::Unspecified => "unknown",
                FinishReason::Eos => "eos",
                FinishReason::Stop => "stop",
                FinishReason::Length => LENGTH,
            },
            completion_tokens: finished.completion_tokens,
            queue_ms: finished.queue_ms,
            prefill_ms: finished.prefill_ms,
            decode_ms: finished.decode_ms,
        }
    }
}

impl From<GeneratedToken> for Token {
    fn from(token: GeneratedToken) -> Self {
        let likely = token.top_logprobs.into_iter();
        Self {
            id: token.id,
            logprob: token.logprob,
            top_logprobs: likely.map(|top| Likely { id: top.id, logprob: top.logprob }).collect(),
        }
    }
}
