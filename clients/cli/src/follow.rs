//! Watching a training job: a bar that moves with its steps, and a line for everything else that happens.
use std::time::Duration;

use futures::StreamExt;
use indicatif::HumanDuration;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::{
    MixedRows, TrainingDataReady, TrainingEvaluated, TrainingJob, TrainingJobState, TrainingPhase,
    TrainingProgress, TrainingStageChange,
};

use crate::jobs::publication::Publication;
use crate::jobs::row::{Job, state_name};
use crate::progress::Meter;
use crate::{CliError, Context, names};

/// Steps after which work that is lost with a restart is worth a word.
const MANY_STEPS: i64 = 300;

/// Watches a job to its end. Ctrl-C ends the watching, not the job.
pub(crate) async fn follow(context: &Context, job: TrainingJob) -> Result<TrainingJob, CliError> {
    let meter = Meter::steps("step");
    let watched = tokio::select! {
        watched = watch(context, &job, &meter) => watched,
        _ = tokio::signal::ctrl_c() => Err(interrupted(&job.name)),
    };
    meter.clear();
    watched?;
    Ok(context.clients().training().get_training_job(job.name).await?)
}

fn interrupted(name: &str) -> CliError {
    let id = names::job_id(name);
    CliError::Interrupted {
        name: name.to_owned(),
        look: format!("rootstock jobs watch {id}"),
        stop: format!("rootstock jobs cancel {id}"),
    }
}

/// What to say about a job of so many steps that saves no state.
pub(crate) fn unsaved(job: &TrainingJob, total_steps: i64) -> Option<String> {
    let arguments = job.spec.as_ref().and_then(|spec| spec.arguments.as_ref())?;
    (arguments.save_steps == 0 && total_steps > MANY_STEPS).then(|| {
        format!("save_steps is 0: a restart of the server begins these {total_steps} steps anew; set it to keep them")
    })
}

/// What a job that has ended leaves: the digest of its result, or why there is none.
pub(crate) fn conclude(context: &Context, job: TrainingJob, json: bool) -> Result<(), CliError> {
    let (name, state, error) = (job.name.clone(), job.state(), job.error.clone());
    if state == TrainingJobState::Succeeded {
        context.note(result(&job));
    }
    if json {
        context.json(&Job::from(job))?;
    } else if state == TrainingJobState::Succeeded {
        context.line(&job.result_digest)?;
        if let Some(next) = serving(job) {
            context.note(next);
        }
    }
    let how = match state {
        TrainingJobState::Succeeded => return Ok(()),
        TrainingJobState::Failed => format!("failed: {error}"),
        other => format!("is {}", state_name(other)),
    };
    Err(CliError::Ended { name, how })
}

/// How an adapter is published; one that was, or that was refused, needs no word.
fn serving(job: TrainingJob) -> Option<String> {
    let spec = job.spec.filter(|spec| spec.publication.is_none())?;
    let adapter = spec.output.strip_prefix("adapters/")?;
    Some(format!("serve it with `rootstock adapters publish {adapter}`"))
}

/// The line that stays: how well it went, and how long it took.
fn result(job: &TrainingJob) -> String {
    let mut told = state_name(job.state()).to_owned();
    let seconds = job.start_time.zip(job.end_time).map(|(start, end)| (end.seconds - start.seconds).max(0));
    if let Some(seconds) = seconds {
        told.push_str(&format!(" in {:#}", HumanDuration(Duration::from_secs(unsigned(seconds)))));
    }
    let progress = job.progress.unwrap_or_default();
    if progress.step > 0 {
        told.push_str(&format!(" after {} steps, loss {:.4}", progress.step, progress.loss));
    }
    if let Some(loss) = progress.eval_loss {
        told.push_str(&format!(", validation loss {loss:.4}"));
    }
    told
}

async fn watch(context: &Context, job: &TrainingJob, meter: &Meter) -> Result<(), CliError> {
    let mut events = context.clients().training().watch_training_job(&job.name, 0);
    let mut told = has_ended(job.state());
    while let Some(event) = events.next().await {
        let Some(event) = event?.event else { continue };
        if let (Event::Progress(progress), false) = (&event, told) {
            told = true;
            if let Some(note) = unsaved(job, progress.total_steps) {
                meter.note(&note);
            }
        }
        show(&event, meter);
    }
    Ok(())
}

fn show(event: &Event, meter: &Meter) {
    match event {
        Event::Progress(progress) => {
            let (done, total) = (unsigned(progress.step), unsigned(progress.total_steps));
            meter.step(done, total, &short(progress), &figures(progress));
        }
        // How it ended is the last line.
        Event::StateChange(change) if has_ended(change.state()) => {}
        Event::StateChange(change) if change.message.is_empty() => meter.note(state_name(change.state())),
        Event::StateChange(change) => {
            meter.note(&format!("{}: {}", state_name(change.state()), change.message));
        }
        Event::DataReady(ready) => meter.note(&data(ready)),
        Event::Evaluated(evaluated) => meter.note(&evaluation(evaluated)),
        Event::StateSaved(saved) => meter.note(&format!("state saved after step {}", saved.step)),
        Event::Resumed(resumed) => meter.note(&format!("goes on after step {}", resumed.step)),
        Event::ResultStored(stored) => meter.note(&format!("the result is {}", stored.digest)),
        Event::Publication(result) => meter.note(&Publication::from(result.clone()).told()),
        Event::PhaseChange(change) => meter.note(phase(change.phase())),
        Event::StageChange(change) => meter.note(&stage(*change)),
    }
}

fn stage(change: TrainingStageChange) -> String {
    let TrainingStageChange { stage, stages, stage_steps, train_rows, trainable_parameters, .. } = change;
    format!(
        "stage {stage} of {stages}: {stage_steps} steps, {train_rows} rows, {trainable_parameters} parameters are trained"
    )
}

fn phase(phase: TrainingPhase) -> &'static str {
    match phase {
        TrainingPhase::Unspecified => "begins something else",
        TrainingPhase::Downloading => "fetching model and tokenizer",
        TrainingPhase::Tokenizing => "fetching and tokenizing the data",
        TrainingPhase::Loading => "loading the model",
        TrainingPhase::Training => "training",
        TrainingPhase::Validating => "validating",
        TrainingPhase::Saving => "waiting until all is saved",
        TrainingPhase::Uploading => "storing the result",
        TrainingPhase::Publishing => "publishing the adapter",
    }
}

fn has_ended(state: TrainingJobState) -> bool {
    matches!(state, TrainingJobState::Succeeded | TrainingJobState::Failed | TrainingJobState::Cancelled)
}

/// What fits beside the bar.
fn short(progress: &TrainingProgress) -> String {
    let speed = progress.tokens_per_second;
    format!("loss {:.4} {speed:.0} tokens/s ETA {:#}", progress.loss, eta(progress))
}

fn figures(progress: &TrainingProgress) -> String {
    format!(
        "{}loss {:.4}  lr {:.2e}  norm {:.2}{}  {:.0} tokens/s  ETA {}",
        in_stage(progress),
        progress.loss,
        progress.learning_rate,
        progress.grad_norm,
        scaling(progress),
        progress.tokens_per_second,
        eta(progress)
    )
}

/// The stage of a job that has stages.
fn in_stage(progress: &TrainingProgress) -> String {
    match progress.stage {
        0 => String::new(),
        stage => format!("stage {stage}  "),
    }
}

/// What loss scaling did, where there is some.
fn scaling(progress: &TrainingProgress) -> String {
    match progress.loss_scale {
        0.0 => String::new(),
        scale => format!("  scale {scale}  skipped {}", progress.skipped_steps),
    }
}

fn eta(progress: &TrainingProgress) -> HumanDuration {
    // An estimate that is no time is none yet.
    HumanDuration(Duration::try_from_secs_f64(progress.eta_seconds).unwrap_or_default())
}

fn data(ready: &TrainingDataReady) -> String {
    let lost = lost_rows(ready);
    let seen =
        |mixed: &MixedRows| format!("{} of {} ({})", mixed.rows_per_pass, mixed.dataset, mixed.train_rows);
    let mixed = match ready.mixed.iter().map(seen).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        shares => format!("; each pass sees {shares}"),
    };
    format!(
        "{} rows to train on ({} tokens, {} with loss), {} to validate on{lost}{mixed}; {} of {} parameters are trained",
        ready.train_rows,
        ready.train_tokens,
        ready.loss_tokens,
        ready.validation_rows,
        ready.trainable_parameters,
        ready.total_parameters
    )
}

/// What became of rows that are too long.
fn lost_rows(ready: &TrainingDataReady) -> String {
    let some = |rows: i64, what: &str| if rows > 0 { format!(", {rows} {what}") } else { String::new() };
    [
        some(ready.dropped_rows, "left out because they are too long"),
        some(ready.truncated_rows, "cut to fit"),
        some(ready.dropped_validation_rows, "to validate on left out"),
        some(ready.truncated_validation_rows, "to validate on cut to fit"),
        some(ready.dropped_earlier_rows, "of earlier data left out"),
        some(ready.truncated_earlier_rows, "of earlier data cut to fit"),
    ]
    .concat()
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
    use rootstock_client::proto::training::v1::{TrainingArguments, TrainingSpec};

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
        assert!(figures(&TrainingProgress { stage: 2, ..progress }).starts_with("stage 2  loss"));
        assert!(figures(&TrainingProgress { eta_seconds: f64::NAN, ..progress }).contains("ETA"));
        assert!(!line.contains("scale"), "{line}");
        let scaled = figures(&TrainingProgress { loss_scale: 32_768.0, skipped_steps: 1, ..progress });
        assert!(scaled.contains("scale 32768  skipped 1"), "{scaled}");
    }

    #[test]
    fn a_bar_of_a_long_job_fits_a_narrow_terminal() {
        const TERMINAL: usize = 80;
        let bar = format!("step [{}] 123456/999999  ", "=".repeat(16));
        let progress = TrainingProgress {
            loss: 12.3456,
            tokens_per_second: 123_456.0,
            eta_seconds: 86_400.0,
            ..TrainingProgress::default()
        };
        let line = format!("{bar}{}", short(&progress));
        assert!(line.len() < TERMINAL, "{line}");
    }

    #[test]
    fn a_long_job_that_saves_nothing_is_told_and_a_short_one_is_not() {
        let arguments = Some(TrainingArguments::default());
        let spec = Some(TrainingSpec { arguments, ..TrainingSpec::default() });
        let job = TrainingJob { spec, ..TrainingJob::default() };
        assert!(unsaved(&job, 5000).unwrap().contains("save_steps is 0"));
        assert_eq!(unsaved(&job, 20), None);
        let arguments = Some(TrainingArguments { save_steps: 50, ..TrainingArguments::default() });
        let spec = Some(TrainingSpec { arguments, ..TrainingSpec::default() });
        assert_eq!(unsaved(&TrainingJob { spec, ..job }, 5000), None);
    }

    #[test]
    fn the_last_line_has_the_loss_and_the_time() {
        let progress = TrainingProgress { step: 9, loss: 1.5, eval_loss: Some(2.0), ..Default::default() };
        let mut job = TrainingJob { progress: Some(progress), ..TrainingJob::default() };
        job.start_time.get_or_insert_default().seconds = 10;
        job.end_time.get_or_insert_default().seconds = 51;
        job.set_state(TrainingJobState::Succeeded);
        assert_eq!(result(&job), "succeeded in 41s after 9 steps, loss 1.5000, validation loss 2.0000");
    }

    #[test]
    fn rows_left_out_are_told() {
        let ready = TrainingDataReady { train_rows: 9, dropped_rows: 2, ..TrainingDataReady::default() };
        assert!(data(&ready).contains("2 left out"));
        assert!(!data(&TrainingDataReady { dropped_rows: 0, ..ready.clone() }).contains("left out"));
        assert!(data(&TrainingDataReady { truncated_rows: 3, ..ready.clone() }).contains("3 cut to fit"));
        let validated = TrainingDataReady { dropped_validation_rows: 4, ..ready };
        assert!(data(&validated).contains("4 to validate on left out"));
    }

    #[test]
    fn the_shares_of_a_mix_are_told() {
        let rows = |dataset: &str, train_rows, rows_per_pass| {
            let dataset = dataset.to_owned();
            MixedRows { dataset, train_rows, rows_per_pass, ..MixedRows::default() }
        };
        let mixed = vec![rows("datasets/a", 90, 50), rows("datasets/b", 10, 50)];
        let told = data(&TrainingDataReady { mixed, ..TrainingDataReady::default() });
        assert!(told.contains("each pass sees 50 of datasets/a (90), 50 of datasets/b (10);"), "{told}");
    }
}
