//! Replay of earlier data: which rows of a step it takes the place of, and by which, as a function of seed and place.

use std::sync::Arc;

use rootstock_kernels::Random;

use super::rows::{Augment, Example, Rows};

/// Earlier data that is seen again.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) rows: Arc<Rows>,
    /// Its share of the rows of each step.
    pub(super) ratio: f64,
    pub(super) seed: u64,
}

impl Replayed {
    /// The same for the steps of a stage with another seed.
    pub(super) fn drawn_by(&self, seed: u64) -> Self {
        Self { rows: Rows::drawn_by(&self.rows, seed), ratio: self.ratio, seed }
    }

    /// Puts earlier rows into their places of a step, whose first row is the `first` of all that are trained on.
    pub(super) fn take_places(&self, first: u64, batches: &mut [Vec<Example>], augment: Option<&Augment>) {
        let len = self.rows.len() as u64;
        let mut order: (Option<u64>, Vec<usize>) = (None, Vec::new());
        for (place, example) in (first..).zip(batches.iter_mut().flatten()) {
            let Some(number) = self.taking(place) else { continue };
            let pass = number / len;
            if order.0 != Some(pass) {
                let random = Random::named(self.seed, "order of earlier data").child(pass);
                order = (Some(pass), random.permutation(self.rows.len()));
            }
            *example = self.rows.augmented(order.1[(number % len) as usize], pass, augment);
        }
    }

    /// How many earlier rows came before the one that takes this place, if one does: they are spread evenly.
    fn taking(&self, place: u64) -> Option<u64> {
        let until = |place: u64| (place as f64 * self.ratio) as u64;
        (until(place) < until(place + 1)).then(|| until(place))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn replayed(ratio: f64) -> Replayed {
        Replayed { rows: Arc::new(Rows::Causal((0..5).map(|row| vec![100 + row]).collect())), ratio, seed: 3 }
    }

    /// The earlier rows among `count` places from `first` on.
    fn earlier(replayed: &Replayed, first: u64, count: usize) -> Vec<u32> {
        let mut batches = vec![vec![Example::default(); count]];
        replayed.take_places(first, &mut batches, None);
        batches.concat().iter().filter_map(|example| example.input_ids.first().copied()).collect()
    }

    #[test]
    fn every_batch_has_its_share_and_no_row_comes_again_before_all_others_came() {
        let replayed = replayed(0.25);
        for step in 0..10 {
            assert_eq!(earlier(&replayed, 16 * step, 16).len(), 4);
        }
        let all = earlier(&replayed, 0, 60);
        assert_eq!(all.len(), 15);
        for pass in all.chunks(5) {
            assert_eq!(pass.iter().copied().collect::<BTreeSet<_>>(), (100..105).collect());
        }
        assert_ne!(all[..5], all[5..10], "each pass has an order of its own");
    }

    #[test]
    fn a_step_has_the_same_rows_whether_or_not_those_before_were_asked_for() {
        let replayed = replayed(0.3);
        let all = earlier(&replayed, 0, 40);
        assert_eq!([earlier(&replayed, 0, 24), earlier(&replayed, 24, 16)].concat(), all);
        assert_ne!(all, earlier(&Replayed { seed: 4, ..replayed }, 0, 40));
    }
}
