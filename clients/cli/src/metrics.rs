//! What a training job has reported, step by step: for tables, for TensorBoard, and as a picture.
mod csv;
mod plot;
mod tensorboard;

use std::collections::BTreeMap;

use futures::StreamExt;
use rootstock_client::proto::training::v1::training_event::Event;
use rootstock_client::proto::training::v1::{TrainingEvent, TrainingProgress};

pub(crate) use csv::csv;
pub(crate) use plot::plot;
pub(crate) use tensorboard::{EVENT_FILE, tensorboard};

use crate::{CliError, Context};

/// What was reported of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// Seconds since 1970.
    pub(crate) time: f64,
    pub(crate) progress: Option<TrainingProgress>,
    pub(crate) eval_loss: Option<f64>,
}

/// The points of a job by step. What was made again after a crash is told again, and counts once, as it was told last.
pub(crate) type Metrics = BTreeMap<i64, Point>;

/// All that a job that has ended, or rests, has reported.
pub(crate) async fn of(context: &Context, job: &str) -> Result<Metrics, CliError> {
    let last = context.clients().training().get_training_job(job).await?;
    let (mut metrics, until) = (Metrics::new(), last.progress.unwrap_or_default().step);
    if until == 0 && last.end_time.is_none() {
        return Ok(metrics);
    }
    let mut events = context.clients().training().watch_training_job(job, 0);
    while let Some(event) = events.next().await {
        let event = event?;
        let reached = step_of(&event).is_some_and(|step| step >= until);
        take_in(&mut metrics, event);
        // The watch of a job that goes on has no end.
        if reached && last.end_time.is_none() {
            break;
        }
    }
    Ok(metrics)
}

fn step_of(event: &TrainingEvent) -> Option<i64> {
    match &event.event {
        Some(Event::Progress(progress)) => Some(progress.step),
        _ => None,
    }
}

fn take_in(metrics: &mut Metrics, event: TrainingEvent) {
    let time = event.time.map(|time| time.seconds as f64 + f64::from(time.nanos) * 1e-9);
    let time = time.unwrap_or_default();
    match event.event {
        Some(Event::Progress(progress)) => {
            let point = metrics.entry(progress.step).or_default();
            (point.time, point.progress) = (time, Some(progress));
        }
        Some(Event::Evaluated(evaluated)) => {
            let point = metrics.entry(evaluated.step).or_default();
            (point.time, point.eval_loss) = (time, Some(evaluated.eval_loss));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rootstock_client::proto::training::v1::TrainingEvaluated;

    use super::*;

    fn event(event: Event) -> TrainingEvent {
        TrainingEvent { event: Some(event), ..TrainingEvent::default() }
    }

    /// Two steps, of which the second is made again, and a validation.
    pub(super) fn metrics() -> Metrics {
        let mut metrics = Metrics::new();
        let progress = |step, loss| {
            Event::Progress(TrainingProgress {
                step,
                loss,
                learning_rate: 0.1 / step as f64,
                grad_norm: 2.0,
                tokens_per_second: 50.0,
                resident_bytes: 1 << 20,
                ..TrainingProgress::default()
            })
        };
        let evaluated = Event::Evaluated(TrainingEvaluated { step: 2, eval_loss: 1.5, best: true });
        for told in [progress(1, 3.0), progress(2, 9.0), evaluated, progress(2, 2.0)] {
            take_in(&mut metrics, event(told));
        }
        metrics
    }

    #[test]
    fn a_step_that_is_told_twice_counts_once() {
        let metrics = metrics();
        let losses: Vec<_> = metrics.values().map(|point| point.progress.unwrap().loss).collect();
        assert_eq!((losses, metrics[&2].eval_loss), (vec![3.0, 2.0], Some(1.5)));
    }
}
