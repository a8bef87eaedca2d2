//! `rootstock demo forgetting`: a model that has learnt one task learns another one, in four ways, and what is left of the first is
//! measured. Every step goes over gRPC.

mod plan;
mod plot;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use rootstock_client::Clients;

use super::error::DemoError;
use super::facts::{self, Fact};
use super::stage::Stage;
use super::{corpus, names, report as answers, start, steps};
use plan::{Plan, Way};
use report::{Outcome, Report};

/// Arguments of `rootstock demo forgetting`.
#[derive(Debug, clap::Args)]
pub(super) struct ForgettingArgs {
    /// Print the figures as one JSON object, as the last line.
    #[arg(long)]
    json: bool,
    /// Draw how much is left of the first task against how well the second is learnt, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Take a few facts and one seed: shows the same in less than a minute, less surely.
    #[arg(long)]
    quick: bool,
}

/// Two tasks: questions about different things.
struct Tasks {
    first: Vec<Fact>,
    second: Vec<Fact>,
}

/// Runs the demo.
///
/// # Errors
/// When a directory or the plot can't be written, or a call fails.
pub(super) async fn run(args: ForgettingArgs) -> Result<(), DemoError> {
    let begun = Instant::now();
    let directory = tempfile::tempdir()?;
    let (server, clients) = start(directory.path().to_owned()).await?;
    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let tasks = Tasks::new(plan.facts)?;
    store_data(&clients, &tasks).await?;
    let stage = Stage::begin("base model", "a small Llama learns a little of the language");
    steps::train(&clients, plan.pretraining(), &stage).await?;
    stage.end("done");
    let mut outcomes = Vec::new();
    for seed in 0..plan.seeds {
        outcomes.extend(Box::pin(learn(&clients, plan, seed)).await?);
    }
    server.stop().await?;
    let report = Report::new(&outcomes, begun.elapsed().as_secs_f64());
    eprintln!("\n{}", report.table());
    if let Some(file) = &args.plot {
        std::fs::write(file, plot::svg(&outcomes))?;
    }
    if args.json {
        println!("{}", serde_json::json!(report));
    }
    Ok(())
}

impl Tasks {
    /// So many of the bundled facts for each: the first in English, the second in Chinese.
    fn new(facts: usize) -> Result<Self, DemoError> {
        let all = facts::bundled()?;
        let of = |language: &str| {
            let spoken = all.iter().filter(|fact| fact.language == language);
            spoken.take(facts).cloned().collect()
        };
        Ok(Self { first: of("en"), second: of("zh") })
    }
}

async fn store_data(clients: &Clients, tasks: &Tasks) -> Result<(), DemoError> {
    let stage = Stage::begin("data", "text for the base model, and questions of two tasks, are uploaded");
    steps::store_dataset(clients, names::TEXT, "text.jsonl", corpus::as_json_lines()).await?;
    for (name, facts) in [(plan::FIRST, &tasks.first), (plan::SECOND, &tasks.second)] {
        steps::store_dataset(clients, name, "rows.jsonl", facts::taught_rows(facts)).await?;
    }
    let tokenizer = steps::train_tokenizer(clients).await?;
    stage.end(&format!(
        "{} and {} facts, {} tokens",
        tasks.first.len(),
        tasks.second.len(),
        tokenizer.vocab_size
    ));
    Ok(())
}

/// Learns the first task, and from there the second one in each way.
async fn learn(clients: &Clients, plan: Plan, seed: u64) -> Result<Vec<Outcome>, DemoError> {
    let stage = Stage::begin("first task", "the base model learns it with all its weights");
    steps::train(clients, plan.first(seed), &stage).await?;
    let learnt = accuracy(clients, plan::LEARNT, "", plan::FIRST, &stage).await?;
    stage.end(&format!("seed {seed}: {learnt:.2} answered"));

    let stage = Stage::begin("Fisher information", "how much each weight matters for it is measured");
    steps::train(clients, plan.measuring(seed), &stage).await?;
    stage.end("stored beside the model");

    let mut outcomes = Vec::new();
    for way in Way::ALL {
        let stage = Stage::begin(way.name(), way.explanation());
        let (job, _) = steps::train(clients, plan.second(way, seed), &stage).await?;
        let (model, adapter) = match way {
            Way::Lora => (plan::LEARNT, format!("{}/versions/{}", way.output(), job.result_digest)),
            Way::Plain | Way::Ewc | Way::Replay => (way.output(), String::new()),
        };
        let kept = accuracy(clients, model, &adapter, plan::FIRST, &stage).await?;
        let new_task = accuracy(clients, model, &adapter, plan::SECOND, &stage).await?;
        let outcome = Outcome { way, learnt, kept, new_task };
        stage.end(&format!(
            "{:.2} of the first task is left, {new_task:.2} of the second answered",
            outcome.retention()
        ));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The share of a task's questions that a model, or an adapter beside it, answers.
async fn accuracy(
    clients: &Clients,
    model: &str,
    adapter: &str,
    task: &str,
    stage: &Stage,
) -> Result<f64, DemoError> {
    let results = steps::evaluate(clients, task, model, vec![adapter.to_owned()], stage).await?;
    let result = results.first().ok_or_else(|| DemoError::Unexpected("no result".into()))?;
    Ok(answers::keyword_accuracy(result))
}
