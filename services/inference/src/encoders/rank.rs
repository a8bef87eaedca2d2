//! Logits to probabilities, most likely first.

use std::cmp::Ordering;

use crate::{error::Error, sampling::NoChoice};

/// The numbers of the most likely logits with their probabilities by softmax; of equal ones the first comes first.
pub(super) fn likeliest(logits: &[f32], count: usize) -> Result<Vec<(usize, f64)>, Error> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return Err(NoChoice::NotFinite.into());
    }
    let most = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
    let weights = logits.iter().map(|logit| (f64::from(*logit) - most).exp());
    let mut ranked: Vec<(usize, f64)> = weights.enumerate().collect();
    let sum: f64 = ranked.iter().map(|(_, weight)| weight).sum();
    if count < ranked.len() {
        ranked.select_nth_unstable_by(count, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
    Ok(ranked.into_iter().map(|(number, weight)| (number, weight / sum)).collect())
}

fn order(one: &(usize, f64), other: &(usize, f64)) -> Ordering {
    other.1.total_cmp(&one.1).then(one.0.cmp(&other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_softmax_and_equal_ones_keep_their_order() {
        let logits = [0.25_f32, 0.5, 0.25].map(f32::ln);
        let ranked = likeliest(&logits, 3).unwrap();
        assert_eq!(ranked.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 0, 2]);
        for ((_, probability), expected) in ranked.iter().zip([0.5, 0.25, 0.25]) {
            assert!((probability - expected).abs() < 1e-7, "{ranked:?}");
        }
        assert_eq!(likeliest(&logits, 2).unwrap(), ranked[..2]);
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        assert!(matches!(likeliest(&[0.0, f32::NAN], 1), Err(Error::InvalidFile(_))));
    }
}
