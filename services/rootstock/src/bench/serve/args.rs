//! The arguments of `rootstock bench serve`, and the load that they ask for.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rootstock_inference::WeightDtype;
use rootstock_model::{Config, Format};

use super::churn::ChurnArgs;
use super::evaluate::EvaluateArgs;
use super::load::Load;
use super::made::Shape;
use super::overload::OverloadArgs;
use super::registered::RegisteredArgs;
use super::requests::Plan;
use super::swaps::SwapsArgs;
use super::tenants::TenantsArgs;
use crate::bench::BenchError;
use crate::bench::model_dir::ModelDir;

/// Most clients at once: each has a connection's stream, a request and its answer in this process.
const MOST_CLIENTS: usize = 4096;
/// Most requests: every answer is kept until the end.
const MOST_REQUESTS: usize = 1_000_000;
/// Requests that are repeated alone unless told otherwise.
const REPEATED: usize = 4;

/// What `--help` ends with.
const FIGURES: &str = "\
What is printed; `-` (null with --json) where nothing was measured:
  output_tokens_per_second   all tokens, from the first request sent to the last token
  ttft_ms_p50, _p99          from sending a request to its first token
  itl_ms_p50, _p99           between one token of an answer and the next
  gap_ms_p999                the same times at 99.9 %: the longest waits within answers
  decode_tokens_per_second   tokens after the first of each answer, from the first first token to the last one
  prefill_tokens_per_second  tokens of the prompts, from the first request sent to the last first token;
                             both are - where a request was sent after an answer had ended, as with more
                             --requests than --concurrency: prompts and tokens then take turns
  mismatches                 repeated requests that got other tokens alone; any is a failure
  resident_share             with --registered: share of the requests that no adapter was loaded for
  peak_tokens_per_second     with --overload, --tenants: what the clients get when each waits for its answer
  goodput_tokens_per_second  with --overload: tokens that came while X times the peak was offered, at random
                             moments, of requests that finished. More requests run at once than there are
                             clients, so it may exceed the peak where the server batches them
  recovery_tokens_per_second with --overload: in the five seconds after, with the clients of the peak again";

/// Arguments of `rootstock bench serve`.
#[derive(Debug, Args)]
#[command(after_long_help = FIGURES)]
pub struct ServeArgs {
    /// A Hugging Face Llama directory
    #[arg(long, value_name = "DIR")]
    pub(super) model: PathBuf,
    /// A directory of PEFT directories, which the requests take in turn [default: the base model answers]
    #[arg(long, value_name = "DIR")]
    pub(super) adapters: Option<PathBuf>,
    /// Clients at once, each with one request at a time
    #[arg(long, value_name = "N")]
    concurrency: NonZeroUsize,
    /// Random tokens in a prompt
    #[arg(long, value_name = "P")]
    prompt: NonZeroUsize,
    /// Tokens to generate
    #[arg(long, value_name = "G")]
    generate: NonZeroUsize,
    /// Requests of all clients together [default: one of each]
    #[arg(long, value_name = "R")]
    requests: Option<NonZeroUsize>,
    /// Requests to warm up with, before those that are measured; with --registered of one token each [default: none; with --registered half as many]
    #[arg(long, value_name = "W", conflicts_with_all = ["swaps", "load_churn", "overload", "tenants", "evaluate"], value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    warm: Option<u32>,
    /// Requests that are repeated alone and compared [default: one of each client, but at most 4]
    #[arg(long, value_name = "N")]
    repeat: Option<usize>,
    /// Whom to ask, where there are adapters: with `base` they are only in memory
    #[arg(long, value_enum, default_value_t, conflicts_with = "mode")]
    pub(super) ask: Whom,
    /// Ask the engine itself instead of over gRPC: what both take tells what gRPC costs
    #[arg(long, conflicts_with = "mode")]
    pub(super) in_process: bool,
    #[command(flatten)]
    pub(super) swaps: SwapsArgs,
    #[command(flatten)]
    pub(super) registered: RegisteredArgs,
    #[command(flatten)]
    pub(super) churn: ChurnArgs,
    #[command(flatten)]
    pub(super) overload: OverloadArgs,
    #[command(flatten)]
    pub(super) tenants: TenantsArgs,
    #[command(flatten)]
    pub(super) evaluate: EvaluateArgs,
    /// Rank of the adapters that the measurement makes itself, on queries and values
    #[arg(long, value_name = "R", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) rank: u32,
    /// What the weights are in memory
    #[arg(long, value_enum, default_value_t)]
    pub(super) weights: Weights,
    /// Print the figures as one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Whom {
    #[default]
    Adapters,
    Base,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Weights {
    #[default]
    Bf16,
    F32,
    Int8,
    /// As they are in the files.
    Stored,
}

impl ServeArgs {
    /// What is asked of this model.
    pub(super) fn load(&self, model: &Config) -> Result<Load, BenchError> {
        let concurrency = self.concurrency.get();
        let load = Load {
            concurrency,
            requests: self.requests.map_or(concurrency, NonZeroUsize::get),
            prompt: self.prompt.get(),
            generate: self.generate.get(),
            vocab_size: model.vocab_size,
            ..Load::default()
        };
        check(&load, model.max_position_embeddings).map_err(BenchError::Refused)?;
        Ok(load)
    }

    /// What the adapters are like that a measurement makes itself.
    pub(super) fn shape(&self, model: &ModelDir) -> Shape {
        Shape { rank: self.rank as usize, base: model.config.clone() }
    }

    /// How many requests warm up.
    pub(super) fn warm(&self) -> Option<usize> {
        self.warm.map(|warm| warm as usize)
    }

    /// What to measure, if nothing else is asked for.
    pub(super) fn plan(&self) -> Plan {
        Plan { warm: self.warm().unwrap_or(0) }
    }

    /// How many requests are repeated alone.
    pub(super) fn repeated(&self, load: &Load) -> usize {
        self.repeat.unwrap_or_else(|| load.concurrency.min(REPEATED)).min(load.requests)
    }
}

fn check(load: &Load, context: usize) -> Result<(), String> {
    let Load { concurrency, requests, prompt, generate, .. } = load;
    if *concurrency > MOST_CLIENTS {
        return Err(format!("--concurrency is {concurrency}; at most {MOST_CLIENTS} clients fit here"));
    }
    if *requests > MOST_REQUESTS {
        return Err(format!("--requests is {requests}; at most {MOST_REQUESTS} are kept"));
    }
    if prompt.saturating_add(*generate) > context {
        return Err(format!(
            "--prompt {prompt} and --generate {generate} don't fit the model's context of {context} tokens; shorten one"
        ));
    }
    Ok(())
}

impl Weights {
    pub(super) fn dtype(self) -> WeightDtype {
        match self {
            Self::Bf16 => WeightDtype::Bf16,
            Self::F32 => WeightDtype::F32,
            Self::Int8 => WeightDtype::Int8,
            Self::Stored => WeightDtype::Stored,
        }
    }

    /// What the server computes with.
    pub(super) fn in_memory(self, model: &ModelDir) -> Result<Format, BenchError> {
        Ok(match self {
            Self::Bf16 => Format::Bf16,
            Self::F32 => Format::F32,
            Self::Int8 => Format::Int8,
            Self::Stored => model.stored_dtype()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_does_not_fit_is_refused_by_its_flag() {
        let load = Load::of_one(64, 64);
        assert_eq!(check(&load, 128), Ok(()));
        let long = check(&load, 127).unwrap_err();
        assert!(long.starts_with("--prompt 64 and --generate 64") && long.contains("127"), "{long}");
        let many = check(&Load { concurrency: 4097, ..load.clone() }, 128).unwrap_err();
        assert!(many.starts_with("--concurrency is 4097"), "{many}");
        let many = check(&Load { requests: 1_000_001, ..load }, 128).unwrap_err();
        assert!(many.starts_with("--requests is 1000001"), "{many}");
    }
}
