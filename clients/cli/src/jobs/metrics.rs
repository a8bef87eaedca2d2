//! `rootstock jobs metrics`: what a training job has reported, as files for other tools.
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use crate::{CliError, Context, metrics, names};

/// Arguments of `jobs metrics`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(group(ArgGroup::new("output").args(["csv", "tensorboard", "plot"]).required(true).multiple(true)))]
pub struct MetricsArgs {
    /// The job's id, or trainingJobs/ID
    job: String,
    /// Write a table of comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a TensorBoard event file into a folder
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Draw losses and learning rate
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

pub(crate) async fn run(args: MetricsArgs, context: &Context) -> Result<(), CliError> {
    let name = names::job(&args.job);
    let metrics = metrics::of(context, &name).await?;
    if metrics.is_empty() {
        return Err(CliError::refused(format!("{name} has not reported anything yet")));
    }
    if let Some(file) = &args.csv {
        write(file, metrics::csv(&metrics).into_bytes())?;
    }
    if let Some(dir) = &args.tensorboard {
        std::fs::create_dir_all(dir).map_err(|source| CliError::io(dir.display().to_string(), source))?;
        write(&dir.join(metrics::EVENT_FILE), metrics::tensorboard(&metrics))?;
    }
    match &args.plot {
        Some(file) => write(file, metrics::plot(&name, &metrics).into_bytes()),
        None => Ok(()),
    }
}

/// Draws a job that has ended.
pub(crate) async fn draw(name: &str, file: &Path, context: &Context) -> Result<(), CliError> {
    let metrics = metrics::of(context, name).await?;
    write(file, metrics::plot(name, &metrics).into_bytes())
}

fn write(file: &Path, bytes: Vec<u8>) -> Result<(), CliError> {
    std::fs::write(file, bytes).map_err(|source| CliError::io(file.display().to_string(), source))
}
