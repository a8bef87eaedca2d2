//! `rootstock train`: a YAML file becomes a training job, which is watched to its end.
mod file;
mod spec;

use std::path::PathBuf;

use clap::Args;
use rootstock_client::proto::training::v1::CreateTrainingJobRequest;

use crate::jobs::row::Job;
use crate::{CliError, Context, follow, names};

/// Arguments of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to train: output, base_model or new_model, dataset, objective, method, and the names of Hugging Face's
    /// TrainingArguments and PEFT's LoraConfig
    file: PathBuf,
    /// The id to give the job [default: one is made]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Print the job's name and don't wait for its end
    #[arg(long)]
    detach: bool,
    /// Check everything and create nothing
    #[arg(long, conflicts_with = "detach")]
    validate_only: bool,
    /// Print the job as JSON when it has ended
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: TrainArgs, context: &Context) -> Result<(), CliError> {
    let shown = args.file.display().to_string();
    let text = tokio::fs::read(&args.file).await.map_err(|source| CliError::io(shown.clone(), source))?;
    let spec = spec::parse(&text).map_err(|problem| CliError::refused(format!("{shown}: {problem}")))?;
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
        context.note(format!("watch it with `rootstock jobs watch {}`", names::job_id(&job.name)));
        return context.line(job.name);
    }
    context.note(&job.name);
    let job = follow::follow(context, &job.name).await?;
    follow::conclude(context, job, args.json)
}
