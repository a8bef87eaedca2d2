//! Metrics as comma-separated values, one line for each step that was reported; what was not is left empty.
use super::{Metrics, Point};

const HEADER: &str =
    "step,epoch,loss,eval_loss,learning_rate,grad_norm,tokens_per_second,resident_bytes,time\n";

/// The table, numbers with every digit.
pub(crate) fn csv(metrics: &Metrics) -> String {
    metrics.iter().fold(HEADER.to_owned(), |table, (step, point)| table + &line(*step, point))
}

fn line(step: i64, point: &Point) -> String {
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let of = |figure: fn(&_) -> f64| text(point.progress.as_ref().map(figure));
    let bytes = point.progress.map(|progress| progress.resident_bytes.to_string()).unwrap_or_default();
    let cells = [
        step.to_string(),
        of(|progress: &rootstock_client::proto::training::v1::TrainingProgress| progress.epoch),
        of(|progress| progress.loss),
        text(point.eval_loss),
        of(|progress| progress.learning_rate),
        of(|progress| progress.grad_norm),
        of(|progress| progress.tokens_per_second),
        bytes,
        point.time.to_string(),
    ];
    cells.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::metrics;

    #[test]
    fn a_line_has_what_was_told_of_its_step() {
        let table = csv(&metrics());
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[1..], ["1,0,3,,0.1,2,50,1048576,0", "2,0,2,1.5,0.05,2,50,1048576,0"]);
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    }
}
