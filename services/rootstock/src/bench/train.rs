//! `rootstock bench train`: optimizer steps on random tokens, as a training worker makes them.

mod check;
mod learner;
mod lengths;
mod steps;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use candle_core::DType;
use clap::{Args, ValueEnum};
use rootstock_model::{Batch, Config};
use rootstock_peft::MAX_RANK;
use serde::Serialize;

use self::learner::{Learner, Plan};
use self::lengths::{Lengths, Rows};
use self::steps::Measured;
use super::model_dir::ModelDir;
use super::output::Output;
use super::tokens::random_ids;
use super::{BenchError, rss};

/// Most tokens in a step.
const MOST_TOKENS: usize = 1 << 20;

/// Arguments of `rootstock bench train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A Hugging Face Llama directory
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// What is trained
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Rank of the LoRA, which is on all seven projections with an alpha of twice the rank
    #[arg(long, value_name = "R", default_value_t = 16)]
    r: usize,
    /// Sequences in a step
    #[arg(long, value_name = "B", default_value = "4")]
    batch: NonZeroUsize,
    /// Tokens in a sequence
    #[arg(long, value_name = "S", default_value = "256")]
    seq: NonZeroUsize,
    /// Lengths of the sequences instead of --seq: log-uniform:LEAST:MOST; each step has a batch of its own
    #[arg(long, value_name = "LENGTHS", conflicts_with_all = ["seq", "check"])]
    lengths: Option<Lengths>,
    /// Pad each batch to its longest sequence, and compute the padding, as trainers do that don't pack
    #[arg(long, requires = "lengths")]
    padding: bool,
    /// Steps that are measured; one more comes before them
    #[arg(long, value_name = "K", default_value = "10")]
    steps: NonZeroUsize,
    /// What the weights are loaded as; int8 is for serving only [default: bf16 for lora, f32 for full, where they are f32 variables anyway]
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    /// Whether a layer's activations are computed again instead of kept
    #[arg(long, value_enum, default_value_t)]
    recompute: Recompute,
    /// Compare the first step's gradients with those of f32 weights on the portable kernels; B begins as small noise
    ///
    /// max_gradient_error is the largest of ||g - reference|| / ||reference|| (Frobenius) over the gradients of all tensors. With f32
    /// about 1e-6 is good. With bf16 it has the rounding of weights and activations to bf16 in it, which alone gives about 1e-2.
    #[arg(long)]
    check: bool,
    /// Print the figures as one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    /// An adapter beside the frozen weights.
    #[default]
    Lora,
    /// All weights.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dtype {
    Bf16,
    F32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Recompute {
    /// They are kept.
    #[default]
    Never,
    /// Each layer runs again in the backward pass.
    Always,
}

#[derive(Debug, Serialize)]
struct Report {
    /// Padding is no token.
    tokens_per_second: Option<f64>,
    step_ms_p50: Option<f64>,
    peak_rss_bytes: u64,
    loss_first: f64,
    loss_last: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_gradient_error: Option<f64>,
    /// Share of the computed tokens that are padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    padding_share: Option<f64>,
    /// Largest difference of a sequence's loss in its batch from its loss alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_loss_error: Option<f64>,
    dispatch: &'static str,
    weight_format: &'static str,
}

/// Trains, and prints the figures.
pub(super) fn run(args: &TrainArgs) -> Result<(), BenchError> {
    let output = Output::new(args.json);
    if !(1..=MAX_RANK).contains(&args.r) {
        let message = format!("--r is {}; a LoRA's rank is 1 to {MAX_RANK}", args.r);
        return Err(BenchError::Refused(message));
    }
    let model = ModelDir::read(&args.model)?;
    let plan = args.plan();
    if let Some(lengths) = args.lengths {
        return run_lengths(args, &model, &plan, lengths, output);
    }
    let batch = batch(args, &model.config)?;
    let batches = std::slice::from_ref(&batch);
    let measured = steps::measure(&model, &plan, batches, args.steps.get(), output)?;
    // Before the check, which has models of its own.
    let peak_rss_bytes = rss::peak_bytes();
    let error = args.check.then(|| check::max_gradient_error(&model, &plan, &batch, output)).transpose()?;
    let tokens_per_second = measured.per_second(batch.rows * batch.seq_len);
    let report = Report { max_gradient_error: error, ..Report::new(&measured, &plan, tokens_per_second) };
    output.result(&Report { peak_rss_bytes, ..report })
}

/// Trains on batches of sequences of different lengths, and prints the figures.
fn run_lengths(
    args: &TrainArgs,
    model: &ModelDir,
    plan: &Plan,
    lengths: Lengths,
    output: Output,
) -> Result<(), BenchError> {
    let (rows, steps) = (args.batch.get(), args.steps.get());
    check_sizes("--lengths", model.config.max_position_embeddings, rows, lengths.most)?;
    let drawn: Vec<Rows> = (0..=steps as u64)
        .map(|number| Rows::draw(lengths, number, (rows, model.config.vocab_size), args.padding))
        .collect();
    let batches: Vec<Batch> = drawn.iter().map(Rows::batch).collect();
    let measured = steps::measure(model, plan, &batches, steps, output)?;
    let sum = |count: fn(&Rows) -> usize| drawn[1..].iter().map(count).sum::<usize>();
    let (tokens, computed) = (sum(Rows::tokens), sum(Rows::computed));
    let report = Report::new(&measured, plan, measured.per_second_in_all(tokens));
    let error = drawn[0].max_loss_error(&Learner::load(model, plan)?)?;
    let padding_share = Some(1.0 - tokens as f64 / computed as f64);
    output.result(&Report { padding_share, max_loss_error: Some(error), ..report })
}

impl Report {
    fn new(measured: &Measured, plan: &Plan, tokens_per_second: Option<f64>) -> Self {
        Self {
            tokens_per_second,
            step_ms_p50: measured.times.median_ms(),
            peak_rss_bytes: rss::peak_bytes(),
            loss_first: measured.loss_first,
            loss_last: measured.loss_last,
            max_gradient_error: None,
            padding_share: None,
            max_loss_error: None,
            dispatch: rootstock_kernels::dispatch().name(),
            weight_format: plan.dtype.as_str(),
        }
    }
}

impl TrainArgs {
    fn plan(&self) -> Plan {
        let dtype = match (self.dtype, self.method) {
            (Some(Dtype::Bf16), _) | (None, Method::Lora) => DType::BF16,
            (Some(Dtype::F32), _) | (None, Method::Full) => DType::F32,
        };
        let recompute = match self.recompute {
            Recompute::Never => rootstock_model::Recompute::Never,
            Recompute::Always => rootstock_model::Recompute::Always,
        };
        let rank = (self.method == Method::Lora).then_some(self.r);
        Plan { rank, dtype, recompute, noisy: self.check }
    }
}

/// Whether the model takes rows of this length, and a step so many of them.
fn check_sizes(flag: &str, longest: usize, rows: usize, length: usize) -> Result<(), BenchError> {
    if !(2..=longest).contains(&length) {
        let message = format!("{flag} is {length}; this model takes 2 to {longest} tokens");
        return Err(BenchError::Refused(message));
    }
    if rows.saturating_mul(length) > MOST_TOKENS {
        let message =
            format!("--batch {rows} of {flag} {length} is more than {MOST_TOKENS} tokens; make it smaller");
        return Err(BenchError::Refused(message));
    }
    Ok(())
}

/// Random tokens that are their own labels.
fn batch(args: &TrainArgs, config: &Config) -> Result<Batch, BenchError> {
    let (rows, seq_len) = (args.batch.get(), args.seq.get());
    check_sizes("--seq", config.max_position_embeddings, rows, seq_len)?;
    let input_ids = random_ids(0, rows * seq_len, config.vocab_size);
    let labels = input_ids.iter().map(|id| i64::from(*id)).collect();
    Ok(Batch { rows, seq_len, input_ids, labels })
}
