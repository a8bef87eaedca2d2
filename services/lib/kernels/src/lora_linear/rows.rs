//! The grouped form: each row of a batch with a pair of its own, of its own rank, without padding.

use std::{ops::Range, sync::Arc};

use candle_core::{Result, Tensor, bail};

use super::{LoraPair, update};
use crate::{
    LinearWeight,
    cpu::{floats, tensor},
    gemm::{Format, Left, Piece, ROWS, Sum, Term, Tiles, sums},
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
    let contiguous = x.tensor().contiguous()?;
    let values = floats(&contiguous)?;
    let pairs = Pairs::read(maps, &bases)?;
    let lows = pairs.down(x, &values)?;
    let weights = maps.iter().map(|map| map.weight.read()).collect::<Result<Vec<_>>>()?;
    let factors = weights.iter().zip(&bases).map(|(weight, base)| weight.operand().forward(*base));
    let factors: Vec<Right<'_>> = factors.collect();
    let tiles = maps.iter().map(|map| x.tiles(map.weight.format())).collect::<Result<Vec<_>>>()?;
    let ups: Vec<_> = pairs.0.iter().map(|pair| pair.b.operand().forward(pair.sizes[1])).collect();
    let terms = tiles.iter().zip(&factors).map(|(tiles, b)| vec![Term { a: &**tiles, b }]);
    let mut parts: Vec<_> = terms.map(|terms| Sum { terms, pieces: Vec::new() }).collect();
    for ((pair, low), b) in pairs.0.iter().zip(&lows).zip(&ups) {
        parts[pair.map].pieces.extend(pair.pieces(low, b));
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

/// The pairs of all maps, read-locked.
struct Pairs<'a>(Vec<Pair<'a>>);

struct Pair<'a> {
    map: usize,
    rows: Range<usize>,
    a: Reading<'a>,
    b: Reading<'a>,
    /// Of the product with A, and with B.
    sizes: [Sizes; 2],
    scale: f32,
}

impl<'a> Pairs<'a> {
    fn read(maps: &'a [LoraMap<'a>], bases: &[Sizes]) -> Result<Self> {
        let mut pairs = Vec::new();
        for (map, (LoraMap { groups, .. }, base)) in maps.iter().zip(bases).enumerate() {
            for LoraRows { rows, pair } in groups {
                let (rank, count) = (pair.rank()?, rows.len());
                let down = Sizes { rows: count, outputs: rank, ..*base };
                let up = Sizes { rows: count, inputs: rank, ..*base };
                let (a, b, scale) = (pair.a.read()?, pair.b.read()?, pair.scale as f32);
                pairs.push(Pair { map, rows: rows.clone(), a, b, sizes: [down, up], scale });
            }
        }
        Ok(Self(pairs))
    }

    /// `x A^T` of each pair, for its own rows.
    fn down(&self, x: &LinearInput, values: &[f32]) -> Result<Vec<Vec<f32>>> {
        let mut packed: Vec<(Range<usize>, Format, Arc<Tiles>)> = Vec::new();
        let mut inputs = Vec::with_capacity(self.0.len());
        for Pair { rows, a, sizes: [Sizes { inputs: width, .. }, _], .. } in &self.0 {
            let format = a.operand().format();
            let known = packed.iter().find(|(known, of, _)| known == rows && *of == format);
            let tiles = match known {
                Some((.., tiles)) => tiles.clone(),
                None if rows.len() * width == values.len() => x.tiles(format)?,
                None => {
                    let own = Left::Rows(&values[rows.start * width..rows.end * width]);
                    Arc::new(Tiles::pack(own, rows.len(), *width, format, 1.0))
                }
            };
            if known.is_none() {
                packed.push((rows.clone(), format, tiles.clone()));
            }
            inputs.push(tiles);
        }
        let factors: Vec<_> = self.0.iter().map(|pair| pair.a.operand().forward(pair.sizes[0])).collect();
        let terms = inputs.iter().zip(&factors).map(|(a, b)| vec![Term { a: &**a, b }]);
        let parts: Vec<_> = terms.map(|terms| Sum { terms, pieces: Vec::new() }).collect();
        Ok(sums(&parts))
    }
}
impl Pair<'_> {
    /// The product with B, for the rows of each tile of the output.
    fn pieces<'b>(&self, low: &[f32], b: &'b Right<'_>) -> impl Iterator<Item = Piece<'b>> {
        let (rows, rank) = (self.rows.clone(), self.sizes[1].inputs);
        let starts = (rows.start / ROWS..rows.end.div_ceil(ROWS)).map(move |tile| tile * ROWS);
        starts.map(move |start| {
            let part = start.max(rows.start)..(start + ROWS).min(rows.end);
            let low = Left::Rows(&low[(part.start - rows.start) * rank..]);
            let a = Tiles::pack(low, part.len(), rank, self.b.operand().format(), self.scale);
            Piece { row: part.start, a, b }
        })
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
