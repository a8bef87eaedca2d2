//! The grouped form: each row of a batch with pairs of its own, of their own ranks, without padding.

use std::{ops::Range, sync::Arc};

use candle_core::{Result, Tensor, bail};

use super::{
    LoraPair,
    alone::{self, is_alone},
    update,
};
use crate::{
    LinearWeight,
    composed::has_kernels,
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

/// Consecutive rows of a batch, and what their outputs are multiplied by.
#[derive(Clone, Debug)]
pub struct FactorRows<'a> {
    /// Rows of the input.
    pub rows: Range<usize>,
    /// [out]
    pub factors: &'a [f32],
}

/// One of the linear maps of an input.
#[derive(Clone, Debug)]
pub struct LoraMap<'a> {
    /// [out, in]
    pub weight: &'a LinearWeight,
    /// Rows with pairs, in order. Rows may be named by several groups that follow each other: their updates are added in turn.
    pub groups: Vec<LoraRows<'a>>,
    /// Rows whose finished sums are multiplied output by output (DoRA, Liu et al., 2024), in order.
    pub factors: Vec<FactorRows<'a>>,
}

/// `x W^T` for `x` [n, in] f32 and each of several maps, to whose rows each its own pairs' updates are added, and then its own factors
/// multiplied; rows without stay as they are. A row is the same bits as with [`lora_linear`](super::lora_linear) alone. Each group is
/// multiplied at its own rank, and the outputs are written once. Not differentiable.
///
/// # Errors
/// When shapes don't fit, or groups are not in order or reach past the rows.
pub fn lora_linear_rows(x: &LinearInput, maps: &[LoraMap<'_>]) -> Result<Vec<Tensor>> {
    let bases = maps.iter().map(|map| check(x, map)).collect::<Result<Vec<_>>>()?;
    if !has_kernels(x.tensor().device()) {
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
    // Pairs of the same rows take turns tile by tile. The sort is stable, so each row's order stays.
    parts.iter_mut().for_each(|part| part.pieces.sort_by_key(|piece| piece.row));
    let mut outputs = sums(&parts);
    alone::add(x, maps, &bases, &mut outputs)?;
    let outputs = outputs.into_iter().zip(maps).zip(&bases);
    let finished = outputs.map(|((mut y, map), base)| {
        map.factors.iter().for_each(|group| group.multiply(&mut y));
        tensor(y, linear::output_shape(x.tensor().shape(), base.outputs))
    });
    finished.collect()
}

impl<'a> LoraMap<'a> {
    /// The groups that are updated beside the base.
    fn beside(&self) -> impl Iterator<Item = &LoraRows<'a>> {
        self.groups.iter().filter(|group| !is_alone(&group.rows))
    }
}

/// The sizes of a map, if all its parts fit; of those that are updated apart, that will be seen then.
fn check(x: &LinearInput, map: &LoraMap<'_>) -> Result<Sizes> {
    let base = sizes(x.tensor().shape(), map.weight.dims()?)?;
    let mut before = 0..0;
    for group in &map.groups {
        if group.rows != before {
            before = check_rows(&group.rows, before.end, base)?;
        }
    }
    map.beside().try_for_each(|group| group.pair.check(base).map(drop))?;
    let mut end = 0;
    for FactorRows { rows, factors } in &map.factors {
        end = check_rows(rows, end, base)?.end;
        if factors.len() != base.outputs {
            bail!("lora: {} factors for {} outputs", factors.len(), base.outputs);
        }
    }
    Ok(base)
}

/// A and B of every group of all maps, read-locked.
fn readings<'a>(maps: &'a [LoraMap<'_>]) -> Result<Vec<[Reading<'a>; 2]>> {
    let groups = maps.iter().flat_map(LoraMap::beside);
    groups.map(|LoraRows { pair, .. }| Ok([pair.a.read()?, pair.b.read()?])).collect()
}

/// The rows, if they come after `end` and are there.
fn check_rows(rows: &Range<usize>, end: usize, base: Sizes) -> Result<Range<usize>> {
    if rows.start < end || rows.end < rows.start || rows.end > base.rows {
        bail!("lora: rows {rows:?} overlap others, or are not among {}", base.rows);
    }
    Ok(rows.clone())
}

impl FactorRows<'_> {
    /// Multiplies these rows of an output.
    fn multiply(&self, y: &mut [f32]) {
        let width = self.factors.len();
        for row in y[self.rows.start * width..self.rows.end * width].chunks_exact_mut(width.max(1)) {
            row.iter_mut().zip(self.factors).for_each(|(number, factor)| *number *= factor);
        }
    }
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
        for (map, (of, base)) in maps.iter().zip(bases).enumerate() {
            for (LoraRows { rows, pair }, [a, b]) in of.beside().zip(&mut readings) {
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
    let mut y = linear(&x.into(), map.weight)?;
    for LoraRows { rows, pair } in &map.groups {
        let x = x.narrow(0, rows.start, rows.len())?;
        let update = update(&x, pair, None)?;
        y = with_rows(&y, rows, |y| y + &update)?;
    }
    for FactorRows { rows, factors } in &map.factors {
        let factors = Tensor::new(*factors, y.device())?;
        y = with_rows(&y, rows, |y| y.broadcast_mul(&factors))?;
    }
    Ok(y)
}

/// The same output with some rows changed.
fn with_rows(
    y: &Tensor,
    rows: &Range<usize>,
    change: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let part = |range: Range<usize>| y.narrow(0, range.start, range.len());
    Tensor::cat(&[part(0..rows.start)?, change(&part(rows.clone())?)?, part(rows.end..y.dim(0)?)?], 0)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::{
        Format, WeightArena, lora_linear,
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
                LoraMap { weight: &weight, groups: rows.to_vec(), factors: Vec::new() },
                LoraMap { weight: &bare, groups: Vec::new(), factors: Vec::new() },
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
            let map = LoraMap { weight: &weight, groups: overlap.to_vec(), factors: Vec::new() };
            assert!(lora_linear_rows(&(&x).into(), &[map]).is_err());
        }
    }

    /// Pairs of these ranks for a weight [35, 40].
    fn pairs(ranks: &[usize], dtype: DType) -> Vec<LoraPair> {
        let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(dtype).unwrap();
        let pair = |(seed, rank): (usize, &usize)| LoraPair {
            a: LinearWeight::frozen(&of(10 + seed as u64, (*rank, 40))).unwrap(),
            b: LinearWeight::frozen(&of(20 + seed as u64, (35, *rank))).unwrap(),
            scale: 0.5,
            dropout: 0.0,
        };
        ranks.iter().enumerate().map(pair).collect()
    }

    #[test]
    fn rows_with_several_pairs_and_factors_agree_with_the_definition_and_have_the_bits_they_have_alone() {
        for dtype in [DType::F32, DType::BF16] {
            let w = normal(2, (35, 40)).to_dtype(dtype).unwrap();
            // More than two tiles of rows, the groups crossing their borders.
            let (x, weight) = (normal(1, (30, 40)), LinearWeight::frozen(&w).unwrap());
            let (pairs, factors) = (pairs(&[1, 4, 17], dtype), crate::testing::flat(&normal(7, 35)));
            let of_row = |row: usize| match row {
                5..14 => (vec![0, 1, 2], false),
                14..27 => (vec![2], true),
                27..29 => (vec![1, 0], true),
                _ => (vec![], row == 29),
            };
            let map = |rows: Range<usize>| {
                let mut map = LoraMap { weight: &weight, groups: Vec::new(), factors: Vec::new() };
                for group in [5..14, 14..27, 27..29, 29..30] {
                    let (of, scaled) = of_row(group.start);
                    let (start, end) = (group.start.max(rows.start), group.end.min(rows.end));
                    if start < end {
                        let own = start - rows.start..end - rows.start;
                        let group = |pair: usize| LoraRows { rows: own.clone(), pair: &pairs[pair] };
                        map.groups.extend(of.into_iter().map(group));
                        map.factors
                            .extend(scaled.then(|| FactorRows { rows: own.clone(), factors: &factors }));
                    }
                }
                map
            };
            let together = lora_linear_rows(&(&x).into(), &[map(0..30)]).unwrap().swap_remove(0);
            let exact = dtype == DType::F32;
            let defined = rows_on_device(&x, &map(0..30)).unwrap();
            // Rounding a bf16 input is not part of the definition in candle's operations.
            assert_close(&together, &defined, if exact { 1e-5 } else { 0.05 });
            for row in 0..30 {
                let x = x.narrow(0, row, 1).unwrap().contiguous().unwrap();
                let alone = lora_linear_rows(&(&x).into(), &[map(row..row + 1)]).unwrap().swap_remove(0);
                assert_close(&together.narrow(0, row, 1).unwrap(), &alone, 0.0);
            }
        }
    }

    #[test]
    fn factors_of_another_width_and_rows_out_of_order_are_refused() {
        let (x, weight) = (normal(1, (3, 40)), LinearWeight::frozen(&normal(2, (35, 40))).unwrap());
        let refused = |factors: Vec<FactorRows<'_>>| {
            let map = LoraMap { weight: &weight, groups: Vec::new(), factors };
            lora_linear_rows(&(&x).into(), &[map]).unwrap_err().to_string()
        };
        let factors = [1.0; 35];
        let short = FactorRows { rows: 0..1, factors: &factors[1..] };
        assert!(refused(vec![short]).contains("34 factors for 35 outputs"));
        let of = |rows| FactorRows { rows, factors: &factors };
        assert!(refused(vec![of(1..2), of(0..1)]).contains("overlap"));
        assert!(refused(vec![of(2..4)]).contains("not among 3"));
    }

    #[test]
    fn pairs_of_other_shapes_are_refused_for_a_row_as_for_several() {
        let (x, weight) = (normal(1, (3, 40)), LinearWeight::frozen(&normal(2, (35, 40))).unwrap());
        let of = |shape: (usize, usize)| LinearWeight::frozen(&normal(3, shape)).unwrap();
        for (a, b) in [((4, 41), (35, 4)), ((4, 40), (34, 4)), ((4, 40), (35, 5))] {
            let pair = LoraPair { a: of(a), b: of(b), scale: 0.5, dropout: 0.0 };
            for rows in [0..1, 0..3] {
                let groups = vec![LoraRows { rows, pair: &pair }];
                let map = LoraMap { weight: &weight, groups, factors: Vec::new() };
                let refused = lora_linear_rows(&(&x).into(), &[map]).unwrap_err().to_string();
                assert!(refused.contains("do not fit a weight [35, 40]"), "{refused}");
            }
        }
    }

    #[test]
    fn maps_without_groups_make_no_grouped_product() {
        let weight = LinearWeight::frozen(&normal(2, (35, 40))).unwrap();
        let maps = [&weight; 3].map(|weight| LoraMap { weight, groups: Vec::new(), factors: Vec::new() });
        let x = normal(1, (9, 40));
        let bases: Vec<_> = maps.iter().map(|map| check(&(&x).into(), map).unwrap()).collect();
        assert!(Pair::all(&(&x).into(), &maps, &bases, &readings(&maps).unwrap()).unwrap().is_empty());
        let outputs = lora_linear_rows(&(&x).into(), &maps).unwrap();
        let alone = linear(&(&x).into(), &weight).unwrap();
        outputs.iter().for_each(|output| assert_close(output, &alone, 0.0));
    }

    /// Whole tiles beside parts of tiles and second pairs; outputs large enough to go past the caches or not, sums of
    /// one pass or two.
    #[test]
    fn whole_tiles_of_a_pair_have_the_bits_that_their_rows_have_alone() {
        let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(DType::BF16).unwrap();
        for (inputs, outputs, copies) in [(40, 75, 1), (1100, 75, 1), (40, 1400, 10), (1100, 1400, 10)] {
            let weight = LinearWeight::frozen(&of(2, (outputs, inputs))).unwrap();
            let pairs = [3, 16, 40].map(|rank| LoraPair {
                a: LinearWeight::frozen(&of(10 + rank as u64, (rank, inputs))).unwrap(),
                b: LinearWeight::frozen(&of(70 + rank as u64, (outputs, rank))).unwrap(),
                scale: 0.5,
                dropout: 0.0,
            });
            // 40 rows: two tiles with two pairs each, a part of one, rows without, and a last tile of four.
            let groups = [(0..24, 1), (0..24, 0), (24..31, 2), (36..40, 1)];
            let x = normal(1, (40, inputs));
            let map = |copies: usize| {
                let of_copy = |copy: usize| {
                    let pairs = &pairs;
                    groups.clone().map(move |(rows, pair)| LoraRows {
                        rows: rows.start + 40 * copy..rows.end + 40 * copy,
                        pair: &pairs[pair],
                    })
                };
                let groups = (0..copies).flat_map(of_copy).collect();
                LoraMap { weight: &weight, groups, factors: Vec::new() }
            };
            let copied = Tensor::cat(&vec![&x; copies], 0).unwrap();
            let found = lora_linear_rows(&(&copied).into(), &[map(copies)]).unwrap().remove(0);
            for row in 0..40 {
                let x = LinearInput::from(&x.narrow(0, row, 1).unwrap());
                let own = groups.iter().filter(|(rows, _)| rows.contains(&row));
                let own = own.map(|(_, pair)| LoraRows { rows: 0..1, pair: &pairs[*pair] });
                let alone = LoraMap { weight: &weight, groups: own.collect(), factors: Vec::new() };
                let alone = lora_linear_rows(&x, &[alone]).unwrap().remove(0);
                let copy = (row % copies) * 40;
                assert_close(&found.narrow(0, copy + row, 1).unwrap(), &alone, 0.0);
            }
        }
    }

    /// Of ranks that fill a register, part of one, or several.
    #[test]
    fn single_rows_with_pairs_of_their_own_have_the_bits_they_have_alone() {
        let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(DType::BF16).unwrap();
        for (inputs, outputs) in [(40, 64), (1100, 75)] {
            let weight = LinearWeight::frozen(&of(2, (outputs, inputs))).unwrap();
            let mut pairs = Vec::new();
            for (seed, rank) in [1, 8, 16, 17, 16, 33, 5, 64, 16].into_iter().enumerate() {
                let a = LinearWeight::frozen(&of(10 + seed as u64, (rank, inputs))).unwrap();
                let b = LinearWeight::frozen(&of(30 + seed as u64, (outputs, rank))).unwrap();
                pairs.push(LoraPair { a, b, scale: 0.5, dropout: 0.0 });
            }
            let x = normal(1, (pairs.len(), inputs));
            let rows = pairs.iter().enumerate().map(|(row, pair)| LoraRows { rows: row..row + 1, pair });
            let map = LoraMap { weight: &weight, groups: rows.collect(), factors: Vec::new() };
            let found = lora_linear_rows(&(&x).into(), &[map]).unwrap().remove(0);
            for (row, pair) in pairs.iter().enumerate() {
                let x = LinearInput::from(&x.narrow(0, row, 1).unwrap());
                let alone = lora_linear(&x, &weight, Some(pair), None).unwrap();
                assert_close(&found.narrow(0, row, 1).unwrap(), &alone, 0.0);
            }
        }
    }
}
