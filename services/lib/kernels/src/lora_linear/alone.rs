//! Updates of single rows, each by a pair of its own, as in a decode batch of many adapters: apart from the base, whose weights are
//! multiplied nearly as fast as memory gives them, and beside which many small pieces come slowly. All that belongs to a row is
//! multiplied in the order in which an adapter's memory holds it, and looked at by the thread that reads it.

use std::{cell::RefCell, ops::Range, sync::OnceLock};

use candle_core::{Error, Result};

use super::{LoraMap, LoraPair};
use crate::{
    Dispatch,
    cpu::Scatter,
    dispatch::dispatch,
    gemm::{COLUMNS, Line, Panels, Part, Piece, add_piece, ask_for, low},
    linear::LinearInput,
    matmul::Sizes,
    team,
};

/// The update of a row by one pair.
struct Alone<'a> {
    map: usize,
    row: usize,
    pair: &'a LoraPair,
}

/// Whether the updates of such rows are made here.
pub(super) fn is_alone(rows: &Range<usize>) -> bool {
    rows.len() == 1 && dispatch() >= Dispatch::Avx512Bf16
}

thread_local! {
    /// A row between the two factors of a pair, and a panel made for the occasion.
    static SCRATCH: RefCell<(Vec<u32>, Vec<Line>)> = RefCell::default();
}

/// Adds the updates of rows that stand alone to the outputs of several maps of `x`, of these sizes. A row's pairs are added in the order
/// in which they come.
pub(super) fn add(
    x: &LinearInput,
    maps: &[LoraMap<'_>],
    sizes: &[Sizes],
    outputs: &mut [Vec<f32>],
) -> Result<()> {
    let groups = maps.iter().enumerate().flat_map(|(map, of)| of.groups.iter().map(move |of| (map, of)));
    let updates = groups.filter(|(_, group)| is_alone(&group.rows));
    let updates = updates.map(|(map, group)| Alone { map, row: group.rows.start, pair: group.pair });
    let mut updates: Vec<Alone<'_>> = updates.collect();
    if updates.is_empty() {
        return Ok(());
    }
    // Stable, so that each row's order stays.
    updates.sort_by_key(|update| update.row);
    let rows: Vec<&[Alone<'_>]> = updates.chunk_by(|a, b| a.row == b.row).collect();
    let outputs = outputs.iter_mut().zip(sizes).map(|(y, sizes)| (Scatter::new(y, sizes.outputs), *sizes));
    let outputs: Vec<_> = outputs.collect();
    let failed = OnceLock::<Error>::new();
    let ahead = team::threads();
    team::for_each(rows.len(), |row| {
        let mut scratch = SCRATCH.take();
        // What says where the pairs lie is found in turn, each time after a wait for memory: this thread does so while it multiplies,
        // for the rows that it probably takes after this one.
        let later = |rounds: usize| rows.get(row + rounds * ahead).copied().unwrap_or_default();
        later(2).iter().for_each(|update| ask_for(update.pair));
        for LoraPair { a, b, .. } in later(1).iter().map(|update| update.pair) {
            a.ask();
            b.ask();
        }
        for update in rows[row] {
            let (output, sizes) = &outputs[update.map];
            // SAFETY: no two tasks share a row, and all outputs are set.
            if let Err(error) = unsafe { update.add(x, (output, *sizes), &mut scratch) } {
                failed.get_or_init(|| error);
            }
        }
        SCRATCH.set(scratch);
    });
    failed.into_inner().map_or(Ok(()), Err)
}

impl Alone<'_> {
    /// Adds this update to its row.
    ///
    /// # Safety
    /// Nobody else uses the row of this output, and it is set.
    unsafe fn add(
        &self,
        x: &LinearInput,
        (output, sizes): (&Scatter<'_>, Sizes),
        (words, scratch): &mut (Vec<u32>, Vec<Line>),
    ) -> Result<()> {
        let Self { row, pair, .. } = *self;
        let rank = pair.check(sizes)?;
        let (a, b) = (pair.a.read()?, pair.b.read()?);
        let a = a.operand().forward(Sizes { outputs: rank, ..sizes });
        let b = b.operand().forward(Sizes { inputs: rank, ..sizes });
        let (x, scale) = (x.tiles(pair.a.format())?, pair.scale as f32);
        low(&Part { a: &x, rows: row..row + 1, b: &a, scale, format: b.format() }, words);
        let piece = Piece { row, rows: 1, a: words, b: &b };
        // SAFETY: the caller's promise.
        unsafe { add_piece((output, sizes.outputs), &piece, 0..sizes.outputs.div_ceil(COLUMNS), scratch) };
        Ok(())
    }
}
