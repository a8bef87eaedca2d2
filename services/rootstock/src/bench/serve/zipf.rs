//! Which of many is asked for, where few are popular: Zipf's law, by a number that is random but the same each time.

use std::sync::Arc;

use rootstock_kernels::Random;

use crate::bench::tokens::SEED;

/// Stream of the choices among the random numbers.
const STREAM: &str = "zipf";

/// Choices among some, of which the k-th is chosen in proportion to 1 / k^s.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// The weight of each together with those before it.
    up_to: Arc<[f64]>,
    random: Random,
}

impl Zipf {
    pub(super) fn new(count: usize, exponent: f64) -> Self {
        let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
        let up_to = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { up_to: up_to.collect(), random: Random::named(SEED, STREAM) }
    }

    /// The choice of this number.
    pub(super) fn choose(&self, number: usize) -> usize {
        let Some(all) = self.up_to.last() else { return 0 };
        let drawn = self.random.uniform(number as u64) * all;
        self.up_to.partition_point(|up_to| *up_to <= drawn).min(self.up_to.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_law_and_choices_are_the_same_each_time() {
        const DRAWS: usize = 20_000;
        for (exponent, expected) in [(0.0, 0.25), (1.0, 12.0 / 25.0)] {
            let zipf = Zipf::new(4, exponent);
            let first = (0..DRAWS).filter(|number| zipf.choose(*number) == 0).count();
            let share = first as f64 / DRAWS as f64;
            assert!((share - expected).abs() < 0.02, "{exponent}: {share}");
            assert!((0..DRAWS).all(|number| zipf.choose(number) < 4));
        }
        let choices = || (0..50).map(|number| Zipf::new(9, 1.0).choose(number)).collect::<Vec<_>>();
        assert_eq!(choices(), choices());
        assert_eq!(Zipf::new(1, 1.0).choose(7), 0);
    }
}
