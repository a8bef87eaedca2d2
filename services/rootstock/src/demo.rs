//! `rootstock demo`: the main job from an empty directory to better answers, every step over gRPC.

mod corpus;
mod error;
mod facts;
mod forgetting;
mod names;
mod plan;
mod report;
mod stage;
mod steps;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rootstock_client::proto::inference::v1::TargetResult;
use rootstock_client::{Clients, Endpoints};

pub use error::DemoError;
use facts::Fact;
use plan::Plan;
use report::Report;
use stage::Stage;
use steps::Losses;

use crate::serve::{self, ServeOptions};

/// How long the services may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Tokens of the generation that runs while the adapter is swapped.
const LONG_GENERATION: i32 = 200;

/// Arguments of `rootstock demo`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(subcommand)]
    other: Option<Other>,
    /// Keep everything in this directory instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Teach these facts instead of the bundled ones: JSON lines with id, language, five wordings, answer, keywords.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Leave the services running until Ctrl-C, and print their endpoint.
    #[arg(long)]
    keep_running: bool,
    /// Train for a few steps only: shows every step of the way in seconds, and teaches nothing.
    #[arg(long)]
    quick: bool,
    /// Print the figures as one JSON object, as the last line.
    #[arg(long)]
    json: bool,
}

/// Demos beside the main job.
#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Learn one task after another, in four ways, and show what is left of the first.
    Forgetting(forgetting::ForgettingArgs),
}

/// Runs the demo.
///
/// # Errors
/// When the facts are malformed, a directory can't be written, or a call fails.
pub async fn run(args: DemoArgs) -> Result<(), DemoError> {
    if let Some(Other::Forgetting(args)) = args.other {
        return Box::pin(forgetting::run(args)).await;
    }
    let begun = Instant::now();
    let facts = args.facts.as_deref().map_or_else(facts::bundled, facts::read)?;
    let temporary = tempfile::tempdir()?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());

    let (server, clients) = start(data).await?;
    let report = tell(&clients, &facts, if args.quick { Plan::QUICK } else { Plan::FULL }, begun).await?;
    if args.json {
        println!("{}", serde_json::json!(report));
    }
    if args.keep_running {
        println!("rootstock is serving on {} (Ctrl-C ends it)", server.endpoint);
        server.until_signal().await?;
    } else {
        server.stop().await?;
    }
    Ok(())
}

/// Starts all services on a free port.
async fn start(data: PathBuf) -> Result<(serve::Running, Clients), DemoError> {
    let stage =
        Stage::begin("services", "tokenizer, trainer, checkpoint store and inference start on a free port");
    let server = serve::start(ServeOptions::on_free_ports(data)).await?;
    let clients = Clients::new(Endpoints::single(&server.endpoint)?)?;
    clients.wait_ready(READY_TIMEOUT).await?;
    stage.end(&format!("listening on {}", server.endpoint));
    Ok((server, clients))
}

/// The story: base model, adapter, evaluation, swap, rollback.
async fn tell(clients: &Clients, facts: &[Fact], plan: Plan, begun: Instant) -> Result<Report, DemoError> {
    store_data(clients, facts).await?;
    let base = pretrain(clients, plan).await?.eval()?;
    let (draft, _) = fine_tune(clients, "draft adapter", plan.draft_steps).await?;
    let (adapter, losses) = fine_tune(clients, "adapter", plan.adapter_steps).await?;
    let losses = losses.train()?;
    let swap_ms = swap(clients, &draft, &adapter).await?;
    let scores = evaluate(clients, &adapter).await?;
    eprintln!(
        "\nheld-out questions, side by side:\n{}",
        report::side_by_side(&scores.base, &scores.held_out)
    );
    let report = Report {
        base_keyword_accuracy: report::keyword_accuracy(&scores.base),
        adapter_keyword_accuracy: report::keyword_accuracy(&scores.held_out),
        adapter_taught_accuracy: report::keyword_accuracy(&scores.taught),
        base_eval_loss_first: base.first,
        base_eval_loss_last: base.last,
        train_loss_first: losses.first,
        train_loss_last: losses.last,
        adapter_digest: adapter,
        swap_ms,
        seconds: begun.elapsed().as_secs_f64(),
    };
    eprintln!(
        "keyword accuracy on held-out wordings: base {:.2}, adapter {:.2}; on taught wordings {:.2}; {:.0} s in all",
        report.base_keyword_accuracy,
        report.adapter_keyword_accuracy,
        report.adapter_taught_accuracy,
        report.seconds
    );
    Ok(report)
}

async fn store_data(clients: &Clients, facts: &[Fact]) -> Result<(), DemoError> {
    let stage = Stage::begin("data", "text and facts are uploaded, each under the digest of its bytes");
    steps::store_dataset(clients, names::TEXT, "text.jsonl", corpus::as_json_lines()).await?;
    steps::store_dataset(clients, names::TAUGHT, "taught.jsonl", facts::taught_rows(facts)).await?;
    steps::store_dataset(clients, names::HELD_OUT, "held-out.jsonl", facts::held_out_rows(facts)).await?;
    stage.end(&format!("{} KB of text; facts: {}", corpus::bytes() / 1000, facts::languages(facts)));

    let stage = Stage::begin("tokenizer", "a byte-level BPE tokenizer learns its vocabulary from the text");
    let tokenizer = steps::train_tokenizer(clients).await?;
    stage.end(&format!("{} tokens, {}", tokenizer.vocab_size, tokenizer.tokenizer_digest));
    Ok(())
}

async fn pretrain(clients: &Clients, plan: Plan) -> Result<Losses, DemoError> {
    let stage = Stage::begin("base model", "a small Llama learns to predict the next token of the text");
    let (job, losses) = steps::train(clients, plan.pretraining(), &stage).await?;
    let eval = losses.eval()?;
    stage.end(&format!("held-out loss {:.2} -> {:.2}, {}", eval.first, eval.last, job.result_digest));
    Ok(losses)
}

async fn fine_tune(
    clients: &Clients,
    title: &'static str,
    steps: i64,
) -> Result<(String, Losses), DemoError> {
    let stage =
        Stage::begin(title, "low-rank matrices beside the frozen base learn four wordings of each fact");
    let (job, losses) = steps::train(clients, Plan::fine_tuning(steps), &stage).await?;
    let train = losses.train()?;
    stage.end(&format!("loss {:.2} -> {:.2}, {}", train.first, train.last, job.result_digest));
    Ok((job.result_digest, losses))
}

/// Publishes the draft, swaps the adapter in under a running generation, rolls back, and publishes the adapter again.
async fn swap(clients: &Clients, draft: &str, adapter: &str) -> Result<f64, DemoError> {
    let stage = Stage::begin("swap", "the adapter is published while a generation runs on the draft");
    let (first, _) = steps::publish(clients, draft).await?;
    let running = steps::start_generation(clients, LONG_GENERATION).await?;
    let (second, swap_ms) = steps::publish(clients, adapter).await?;
    let bound = running.generation;
    let tokens = running.finish().await?;
    let fresh = steps::start_generation(clients, 1).await?;
    expect_generation("the running request", bound, first.generation)?;
    expect_generation("a new request", fresh.generation, second.generation)?;
    stage.end(&format!(
        "{swap_ms:.1} ms; the running request finished its {tokens} tokens on generation {bound}, a new one got {}",
        fresh.generation
    ));

    let stage = Stage::begin("rollback", "the alias goes back to the draft, then forward again");
    let back = clients.adapters().rollback_adapter(names::ADAPTER, 0).await?.adapter.unwrap_or_default();
    if back.digest != draft {
        return Err(DemoError::Unexpected(format!("rollback gave {} instead of {draft}", back.digest)));
    }
    let (last, _) = steps::publish(clients, adapter).await?;
    stage.end(&format!(
        "generation {} was the draft again, generation {} is the adapter",
        back.generation, last.generation
    ));
    Ok(swap_ms)
}

fn expect_generation(who: &str, found: i64, expected: i64) -> Result<(), DemoError> {
    if found == expected {
        return Ok(());
    }
    Err(DemoError::Unexpected(format!("{who} is on generation {found} instead of {expected}")))
}

struct Scores {
    base: TargetResult,
    held_out: TargetResult,
    taught: TargetResult,
}

async fn evaluate(clients: &Clients, adapter: &str) -> Result<Scores, DemoError> {
    let version = format!("{}/versions/{adapter}", names::ADAPTER);
    let stage = Stage::begin("evaluation", "base and adapter answer the held-out wordings");
    let results =
        steps::evaluate(clients, names::HELD_OUT, names::MODEL, vec![String::new(), version.clone()], &stage)
            .await?;
    let [base, held_out] = <[TargetResult; 2]>::try_from(results)
        .map_err(|results| DemoError::Unexpected(format!("{} results for two targets", results.len())))?;
    stage.end(&format!("base {}, adapter {}", report::accuracy(&base), report::accuracy(&held_out)));

    let stage = Stage::begin("evaluation", "the adapter answers the taught wordings");
    let mut results = steps::evaluate(clients, names::TAUGHT, names::MODEL, vec![version], &stage).await?;
    let taught = results.pop().ok_or_else(|| DemoError::Unexpected("no result".into()))?;
    stage.end(&format!("adapter {}", report::accuracy(&taught)));
    Ok(Scores { base, held_out, taught })
}
