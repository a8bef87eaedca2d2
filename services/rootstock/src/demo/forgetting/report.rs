//! What the demo reports: for each way the medians over the seeds, as a table for people and as JSON for scripts.

use serde::Serialize;

use super::plan::Way;

/// How one way of learning the second task ended, for one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) way: Way,
    /// Accuracy on the first task before the second was learnt.
    pub(super) learnt: f64,
    /// The same after it.
    pub(super) kept: f64,
    /// Accuracy on the second task.
    pub(super) new_task: f64,
}

impl Outcome {
    /// The share of the first task that is left.
    pub(super) fn retention(&self) -> f64 {
        if self.learnt > 0.0 { self.kept / self.learnt } else { 0.0 }
    }
}

/// The last line of `demo forgetting --json`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Report {
    /// Accuracy on the first task before the second.
    first_task: f64,
    plain: Kept,
    ewc: Kept,
    replay: Kept,
    lora: Kept,
    seconds: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Kept {
    retention: f64,
    new_task: f64,
}

impl Report {
    /// Medians over the seeds.
    pub(super) fn new(outcomes: &[Outcome], seconds: f64) -> Self {
        let kept = |way: Way| {
            let median = |number: fn(&Outcome) -> f64| {
                median(outcomes.iter().filter(|outcome| outcome.way == way).map(number))
            };
            Kept { retention: median(Outcome::retention), new_task: median(|outcome| outcome.new_task) }
        };
        Self {
            first_task: median(outcomes.iter().map(|outcome| outcome.learnt)),
            plain: kept(Way::Plain),
            ewc: kept(Way::Ewc),
            replay: kept(Way::Replay),
            lora: kept(Way::Lora),
            seconds,
        }
    }

    /// The same for people.
    pub(super) fn table(&self) -> String {
        let line = |way: Way, kept: Kept| {
            format!("{:<24}{:>18.2}{:>18.2}\n", way.name(), kept.retention, kept.new_task)
        };
        let ways = [
            (Way::Plain, self.plain),
            (Way::Ewc, self.ewc),
            (Way::Replay, self.replay),
            (Way::Lora, self.lora),
        ];
        let lines: String = ways.into_iter().map(|(way, kept)| line(way, kept)).collect();
        format!(
            "the first task was learnt to {:.2}\n{:<24}{:>18}{:>18}\n{lines}{:.0} s in all",
            self.first_task, "way", "left of the first", "of the second", self.seconds
        )
    }
}

/// The lower one of the two in the middle where there is none.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_over_the_seeds() {
        let outcome = |way, kept, new_task| Outcome { way, learnt: 0.8, kept, new_task };
        let ways = Way::ALL.into_iter();
        let outcomes: Vec<Outcome> = ways
            .flat_map(|way| [outcome(way, 0.0, 0.9), outcome(way, 0.4, 0.1), outcome(way, 0.8, 0.5)])
            .collect();
        let json = serde_json::json!(Report::new(&outcomes, 3.0));
        assert_eq!(json["ewc"], serde_json::json!({"retention": 0.5, "new_task": 0.5}));
        assert_eq!(json["first_task"], 0.8);
    }
}
