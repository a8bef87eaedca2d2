//! Which rows a pass over the data sees before they are shuffled: all once, or of a mix each data set in its share.

use rootstock_kernels::Random;
use rootstock_text::{Mix, MixError, Shares};

/// The passes over the rows of one or several data sets, which lie one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    mix: Mix,
    /// Rows of each data set.
    rows: Vec<usize>,
}

/// A row that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) row: usize,
    /// How often its data set was seen whole before, by which it is changed.
    pub(crate) pass: u64,
}

impl Passes {
    /// Of data sets with so many rows.
    pub(crate) fn new(rows: Vec<usize>, shares: &Shares) -> Result<Self, MixError> {
        Ok(Self { mix: Mix::new(rows.clone(), shares)?, rows })
    }

    /// Rows of a pass.
    pub(crate) fn len(&self) -> usize {
        self.mix.len()
    }

    /// Rows of each data set in a pass.
    pub(crate) fn quotas(&self) -> &[usize] {
        self.mix.quotas()
    }

    /// The rows of a pass, data set by data set.
    pub(crate) fn seen(&self, epoch: u64, seed: u64) -> impl Iterator<Item = Seen> {
        let mut drawn = None;
        self.mix.rows(epoch).map(move |row| {
            let (set, pass) = (row.set, row.pass);
            if drawn.as_ref().is_none_or(|(of, _)| *of != (set, pass)) {
                drawn = Some(((set, pass), self.order(set, pass, seed)));
            }
            let place = drawn.as_ref().map_or(row.place, |(_, order)| order[row.place]);
            Seen { row: self.rows[..set].iter().sum::<usize>() + place, pass }
        })
    }

    /// The order in which the rows of a data set come. Where a pass sees all of them it is shuffled anyway.
    fn order(&self, set: usize, pass: u64, seed: u64) -> Vec<usize> {
        let rows = self.rows[set];
        if self.quotas()[set] == rows {
            return (0..rows).collect();
        }
        Random::named(seed, "order of a mixed data set").child(set as u64).child(pass).permutation(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    impl Passes {
        /// Over one data set of so many rows.
        pub(crate) fn over(rows: usize) -> Self {
            Self::new(vec![rows], &Shares::Temperature(1.0)).unwrap()
        }
    }

    fn mixed() -> Passes {
        Passes::new(vec![30, 10], &Shares::Weights(vec![1.0, 3.0])).unwrap()
    }

    #[test]
    fn one_data_set_is_seen_whole_in_each_pass() {
        let seen: Vec<Seen> = Passes::over(3).seen(5, 1).collect();
        assert_eq!(seen, [0, 1, 2].map(|row| Seen { row, pass: 5 }));
    }

    #[test]
    fn a_pass_has_the_shares_of_the_mix_and_goes_on_where_the_one_before_ended() {
        let passes = mixed();
        assert_eq!((passes.len(), passes.quotas()), (40, &[10, 30][..]));
        let (first, second): (Vec<Seen>, Vec<Seen>) =
            (passes.seen(0, 7).collect(), passes.seen(1, 7).collect());
        let of_large =
            |seen: &[Seen]| seen.iter().map(|seen| seen.row).filter(|row| *row < 30).collect::<BTreeSet<_>>();
        let (before, after) = (of_large(&first), of_large(&second));
        assert_eq!((before.len(), after.len()), (10, 10));
        assert!(before.is_disjoint(&after), "no row comes again before all others came");
        for pass in 0..3 {
            let rows: BTreeSet<usize> = first
                .iter()
                .filter(|seen| seen.row >= 30 && seen.pass == pass)
                .map(|seen| seen.row)
                .collect();
            assert_eq!(rows, (30..40).collect(), "the small data set is seen three times");
        }
        assert_eq!(first, passes.seen(0, 7).collect::<Vec<_>>());
        assert_ne!(first, passes.seen(0, 8).collect::<Vec<_>>(), "the seed decides");
    }
}
