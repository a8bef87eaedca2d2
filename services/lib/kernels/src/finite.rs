//! Whether numbers are finite, a register of them at a time.

use candle_core::{Result, Tensor};
use half::bf16;

use crate::{
    cpu::{Matrix, weight},
    simd::{INFINITE, LANES, dispatch, magnitude},
};

/// The place of the first number that is not finite in a contiguous tensor of f32 or bf16 in main memory, read where it lies.
///
/// # Errors
/// When the tensor is another one.
pub fn first_not_finite(tensor: &Tensor) -> Result<Option<usize>> {
    let place = match weight(tensor)?.matrix() {
        Matrix::F32(numbers) if !all_finite(numbers) => numbers.iter().position(|number| !number.is_finite()),
        Matrix::Bf16(numbers) if !all_finite_bf16(numbers) => {
            numbers.iter().position(|number| !number.is_finite())
        }
        Matrix::F32(_) | Matrix::Bf16(_) => None,
    };
    Ok(place)
}

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

dispatch! {
    /// [`all_finite`] of bf16.
    fn all_finite_bf16(numbers: &[bf16]) -> bool {
        let mut most = [0_u16; 2 * LANES];
        for part in numbers.chunks(2 * LANES) {
            for (most, number) in most.iter_mut().zip(part) {
                *most = (*most).max(number.to_bits() & (u16::MAX >> 1));
            }
        }
        most.into_iter().all(|magnitude| magnitude < bf16::INFINITY.to_bits())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn the_first_number_of_a_tensor_that_is_not_finite_is_named_in_either_format() {
        for n in [1, 63, 65, 200] {
            for (place, bad) in (0..n).zip([f32::NAN, f32::INFINITY, f32::NEG_INFINITY].iter().cycle()) {
                let mut numbers = vec![-3e38_f32; n];
                let tensor = |numbers: &[f32], dtype| {
                    Tensor::new(numbers, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
                };
                for dtype in [DType::F32, DType::BF16] {
                    assert_eq!(first_not_finite(&tensor(&numbers, dtype)).unwrap(), None);
                }
                numbers[place..].fill(*bad);
                for dtype in [DType::F32, DType::BF16] {
                    assert_eq!(first_not_finite(&tensor(&numbers, dtype)).unwrap(), Some(place));
                }
            }
        }
        assert!(first_not_finite(&Tensor::new(&[1_u32], &Device::Cpu).unwrap()).is_err());
    }

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
