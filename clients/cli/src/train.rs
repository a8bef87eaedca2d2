//! `rootstock train`: a YAML file becomes a training job, which is watched to its end.
mod example;
mod file;
mod foreign;
mod keys;
mod others;
mod publication;
mod spec;
mod unset;

use std::path::{Path, PathBuf};

use clap::Args;
use rootstock_client::proto::training::v1::{CreateTrainingJobRequest, TrainingSpec};

use self::example::Example;
use crate::jobs::metrics::draw;
use crate::jobs::row::Job;
use crate::{CliError, Context, follow, names};

/// What `--help` ends with.
const MORE: &str = "Begin with a file that --example prints; --keys lists every key with its default.";

/// Arguments of `train`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct TrainArgs {
    /// What to train: output, base_model or new_model, dataset, objective, method, and the names of Hugging Face's
    /// TrainingArguments and PEFT's LoraConfig (see --keys), or LLaMA-Factory's for these
    #[arg(required_unless_present_any = ["keys", "example"])]
    file: Option<PathBuf>,
    /// Print every key of a training file with its type, default and meaning, and train nothing
    #[arg(long, conflicts_with_all = ["file", "example", "id", "detach", "validate_only"])]
    keys: bool,
    /// Print a training file to begin with, and train nothing
    #[arg(long, value_enum, value_name = "OBJECTIVE", conflicts_with_all = ["file", "id", "detach", "validate_only", "json"])]
    example: Option<Example>,
    /// The id to give the job [default: one is made]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Print the job's name and don't wait for its end
    #[arg(long)]
    detach: bool,
    /// Draw losses and learning rate when the job has ended
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["detach", "validate_only", "keys", "example"])]
    plot: Option<PathBuf>,
    /// Check everything and create nothing
    #[arg(long, conflicts_with = "detach")]
    validate_only: bool,
    /// Print the job as JSON when it has ended, or the keys as a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: TrainArgs, context: &Context) -> Result<(), CliError> {
    if let Some(example) = args.example {
        return context.write(example.text());
    }
    match args.file.clone() {
        Some(file) => train(&file, args, context).await,
        None => context.list(keys::KEYS, args.json),
    }
}

/// What a training file describes.
pub(crate) async fn read(file: &Path) -> Result<TrainingSpec, CliError> {
    let shown = file.display().to_string();
    let text = tokio::fs::read(file).await.map_err(|source| CliError::io(shown.clone(), source))?;
    spec::parse(&text).map_err(|problem| CliError::refused(format!("{shown}: {problem}")))
}

async fn train(file: &Path, args: TrainArgs, context: &Context) -> Result<(), CliError> {
    let shown = file.display().to_string();
    let spec = read(file).await?;
    let request = CreateTrainingJobRequest {
        training_job_id: args.id.unwrap_or_default(),
        spec: Some(spec),
        request_id: String::new(),
        validate_only: args.validate_only,
    };
    let job = context.clients().training().create_training_job(request).await?;
    if args.validate_only {
        context.note(format!("{shown} is fine; nothing was created"));
        return Ok(());
    }
    if args.detach {
        if args.json {
            return context.json(&Job::from(job));
        }
        // The number of steps of a job of so many epochs isn't known yet.
        let steps =
            job.spec.as_ref().and_then(|spec| spec.arguments.as_ref()).map(|arguments| arguments.max_steps);
        if let Some(note) = follow::unsaved(&job, steps.unwrap_or_default()) {
            context.note(note);
        }
        context.note(format!("watch it with `rootstock jobs watch {}`", names::job_id(&job.name)));
        return context.line(job.name);
    }
    context.note(&job.name);
    let job = follow::follow(context, job).await?;
    if let Some(file) = &args.plot {
        draw(&job.name, file, context).await?;
    }
    follow::conclude(context, job, args.json)
}
