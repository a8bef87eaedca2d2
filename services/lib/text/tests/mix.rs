//! Mixes of data sets: shares as asked for, and every row seen before any is seen again.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rootstock_text::{Mix, MixError, Shares};

fn counts(mix: &Mix, epoch: u64) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    mix.rows(epoch).for_each(|row| *counts.entry(row.set).or_insert(0) += 1);
    counts.into_values().collect()
}

#[test]
fn weights_say_how_often_rows_of_each_data_set_are_seen() {
    let mix = Mix::new(vec![900, 100], &Shares::Weights(vec![1.0, 3.0])).unwrap();
    assert_eq!((mix.len(), counts(&mix, 0)), (1000, vec![250, 750]));
    assert_eq!(counts(&mix, 5), [250, 750]);
}

#[test]
fn a_temperature_raises_the_share_of_small_data_sets() {
    let shares =
        |temperature| counts(&Mix::new(vec![8000, 500], &Shares::Temperature(temperature)).unwrap(), 0);
    assert_eq!(shares(1.0), [8000, 500]);
    assert_eq!(shares(2.0), [6800, 1700]);
    assert!(shares(1e9)[0].abs_diff(4250) <= 1);
}

#[test]
fn what_is_no_mix_is_refused() {
    let refused = |rows: &[usize], shares: Shares| Mix::new(rows.to_vec(), &shares).unwrap_err();
    assert_eq!(refused(&[1, 0], Shares::Temperature(1.0)), MixError::Empty(1));
    assert_eq!(refused(&[1], Shares::Weights(vec![])), MixError::Count { weights: 0, sets: 1 });
    assert_eq!(refused(&[1, 1], Shares::Weights(vec![1.0, 0.0])), MixError::Weight(1));
    assert_eq!(refused(&[1, 1], Shares::Weights(vec![f64::NAN, 1.0])), MixError::Weight(0));
    assert_eq!(refused(&[1], Shares::Temperature(0.5)), MixError::Temperature);
}

proptest! {
    #[test]
    fn no_row_is_seen_again_before_all_of_its_data_set_were(
        sets in prop::collection::vec((1_usize..40, 0.1_f64..10.0), 1..5),
        epochs in 1_u64..6,
    ) {
        let (rows, weights): (Vec<_>, Vec<_>) = sets.into_iter().unzip();
        let mix = Mix::new(rows.clone(), &Shares::Weights(weights)).unwrap();
        let mut seen = vec![Vec::new(); rows.len()];
        for epoch in 0..epochs {
            prop_assert_eq!(mix.rows(epoch).count(), mix.len());
            mix.rows(epoch).for_each(|row| seen[row.set].push((row.pass, row.place)));
        }
        for (set, rows) in seen.iter().zip(&rows) {
            let expected = (0..set.len()).map(|n| ((n / rows) as u64, n % rows));
            prop_assert!(set.iter().copied().eq(expected));
        }
    }
}
