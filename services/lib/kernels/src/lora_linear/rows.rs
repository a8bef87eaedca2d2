//! The grouped form: each row of a batch with a pair of its own, of its own rank, without padding.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::{LoraPair, serve, update};
use crate::{
    LinearWeight,
    cpu::{floats, tensor},
    gemm::{Left, Term, Tiles, Write, product, products},
    linear::{self, LinearInput, linear, sizes},
    matmul::{self, Sizes},
};

/// Consecutive rows of a batch, and the pair that is theirs.
#[derive(Clone, Debug)]
pub struct LoraRows<'a> {
    /// Rows of the input.
    pub rows: Range<usize>,
    /// Of any rank.
    pub pair: &'a LoraPair,
}

/// `x W^T` for `x` [n, in] f32, to whose rows each its own pair's update is added; rows without a pair stay as they are. A row is
/// the same bits as with [`lora_linear`] alone. Each group is multiplied at its own rank. Not differentiable.
///
/// # Errors
/// When shapes don't fit, or the groups are not in order or reach past the rows.
pub fn lora_linear_rows(x: &LinearInput, w: &LinearWeight, groups: &[LoraRows<'_>]) -> Result<Tensor> {
    if groups.is_empty() {
        return linear(x, w);
    }
    let base = sizes(x.tensor().shape(), w.dims()?)?;
    let mut end = 0;
    for group in groups {
        if group.rows.start < end || group.rows.end > base.rows {
            bail!("lora: rows {:?} overlap others, or are not among {}", group.rows, base.rows);
        }
        end = group.rows.end;
        group.pair.check(base)?;
    }
    if !x.tensor().device().is_cpu() {
        return rows_on_device(x.tensor(), w, groups);
    }
    if let [LoraRows { rows, pair }] = groups
        && rows.len() == base.rows
    {
        return serve(x, w, pair, None);
    }
    let contiguous = x.tensor().contiguous()?;
    let (weight, values, tiles) = (w.read()?, floats(&contiguous)?, x.tiles(w.format())?);
    let mut y = products(&[Term { a: &*tiles, b: &weight.operand().forward(base) }]);
    let mut parts = Vec::with_capacity(groups.len());
    let (mut rest, mut first) = (&mut y[..], 0);
    for group in groups {
        let (_, from) = rest.split_at_mut((group.rows.start - first) * base.outputs);
        let (part, after) = from.split_at_mut(group.rows.len() * base.outputs);
        (rest, first) = (after, group.rows.end);
        parts.push((part, &values[group.rows.start * base.inputs..group.rows.end * base.inputs], group));
    }
    parts.into_par_iter().try_for_each(|(y, x, group)| add_rows(y, x, group, base))?;
    tensor(y, linear::output_shape(x.tensor().shape(), base.outputs))
}

/// Adds a group's update to its rows.
fn add_rows(y: &mut [f32], x: &[f32], group: &LoraRows<'_>, base: Sizes) -> Result<()> {
    let (a, b, rank) = (group.pair.a.read()?, group.pair.b.read()?, group.pair.rank()?);
    let rows = group.rows.len();
    let low = matmul::forward(x, a.operand(), Sizes { rows, outputs: rank, ..base });
    let low = Tiles::pack(Left::Rows(&low), rows, rank, b.operand().format(), group.pair.scale as f32);
    let up = Sizes { rows, inputs: rank, outputs: base.outputs };
    product(y, Write::Add, &low, &b.operand().forward(up));
    Ok(())
}

/// The definition in candle's operations.
fn rows_on_device(x: &Tensor, w: &LinearWeight, groups: &[LoraRows<'_>]) -> Result<Tensor> {
    let y = linear(&x.into(), w)?;
    let (mut parts, mut first) = (Vec::new(), 0);
    for LoraRows { rows, pair } in groups {
        parts.push(y.narrow(0, first, rows.start - first)?);
        let (x, base) = (x.narrow(0, rows.start, rows.len())?, y.narrow(0, rows.start, rows.len())?);
        parts.push((base + update(&x, &pair.a.tensor()?, &pair.b.tensor()?, pair.scale as f32, None)?)?);
        first = rows.end;
    }
    parts.push(y.narrow(0, first, y.dim(0)? - first)?);
    Tensor::cat(&parts, 0)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::{
        lora_linear,
        testing::{assert_close, normal},
    };

    #[test]
    fn rows_with_pairs_of_their_own_have_the_bits_they_have_alone() {
        for dtype in [DType::F32, DType::BF16] {
            let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(dtype).unwrap();
            let (x, weight) = (normal(1, (9, 40)), LinearWeight::frozen(&of(2, (35, 40))).unwrap());
            let pairs = [1, 5, 33].map(|rank| LoraPair {
                a: LinearWeight::frozen(&of(3, (rank, 40))).unwrap(),
                b: LinearWeight::frozen(&of(4, (35, rank))).unwrap(),
                scale: 0.5,
                dropout: 0.0,
            });
            let groups = [(1..2, 0), (2..5, 1), (7..9, 2)];
            let rows = groups.clone().map(|(rows, pair)| LoraRows { rows, pair: &pairs[pair] });
            let found = lora_linear_rows(&(&x).into(), &weight, &rows).unwrap();
            for row in 0..9 {
                let pair = groups.iter().find(|(rows, _)| rows.contains(&row)).map(|(_, pair)| &pairs[*pair]);
                let alone =
                    lora_linear(&(&x.narrow(0, row, 1).unwrap()).into(), &weight, pair, None).unwrap();
                assert_close(&found.narrow(0, row, 1).unwrap(), &alone, 0.0);
            }
            let overlap =
                [LoraRows { rows: 0..2, pair: &pairs[0] }, LoraRows { rows: 1..3, pair: &pairs[1] }];
            assert!(lora_linear_rows(&(&x).into(), &weight, &overlap).is_err());
        }
    }
}
