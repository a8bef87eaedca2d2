//! Watching a training job: a bar that moves with its steps, and a line for everything else that happens.
use std::time::Duration;

use futures::StreamExt;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::{
    TrainingDataReady, TrainingEvaluated, TrainingJob, TrainingJobState, TrainingProgress,
};

use crate::jobs::row::{Job, state_name};
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Watches a job to its end. Ctrl-C ends the watching, not the job.
pub(crate) async fn follow(context: &Context, name: &str) -> Result<TrainingJob, CliError> {
    let meter = Meter::steps("step");
    let watched = tokio::select! {
        watched = watch(context, name, &meter) => watched,
        _ = tokio::signal::ctrl_c() => {
            let id = names::job_id(name).to_owned();
            Err(CliError::Interrupted { name: name.to_owned(), id })
        }
    };
    meter.clear();
    watched?;
    Ok(context.clients().training().get_training_job(name).await?)
}

/// What a job that has ended leaves: the digest of its result, or why there is none.
pub(crate) fn conclude(context: &Context, job: TrainingJob, json: bool) -> Result<(), CliError> {
    let (name, state, error) = (job.name.clone(), job.state(), job.error.clone());
    if json {
        context.json(&Job::from(job))?;
    } else if state == TrainingJobState::Succeeded {
        context.line(&job.result_digest)?;
        if let Some(adapter) = job.spec.as_ref().and_then(|spec| spec.output.strip_prefix("adapters/")) {
            context.note(format!("serve it with `rootstock adapters publish {adapter}`"));
        }
    }
    let how = match state {
        TrainingJobState::Succeeded => return Ok(()),
        TrainingJobState::Failed => format!("failed: {error}"),
        other => format!("is {}", state_name(other)),
    };
    Err(CliError::Ended { name, how })
}

async fn watch(context: &Context, name: &str, meter: &Meter) -> Result<(), CliError> {
    let mut events = context.clients().training().watch_training_job(name, 0);
    while let Some(event) = events.next().await {
        if let Some(event) = event?.event {
            show(&event, meter);
        }
    }
    Ok(())
}

fn show(event: &Event, meter: &Meter) {
    match event {
        Event::Progress(progress) => {
            let (done, total) = (unsigned(progress.step), unsigned(progress.total_steps));
            meter.step(done, total, &figures(progress));
        }
        Event::StateChange(change) if change.message.is_empty() => meter.note(state_name(change.state())),
        Event::StateChange(change) => {
            meter.note(&format!("{}: {}", state_name(change.state()), change.message));
        }
        Event::DataReady(ready) => meter.note(&data(ready)),
        Event::Evaluated(evaluated) => meter.note(&evaluation(evaluated)),
        Event::StateSaved(saved) => meter.note(&format!("state saved after step {}", saved.step)),
        Event::Resumed(resumed) => meter.note(&format!("goes on after step {}", resumed.step)),
    }
}

fn figures(progress: &TrainingProgress) -> String {
    // An estimate that is no time is none yet.
    let eta = Duration::try_from_secs_f64(progress.eta_seconds).unwrap_or_default();
    let eta = indicatif::HumanDuration(eta);
    format!(
        "loss {:.4}  lr {:.2e}  norm {:.2}  {:.0} tokens/s  ETA {eta}",
        progress.loss, progress.learning_rate, progress.grad_norm, progress.tokens_per_second
    )
}

fn data(ready: &TrainingDataReady) -> String {
    let dropped = match ready.dropped_rows {
        0 => String::new(),
        rows => format!(", {rows} left out because they are too long"),
    };
    format!(
        "{} rows to train on ({} tokens, {} with loss), {} to validate on{dropped}; {} of {} parameters are trained",
        ready.train_rows,
        ready.train_tokens,
        ready.loss_tokens,
        ready.validation_rows,
        ready.trainable_parameters,
        ready.total_parameters
    )
}

fn evaluation(evaluated: &TrainingEvaluated) -> String {
    let best = if evaluated.best { ", the best so far" } else { "" };
    format!("validation loss {:.4} after step {}{best}", evaluated.eval_loss, evaluated.step)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_has_loss_rate_speed_and_time_to_go() {
        let progress = TrainingProgress {
            loss: 2.5,
            learning_rate: 1e-3,
            tokens_per_second: 1234.4,
            eta_seconds: 61.0,
            ..TrainingProgress::default()
        };
        let line = figures(&progress);
        assert!(
            line.contains("loss 2.5000") && line.contains("1234 tokens/s") && line.contains("ETA 61 seconds"),
            "{line}"
        );
        assert!(figures(&TrainingProgress { eta_seconds: f64::NAN, ..progress }).contains("ETA"));
    }

    #[test]
    fn rows_left_out_are_told() {
        let ready = TrainingDataReady { train_rows: 9, dropped_rows: 2, ..TrainingDataReady::default() };
        assert!(data(&ready).contains("2 left out"));
        assert!(!data(&TrainingDataReady { dropped_rows: 0, ..ready }).contains("left out"));
    }
}
