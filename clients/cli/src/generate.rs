//! `rootstock generate`: text as it is made, and nothing but the text on standard output.
mod adapters;
mod prompt;

use clap::Args;
use futures::StreamExt;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::proto::inference::v1::{
    AdapterSwitched, BoundAdapter, FinishReason, GenerateRequest, GeneratedToken, GenerationFinished,
    GenerationStarted, LogitBias, SamplingParams,
};
use rootstock_text::PromptTemplate;
use serde::Serialize;

use self::adapters::Adapters;
use self::prompt::Ask;
use crate::adapters::unpublished;
use crate::figures::rounded;
use crate::{CliError, Context, limits, names};

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The base model [default: the adapter's, or the only one there is]
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// The adapter: its name or NAME/versions/DIGEST; several are summed up as N=WEIGHT,N=WEIGHT [default: none, the base
    /// model answers]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    adapter: Vec<String>,
    /// Decides between the adapter's version and its canary: the same key gets the same one [default: drawn]
    #[arg(long, value_name = "K", default_value = "", hide_default_value = true)]
    routing_key: String,
    /// What to go on from, or with --prompt-template what to ask; - reads standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// Ask as in training: qa_zh, qa_en, alpaca, or chat for the model's own template [default: the prompt as it is]
    #[arg(long, value_name = "P", value_parser = prompt::template)]
    prompt_template: Option<PromptTemplate>,
    /// Most tokens to generate
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true)]
    max_tokens: i32,
    /// 0 takes the most likely token each time; higher is more varied
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Only the K most likely tokens [default: all]
    #[arg(
        long,
        value_name = "K",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    top_k: i32,
    /// Only the most likely tokens that together have this probability [default: 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Only tokens at least this likely relative to the most likely one
    #[arg(long, value_name = "P", default_value_t = 0.0, allow_negative_numbers = true)]
    min_p: f64,
    /// Makes tokens that occurred less likely [default: 1]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    repetition_penalty: Option<f64>,
    /// Makes tokens that were generated less likely, once each [default: 0]
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    presence_penalty: f64,
    /// Makes tokens that were generated less likely, each time [default: 0]
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    frequency_penalty: f64,
    /// Adds B to the logit of token ID; may be repeated
    #[arg(long, value_name = "ID=B", value_parser = logit_bias)]
    logit_bias: Vec<LogitBias>,
    /// Nothing ends the text before so many tokens
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    min_tokens: i32,
    /// End with this token; may be repeated
    #[arg(long, value_name = "ID")]
    stop_token_id: Vec<u32>,
    /// Seed of the random choice [default: the server draws one]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// End before this text; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Also tell the log-probability of each token, and of the N most likely ones (with --json)
    #[arg(long, value_name = "N", requires = "json", allow_negative_numbers = true)]
    logprobs: Option<i32>,
    /// Go on past the end-of-sequence token
    #[arg(long)]
    ignore_eos: bool,
    /// Print one JSON object at the end, with ids, digests and timings
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Generation {
    text: String,
    tokens: Vec<Token>,
    #[serde(flatten)]
    started: Started,
    #[serde(flatten)]
    finished: Finished,
    /// Where a publish moved it to another version of the adapter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switches: Vec<Switch>,
}

#[derive(Debug, Serialize)]
struct Switch {
    at_token: i32,
    adapter_digest: String,
    adapter_generation: i64,
    canary: bool,
}

#[derive(Debug, Default, Serialize)]
struct Started {
    request_id: String,
    base_digest: String,
    adapter_digest: String,
    adapter_generation: i64,
    canary: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adapters: Vec<Bound>,
    tokenizer_digest: String,
    seed: u64,
    prompt_tokens: i32,
}

#[derive(Debug, Serialize)]
struct Bound {
    digest: String,
    generation: i64,
    weight: f64,
}

#[derive(Debug, Default, Serialize)]
struct Finished {
    finish_reason: &'static str,
    completion_tokens: i32,
    #[serde(serialize_with = "rounded")]
    queue_ms: f64,
    #[serde(serialize_with = "rounded")]
    prefill_ms: f64,
    #[serde(serialize_with = "rounded")]
    decode_ms: f64,
}

#[derive(Debug, Serialize)]
struct Token {
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_logprobs: Vec<Likely>,
}

#[derive(Debug, Serialize)]
struct Likely {
    id: u32,
    logprob: f64,
}

pub(crate) async fn run(args: GenerateArgs, context: &Context) -> Result<(), CliError> {
    let json = args.json;
    let adapters = Adapters::parse(&args.adapter)?;
    let names = adapters.names();
    let request = request(args, adapters, context).await?;
    let mut stream = match context.clients().generation().generate(request).await {
        Ok(stream) => stream,
        Err(error) => return Err(unpublished::explain(context, error, &names).await),
    };
    let mut generation = Generation::default();
    while let Some(response) = stream.next().await {
        match response?.message {
            Some(Message::Started(started)) => generation.started = started.into(),
            Some(Message::Delta(delta)) => {
                generation.text.push_str(&delta.text);
                generation.tokens.extend(delta.tokens.into_iter().map(Token::from));
                generation.switches.extend(delta.switched.map(Switch::from));
                if !json {
                    context.write(&delta.text)?;
                }
            }
            Some(Message::Finished(finished)) => generation.finished = finished.into(),
            None => {}
        }
    }
    if json {
        return context.json(&generation);
    }
    // A line of its own for whatever comes next; in a script the shell takes it away.
    if generation.text.ends_with('\n') { Ok(()) } else { context.line("") }
}

async fn request(
    args: GenerateArgs,
    adapters: Adapters,
    context: &Context,
) -> Result<GenerateRequest, CliError> {
    let model = args.model.map(|name| names::artifact(Kind::BaseModel, &name)).transpose()?;
    let (model, first) = (model.unwrap_or_default(), adapters.names().into_iter().next().unwrap_or_default());
    let max_tokens = limits::max_tokens(args.max_tokens)?;
    let ask = Ask { prompt: &args.prompt, template: args.prompt_template, model: &model, adapter: &first };
    Ok(GenerateRequest {
        input: Some(prompt::input(context, &ask).await?),
        model,
        adapter: adapters.one,
        adapters: adapters.several,
        sampling: Some(SamplingParams {
            max_tokens,
            temperature: args.temperature,
            top_k: args.top_k,
            top_p: args.top_p,
            min_p: args.min_p,
            repetition_penalty: args.repetition_penalty,
            presence_penalty: args.presence_penalty,
            frequency_penalty: args.frequency_penalty,
            logit_bias: args.logit_bias,
            min_tokens: args.min_tokens,
            stop_token_ids: args.stop_token_id,
            seed: args.seed,
            stop: args.stop,
            logprobs: args.logprobs,
            ignore_eos: args.ignore_eos,
        }),
        routing_key: args.routing_key,
    })
}

/// `ID=B`.
fn logit_bias(text: &str) -> Result<LogitBias, String> {
    let parsed = text.split_once('=').and_then(|(id, bias)| {
        Some(LogitBias { token_id: id.trim().parse().ok()?, bias: bias.trim().parse().ok()? })
    });
    parsed.ok_or_else(|| "must be a token id, = and a number, like 42=-100".to_owned())
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
                FinishReason::Length => "length",
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
