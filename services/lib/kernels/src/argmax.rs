//! The greatest of many numbers and its place, read once: what greedy decoding chooses from a row of logits.

use crate::simd::{INFINITE, LANES, dispatch, greater, greatest_lane, magnitude};

/// Numbers that are looked through again for the greatest among them: a piece of the first-level cache.
const BLOCK: usize = 1024;

dispatch! {
    /// The first place of the greatest number, and the number. `None` if there are no numbers, or something among them is not one and
    /// can't be compared.
    pub fn argmax(numbers: &[f32]) -> Option<(usize, f32)> {
        let (mut largest, mut first) = (f32::NEG_INFINITY, 0);
        for (index, block) in numbers.chunks(BLOCK).enumerate() {
            let (greatest, most) = greatest_of(block);
            if most > INFINITE {
                return None;
            }
            if greatest > largest {
                (largest, first) = (greatest, index * BLOCK);
            }
        }
        let place = numbers.get(first..)?.iter().position(|number| *number == largest)?;
        Some((first + place, largest))
    }
}

/// The greatest number of a block, and the greatest [`magnitude`].
#[inline(always)]
fn greatest_of(block: &[f32]) -> (f32, u32) {
    let (mut lanes, mut most) = ([f32::NEG_INFINITY; LANES], [0_u32; LANES]);
    for part in block.chunks(LANES) {
        for ((lane, most), number) in lanes.iter_mut().zip(&mut most).zip(part) {
            *lane = greater(*number, *lane);
            *most = (*most).max(magnitude(*number));
        }
    }
    (greatest_lane(lanes), most.into_iter().fold(0, u32::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};

    #[test]
    fn the_first_of_the_greatest_is_found_wherever_it_is() {
        for n in [1, 31, 33, 1024, 1025, 5000] {
            let numbers = flat(&normal(n as u64, n));
            for place in [0, n / 2, n - 1] {
                let mut numbers = numbers.clone();
                numbers[place] = 100.0;
                assert_eq!(argmax(&numbers), Some((place, 100.0)));
                numbers[n - 1] = 100.0;
                assert_eq!(argmax(&numbers), Some((place, 100.0)));
            }
        }
        assert_eq!(argmax(&[f32::NEG_INFINITY; 40]), Some((0, f32::NEG_INFINITY)));
        assert_eq!(argmax(&[1.0, f32::INFINITY, 2.0]), Some((1, f32::INFINITY)));
    }

    #[test]
    fn what_is_not_a_number_is_found_in_every_place() {
        assert_eq!(argmax(&[]), None);
        for n in [1, 33, 3000] {
            for (place, nan) in [(0, f32::NAN), (n / 2, -f32::NAN), (n - 1, f32::NAN)] {
                let mut numbers = vec![1.0; n];
                numbers[place] = nan;
                assert_eq!(argmax(&numbers), None);
            }
        }
    }
}
