//! The grouped form: each row of a batch with a pair of its own, of its own rank, without padding.

use std::{ops::Range, sync::Arc};

use candle_core::{Result, Tensor, bail};

use super::{LoraPair, update};
use crate::{
    LinearWeight,
    cpu::tensor,
    gemm::{Low, Lows, Panels, Part, Piece, Sum, Term, Tiles, sums},
    linear::{self, LinearInput, linear, sizes},
    matmul::{Right, Sizes},
    weight::Reading,
};

/// Consecutive rows of a batch, and the pair that is theirs.
#[derive(Clone, Debug)]
pub struct LoraRows<'a> {
    /// Rows of the input.
    pub rows: Range<usize>,
    /// Of any rank.
    pub pair: &'a LoraPair,
}

/// One of the linear maps of an input.
#[derive(Clone, Debug)]
pub struct LoraMap<'a> {
    /// [out, in]
    pub weight: &'a LinearWeight,
    /// Rows with pairs, in order.
    pub groups: Vec<LoraRows<'a>>,
}

/// `x W^T` for `x` [n, in] f32 and each of several maps, to whose rows each its own pair's update is added; rows without a pair stay
/// as they are. A row is the same bits as with [`lora_linear`](super::lora_linear) alone. Each group is multiplied at its own rank,
/// and the outputs are written once. Not differentiable.
///
/// # Errors
/// When shapes don't fit, or groups are not in order or reach past the rows.
pub fn lora_linear_rows(x: &LinearInput, maps: &[LoraMap<'_>]) -> Result<Vec<Tensor>> {
    let bases = maps.iter().map(|map| check(x, map)).collect::<Result<Vec<_>>>()?;
    if !x.tensor().device().is_cpu() {
        return maps.iter().map(|map| rows_on_device(x.tensor(), map)).collect();
    }
    let weights = maps.iter().map(|map| map.weight.read()).collect::<Result<Vec<_>>>()?;
    let factors = weights.iter().zip(&bases).map(|(weight, base)| weight.operand().forward(*base));
    let factors: Vec<Right<'_>> = factors.collect();
    let tiles = maps.iter().map(|map| x.tiles(map.weight.format())).collect::<Result<Vec<_>>>()?;
    let terms = tiles.iter().zip(&factors).map(|(tiles, b)| vec![Term { a: &**tiles, b }]);
    let mut parts: Vec<_> = terms.map(|terms| Sum { terms, pieces: Vec::new() }).collect();

    let readings = readings(maps)?;
    let pairs = Pair::all(x, maps, &bases, &readings)?;
    let downs: Vec<Part<'_>> = pairs.iter().map(Pair::down).collect();
    let lows = Lows::new(&downs);
    for Low { part, rows, words } in lows.iter() {
        let Pair { map, b, .. } = &pairs[part];
        parts[*map].pieces.push(Piece { row: rows.start, rows: rows.len(), a: words, b });
    }
    let outputs = sums(&parts).into_iter().zip(&bases);
    outputs.map(|(y, base)| tensor(y, linear::output_shape(x.tensor().shape(), base.outputs))).collect()
}

/// The sizes of a map, if all its parts fit.
fn check(x: &LinearInput, map: &LoraMap<'_>) -> Result<Sizes> {
    let base = sizes(x.tensor().shape(), map.weight.dims()?)?;
    let mut end = 0;
    for group in &map.groups {
        if group.rows.start < end || group.rows.end < group.rows.start || group.rows.end > base.rows {
            bail!("lora: rows {:?} overlap others, or are not among {}", group.rows, base.rows);
        }
        end = group.rows.end;
        group.pair.check(base)?;
    }
    Ok(base)
}

/// A and B of every group of all maps, read-locked.
fn readings<'a>(maps: &'a [LoraMap<'_>]) -> Result<Vec<[Reading<'a>; 2]>> {
    let groups = maps.iter().flat_map(|map| &map.groups);
    groups.map(|LoraRows { pair, .. }| Ok([pair.a.read()?, pair.b.read()?])).collect()
}

/// A pair as it is multiplied, and the rows that are its own.
struct Pair<'a> {
    map: usize,
    rows: Range<usize>,
    /// The input in the format of A.
    x: Arc<Tiles>,
    a: Right<'a>,
    b: Right<'a>,
    scale: f32,
}

impl<'a> Pair<'a> {
    /// The pairs of all maps, whose numbers are read already.
    fn all(
        x: &LinearInput,
        maps: &[LoraMap<'_>],
        bases: &[Sizes],
        readings: &'a [[Reading<'a>; 2]],
    ) -> Result<Vec<Self>> {
        let (mut pairs, mut readings) = (Vec::with_capacity(readings.len()), readings.iter());
        for (map, (LoraMap { groups, .. }, base)) in maps.iter().zip(bases).enumerate() {
            for (LoraRows { rows, pair }, [a, b]) in groups.iter().zip(&mut readings) {
                let rank = pair.rank()?;
                let a = a.operand().forward(Sizes { outputs: rank, ..*base });
                let b = b.operand().forward(Sizes { inputs: rank, ..*base });
                let (x, scale) = (x.tiles(pair.a.format())?, pair.scale as f32);
                pairs.push(Pair { map, rows: rows.clone(), x, a, b, scale });
            }
        }
        Ok(pairs)
    }

    /// `scale * x A^T` for its rows.
    fn down(&self) -> Part<'_> {
        let Self { rows, x, a, b, scale, .. } = self;
        Part { a: x, rows: rows.clone(), b: a, scale: *scale, format: b.format() }
    }
}

/// The definition in candle's operations.
fn rows_on_device(x: &Tensor, map: &LoraMap<'_>) -> Result<Tensor> {
    let y = linear(&x.into(), map.weight)?;
    let (mut parts, mut first) = (Vec::new(), 0);
    for LoraRows { rows, pair } in &map.groups {
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
        WeightArena, lora_linear,
        testing::{assert_close, normal},
    };

    #[test]
    fn rows_with_pairs_of_their_own_have_the_bits_they_have_alone() {
        for format in [Format::F32, Format::Bf16, Format::Int8] {
            let dtype = if format == Format::F32 { DType::F32 } else { DType::BF16 };
            let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(dtype).unwrap();
            let mut arena = WeightArena::new(0);
            let mut base = |weight| LinearWeight::frozen_as(&weight, format, &mut arena).unwrap();
            let (x, weight) = (normal(1, (9, 40)), base(of(2, (35, 40))));
            let pairs = [1, 5, 33].map(|rank| LoraPair {
                a: LinearWeight::frozen(&of(3, (rank, 40))).unwrap(),
                b: LinearWeight::frozen(&of(4, (35, rank))).unwrap(),
                scale: 0.5,
                dropout: 0.0,
            });
            let groups = [(1..2, 0), (2..5, 1), (7..9, 2)];
            let rows = groups.clone().map(|(rows, pair)| LoraRows { rows, pair: &pairs[pair] });
            let bare = base(of(5, (70, 40)));
            let maps = [
                LoraMap { weight: &weight, groups: rows.to_vec() },
                LoraMap { weight: &bare, groups: Vec::new() },
            ];
            let [found, without] = &lora_linear_rows(&(&x).into(), &maps).unwrap()[..] else {
                panic!("two maps have two outputs");
            };
            assert_close(without, &linear(&(&x).into(), &bare).unwrap(), 0.0);
            for row in 0..9 {
                let pair = groups.iter().find(|(rows, _)| rows.contains(&row)).map(|(_, pair)| &pairs[*pair]);
                let alone =
                    lora_linear(&(&x.narrow(0, row, 1).unwrap()).into(), &weight, pair, None).unwrap();
                assert_close(&found.narrow(0, row, 1).unwrap(), &alone, 0.0);
            }
            let overlap =
                [LoraRows { rows: 0..2, pair: &pairs[0] }, LoraRows { rows: 1..3, pair: &pairs[1] }];
            let map = LoraMap { weight: &weight, groups: overlap.to_vec() };
            assert!(lora_linear_rows(&(&x).into(), &[map]).is_err());
        }
    }
}
