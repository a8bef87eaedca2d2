//! Which rows each step trains on: a function of seed and step alone, so that a resumed run goes on where it was.

use rootstock_kernels::Random;

use super::passes::{Passes, Seen};
use crate::spec::{Arguments, Length};

/// How many steps there are, and how many to a pass over the data. As in transformers, the last step of a pass takes
/// what is left, and the last micro-batch may be smaller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    batch: usize,
    accumulation: usize,
    seed: u64,
    pub(crate) steps_per_epoch: u64,
    pub(crate) total_steps: u64,
}

impl Plan {
    /// For so many rows in a pass, which must not be 0.
    pub(crate) fn new(rows: usize, arguments: &Arguments) -> Self {
        let micro_batches = rows.div_ceil(arguments.batch_size);
        let steps_per_epoch = micro_batches.div_ceil(arguments.accumulation).max(1) as u64;
        let total_steps = match arguments.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => ((epochs * steps_per_epoch as f64).ceil() as u64).max(1),
        };
        Self {
            batch: arguments.batch_size,
            accumulation: arguments.accumulation,
            seed: arguments.seed,
            steps_per_epoch,
            total_steps,
        }
    }

    /// Passes over the data after `step` steps.
    pub(crate) fn epochs(&self, step: u64) -> f64 {
        step as f64 / self.steps_per_epoch as f64
    }
}

/// The rows of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepRows {
    /// The pass over the data, from 0.
    pub(crate) epoch: u64,
    /// How many rows all steps before it have.
    pub(crate) first: u64,
    /// The rows of each micro-batch.
    pub(crate) micro_batches: Vec<Vec<Seen>>,
}

/// Gives out the rows of the steps; it keeps the order of the pass that was asked for last.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    plan: Plan,
    passes: Passes,
    epoch: Option<(u64, Vec<Seen>)>,
}

impl Order {
    pub(crate) fn new(plan: Plan, passes: Passes) -> Self {
        Self { plan, passes, epoch: None }
    }

    /// The rows of the step that is made after `done` steps.
    pub(crate) fn rows(&mut self, done: u64) -> StepRows {
        let plan = self.plan;
        let per_step = plan.batch * plan.accumulation;
        let first = (done % plan.steps_per_epoch) as usize * per_step;
        let epoch = done / plan.steps_per_epoch;
        let order = self.shuffled(epoch);
        let rows = &order[first..(first + per_step).min(order.len())];
        let first = epoch * order.len() as u64 + first as u64;
        StepRows { epoch, first, micro_batches: rows.chunks(plan.batch).map(<[Seen]>::to_vec).collect() }
    }

    fn shuffled(&mut self, epoch: u64) -> &[Seen] {
        if self.epoch.as_ref().is_none_or(|(kept, _)| *kept != epoch) {
            let seed = self.plan.seed;
            let seen: Vec<Seen> = self.passes.seen(epoch, seed).collect();
            let order = Random::named(seed, "row order").child(epoch).permutation(seen.len());
            self.epoch = Some((epoch, order.into_iter().map(|place| seen[place]).collect()));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }
}

/// Holds out a share of `rows` rows, rounded up as scikit-learn does: the rows to train on and those to validate on,
/// each in the order they came in.
pub(crate) fn split(rows: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let held_out = ((rows as f64 * share).ceil() as usize).min(rows);
    let mut order = Random::named(seed, "validation split").permutation(rows);
    let mut train = order.split_off(held_out);
    train.sort_unstable();
    order.sort_unstable();
    (train, order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::tests::arguments;

    fn order(rows: usize, plan: Plan) -> Order {
        Order::new(plan, Passes::over(rows))
    }

    fn plan(rows: usize, batch: usize, accumulation: usize, epochs: f64) -> Plan {
        let length = Length::Epochs(epochs);
        Plan::new(rows, &Arguments { batch_size: batch, accumulation, length, seed: 7, ..arguments() })
    }

    #[test]
    fn steps_are_counted_as_in_transformers() {
        assert_eq!(plan(10, 4, 1, 3.0).total_steps, 9);
        assert_eq!(plan(10, 4, 2, 3.0).total_steps, 6);
        assert_eq!(plan(10, 4, 8, 3.0).total_steps, 3);
        assert_eq!(plan(100, 10, 1, 0.25).total_steps, 3);
        let steps = Plan::new(10, &Arguments { length: Length::Steps(5), ..arguments() });
        assert_eq!(steps.total_steps, 5);
    }

    #[test]
    fn each_pass_takes_every_row_once_in_another_order() {
        let plan = plan(10, 2, 2, 2.0);
        let mut order = order(10, plan);
        let pass = |order: &mut Order, epoch: u64| -> Vec<usize> {
            let steps = epoch * plan.steps_per_epoch..(epoch + 1) * plan.steps_per_epoch;
            let seen: Vec<Seen> = steps.flat_map(|step| order.rows(step).micro_batches.concat()).collect();
            assert!(seen.iter().all(|seen| seen.pass == epoch));
            seen.into_iter().map(|seen| seen.row).collect()
        };
        let (first, second) = (pass(&mut order, 0), pass(&mut order, 1));
        assert_ne!(first, second);
        for mut rows in [first, second] {
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_last_step_of_a_pass_takes_what_is_left() {
        let mut order = order(10, plan(10, 4, 2, 1.0));
        let mut sizes = |step| order.rows(step).micro_batches.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [4, 4]);
        assert_eq!(sizes(1), [2]);
    }

    #[test]
    fn a_step_has_the_same_rows_whether_or_not_those_before_were_asked_for() {
        let plan = plan(37, 3, 2, 4.0);
        let mut from_start = order(37, plan);
        for step in 0..plan.total_steps {
            assert_eq!(from_start.rows(step), order(37, plan).rows(step), "step {step}");
        }
    }

    #[test]
    fn a_split_is_exhaustive_seeded_and_rounded_up() {
        let (train, validation) = split(10, 0.25, 1);
        assert_eq!((train.len(), validation.len()), (7, 3));
        let mut all = [train.clone(), validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert!(train.is_sorted() && validation.is_sorted());
        assert_eq!(split(10, 0.25, 1), (train, validation.clone()));
        assert_ne!(split(10, 0.25, 2).1, validation);
        assert_eq!(split(10, 0.0, 1).1, Vec::<usize>::new());
    }
}
