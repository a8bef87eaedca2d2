//! `rootstock generate`: text as it is made, and nothing but the text on standard output.
mod adapters;
mod answer;
mod asked;
mod constraint;
mod prompt;
mod replay;

use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use rootstock_artifacts::Kind;
use rootstock_client::proto::inference::v1::generate_response::Message;
use rootstock_client::proto::inference::v1::{GenerateRequest, LogitBias, SamplingParams};
use rootstock_client::{ClientError, ErrorReason};
use rootstock_text::PromptTemplate;

use self::adapters::Adapters;
use self::answer::{Completion, Generation};
use self::constraint::ConstraintArgs;
use self::prompt::Ask;
use crate::adapters::unpublished;
use crate::{CliError, Context, limits, names};

/// What `--help` ends with.
const MORE: &str = "\
A text that is held to --json-schema, --regex or --choice ends where it is when --max-tokens are spent, and may then
be no whole document: standard error says so, and --json has the finish_reason length. A weak model may spend them all
on white space, of which JSON may have up to 64 characters between two parts.

What `--json > FILE` has saved, `--replay FILE` asks again.";

/// What to do where adapters of different base models are to be summed up.
const MIXED: &str =
    "only adapters of the same base model can be summed up; `rootstock adapters list` shows the BASE of each";

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
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
    /// Requests of the same tenant with a lower number begin first [default: 0]
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    priority: i32,
    /// What to go on from, or with --prompt-template what to ask; - reads standard input
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        required_unless_present = "replay",
        default_value = "",
        hide_default_value = true
    )]
    prompt: String,
    /// Ask as in training: qa_zh, qa_en, alpaca, or chat for the model's own template [default: the prompt as it is]
    #[arg(long, value_name = "P", value_parser = prompt::template)]
    prompt_template: Option<PromptTemplate>,
    /// Ask the prompt as one user message, in the words of the model's own chat template
    #[arg(long, conflicts_with = "prompt_template")]
    chat: bool,
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
    /// Completions of the prompt, with a temperature above 0; the texts come at the end, one below the other with a blank line between [default: 1]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        hide_default_value = true,
        allow_negative_numbers = true
    )]
    n: i32,
    /// End before this text; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Also tell the log-probability of each token, and of the N most likely ones (with --json)
    #[arg(long, value_name = "N", requires = "json", allow_negative_numbers = true)]
    logprobs: Option<i32>,
    /// The same of the prompt's tokens from the second on (with --json)
    #[arg(long, value_name = "N", requires = "json", allow_negative_numbers = true)]
    prompt_logprobs: Option<i32>,
    /// Go on past the end-of-sequence token
    #[arg(long)]
    ignore_eos: bool,
    #[command(flatten)]
    constraint: ConstraintArgs,
    /// Print one JSON object at the end, with ids, digests and timings, and all that --replay needs
    #[arg(long)]
    json: bool,
    /// Ask again what --json printed into this file, of the same versions with the same seed, and compare the tokens
    #[arg(long, value_name = "FILE", conflicts_with_all = replay::OTHERS)]
    replay: Option<PathBuf>,
}

pub(crate) async fn run(args: GenerateArgs, context: &Context) -> Result<(), CliError> {
    if let Some(file) = args.replay {
        return replay::run(file, context).await;
    }
    let (json, several) = (args.json, args.n > 1);
    let adapters = Adapters::parse(&args.adapter)?;
    let names = adapters.names();
    let request = request(args, adapters, context).await?;
    let mut asked = asked::written(&request);
    let is_held = request.sampling.as_ref().is_some_and(|sampling| sampling.constraint.is_some());
    let mut stream = match context.clients().generation().generate(request).await {
        Ok(stream) => stream,
        Err(error) => return Err(explain(context, error, &names).await),
    };
    let mut generation = Generation::default();
    while let Some(response) = stream.next().await {
        let response = response?;
        let index = response.index;
        match response.message {
            Some(Message::Started(started)) => generation.started = started.into(),
            Some(Message::Prompt(prompt)) => generation.add_prompt(prompt),
            Some(Message::Delta(delta)) => {
                // Texts of several would mix.
                if !json && !several {
                    context.write(&delta.text)?;
                }
                generation.completion(index).add(delta);
            }
            Some(Message::Finished(finished)) => generation.completion(index).finished = finished.into(),
            None => {}
        }
    }
    asked["sampling"]["seed"] = generation.started.seed.into();
    generation.request = asked;
    show(&generation, (json, several), context)?;
    // A script that reads JSON out of it should know why it is none.
    if is_held && generation.completions().any(Completion::is_cut) {
        context
            .note("--max-tokens ended the text, perhaps before it was all that it is held to; ask for more");
    }
    Ok(())
}

/// The error of a request that named these adapters, with what to do about it.
async fn explain(context: &Context, error: ClientError, adapters: &[String]) -> CliError {
    if adapters.len() > 1 && error.is(ErrorReason::BaseMismatch) {
        return CliError::hinted(error, MIXED);
    }
    unpublished::explain(context, error, adapters).await
}

/// Ends what has been written as it came, or writes it all.
fn show(generation: &Generation, (json, several): (bool, bool), context: &Context) -> Result<(), CliError> {
    if json {
        return context.json(generation);
    }
    if several {
        let texts: Vec<&str> = generation.completions().map(Completion::text).collect();
        return context.line(texts.join("\n\n"));
    }
    // A line of its own for whatever comes next; in a script the shell takes it away.
    if generation.first.text().ends_with('\n') { Ok(()) } else { context.line("") }
}

async fn request(
    args: GenerateArgs,
    adapters: Adapters,
    context: &Context,
) -> Result<GenerateRequest, CliError> {
    let model = args.model.map(|name| names::artifact(Kind::BaseModel, &name)).transpose()?;
    let (model, first) = (model.unwrap_or_default(), adapters.names().into_iter().next().unwrap_or_default());
    let max_tokens = limits::max_tokens(args.max_tokens)?;
    let ask = Ask {
        prompt: &args.prompt,
        chat: args.chat,
        template: args.prompt_template,
        model: &model,
        adapter: &first,
    };
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
            prompt_logprobs: args.prompt_logprobs,
            ignore_eos: args.ignore_eos,
            constraint: args.constraint.read().await?,
            n: args.n,
        }),
        routing_key: args.routing_key,
        priority: args.priority,
    })
}

/// `ID=B`.
fn logit_bias(text: &str) -> Result<LogitBias, String> {
    let parsed = text.split_once('=').and_then(|(id, bias)| {
        Some(LogitBias { token_id: id.trim().parse().ok()?, bias: bias.trim().parse().ok()? })
    });
    parsed.ok_or_else(|| "must be a token id, = and a number, like 42=-100".to_owned())
}
