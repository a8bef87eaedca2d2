//! Whether numbers are finite, a register of them at a time.

use crate::simd::{INFINITE, LANES, dispatch, magnitude};

dispatch! {
    /// Whether each number is finite.
    pub fn all_finite(numbers: &[f32]) -> bool {
        let mut most = [0_u32; LANES];
        for part in numbers.chunks(LANES) {
            for (most, number) in most.iter_mut().zip(part) {
                *most = (*most).max(magnitude(*number));
            }
        }
        most.into_iter().all(|magnitude| magnitude < INFINITE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_that_is_not_finite_is_found_in_every_place() {
        for n in [1, 31, 33, 100] {
            let numbers = vec![f32::MAX; n];
            assert!(all_finite(&numbers) && all_finite(&numbers[1..]));
            for place in 0..n {
                for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut numbers = numbers.clone();
                    numbers[place] = bad;
                    assert!(!all_finite(&numbers), "{bad} at {place} of {n}");
                }
            }
        }
    }
}
