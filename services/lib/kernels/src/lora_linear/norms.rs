//! The norms that DoRA divides by (Liu et al., 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation"), a block of the weight at a time.

use candle_core::{D, DType, Result};

use super::LoraPair;
use crate::{
    LinearWeight,
    composed::has_kernels,
    matmul::{Sizes, input_gradient},
    team,
    weight::Reading,
};

/// Outputs whose updated rows are in memory at a time.
const BLOCK: usize = 128;
/// Norms that one task computes.
const ROWS_TOGETHER: usize = 4;
/// Sums of squares that are made side by side.
const LANES: usize = 8;

/// The Euclidean norm of each row of `W + scale * B A`, [out]: products of the pair's numbers are summed as f32, squares as f64. No
/// more than a block of the sum exists at once. PEFT's `DoraLinearLayer.get_weight_norm`, which rounds to the weight's dtype instead.
///
/// # Errors
/// When the pair doesn't fit the weight.
pub fn lora_norms(weight: &LinearWeight, pair: &LoraPair) -> Result<Vec<f32>> {
    let (outputs, inputs) = weight.dims()?;
    let rank = pair.check(Sizes { rows: 0, inputs, outputs })?;
    if !has_kernels(&weight.device()) {
        return norms_on_device(weight, pair);
    }
    let (w, a, b) = (weight.read()?, pair.a.read()?, pair.b.read()?);
    let mut norms = vec![0_f32; outputs];
    for (block, norms) in norms.chunks_mut(BLOCK).enumerate() {
        let (first, rows) = (block * BLOCK, norms.len());
        let up: Vec<f32> = (first..first + rows).flat_map(|row| b.row(row, rank)).collect(); // [rows, r]
        let update = input_gradient(&up, a.operand(), Sizes { rows, inputs, outputs: rank }); // [rows, in]
        team::chunks_mut(norms, ROWS_TOGETHER, |task, norms| {
            for (i, norm) in norms.iter_mut().enumerate() {
                let row = task * ROWS_TOGETHER + i;
                let update = &update[row * inputs..][..inputs];
                *norm = row_norm(&w, first + row, update, pair.scale as f32);
            }
        });
    }
    Ok(norms)
}

fn row_norm(w: &Reading<'_>, row: usize, update: &[f32], scale: f32) -> f32 {
    let mut squares = [0_f64; LANES];
    let row = w.row(row, update.len());
    for (w, update) in row.chunks(LANES).zip(update.chunks(LANES)) {
        for ((sum, w), update) in squares.iter_mut().zip(w).zip(update) {
            let number = f64::from(w + scale * update);
            *sum += number * number;
        }
    }
    squares.iter().sum::<f64>().sqrt() as f32
}

/// The definition in candle's operations.
fn norms_on_device(weight: &LinearWeight, pair: &LoraPair) -> Result<Vec<f32>> {
    let wide = |weight: &LinearWeight| weight.tensor()?.to_dtype(DType::F32);
    let update = (wide(&pair.b)?.matmul(&wide(&pair.a)?)? * pair.scale)?;
    (wide(weight)? + update)?.sqr()?.sum(D::Minus1)?.sqrt()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::*;
    use crate::testing::{assert_close, normal};

    #[test]
    fn norms_agree_with_the_definition_for_packed_and_for_plain_weights() {
        for dtype in [DType::F32, DType::BF16] {
            for (outputs, inputs, rank) in [(1, 1, 1), (35, 40, 3), (300, 67, 20)] {
                let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(dtype).unwrap();
                let (w, a, b) = (of(1, (outputs, inputs)), of(2, (rank, inputs)), of(3, (outputs, rank)));
                let frozen = |tensor: &Tensor| LinearWeight::frozen(tensor).unwrap();
                let pair = |a, b| LoraPair { a, b, scale: 0.7, dropout: 0.0 };
                let expected =
                    norms_on_device(&w.clone().into(), &pair(a.clone().into(), b.clone().into())).unwrap();
                let expected = Tensor::new(expected, &candle_core::Device::Cpu).unwrap();
                let packed = lora_norms(&frozen(&w), &pair(frozen(&a), frozen(&b))).unwrap();
                let plain = lora_norms(&w.into(), &pair(a.into(), b.into())).unwrap();
                assert_eq!(packed, plain);
                assert_close(&Tensor::new(packed, &candle_core::Device::Cpu).unwrap(), &expected, 1e-5);
            }
        }
    }

    #[test]
    fn a_pair_for_another_weight_is_refused() {
        let pair =
            LoraPair { a: normal(1, (2, 5)).into(), b: normal(2, (3, 2)).into(), scale: 1.0, dropout: 0.0 };
        assert!(lora_norms(&normal(3, (3, 6)).into(), &pair).is_err());
    }
}
