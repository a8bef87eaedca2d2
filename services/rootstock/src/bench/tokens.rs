//! Random token ids: the same ones in every measurement, so that two of them can be compared.

use rootstock_kernels::Random;

/// Seed of everything random in a measurement.
pub(super) const SEED: u64 = 1;
/// Id 0 is often padding, or ends a text.
const FIRST_ID: u64 = 1;

/// Ids from 1 up to the last of the vocabulary; each stream has its own.
pub(super) fn random_ids(stream: u64, count: usize, vocab_size: usize) -> Vec<u32> {
    let random = Random::new(SEED, stream);
    let choices = (vocab_size as u64).saturating_sub(FIRST_ID).max(1);
    (0..count as u64).map(|position| (FIRST_ID + random.below(position, choices)) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_vocabulary_but_the_first_and_the_same_each_time() {
        let ids = random_ids(0, 1000, 5);
        assert!((1..5).all(|id| ids.contains(&id)) && ids.iter().all(|id| (1..5).contains(id)));
        assert_eq!(ids, random_ids(0, 1000, 5));
        assert_ne!(ids, random_ids(1, 1000, 5));
    }
}
