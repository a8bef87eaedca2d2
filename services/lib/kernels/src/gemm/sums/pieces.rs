//! What belongs to some rows of a sum alone, as an adapter's update does: added to a tile's sums while these are in registers, or afterwards.

use std::ops::Range;

use super::{Job, block, ready};
use crate::{
    cpu::Scatter,
    gemm::{
        COLUMNS, LeftPart, Line, Order, Panels, ROWS,
        kernel::{self, single},
    },
};

/// A product that is added to some rows of the output, all of them in one tile.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// The first of these rows, and their number.
    pub(crate) row: usize,
    pub(crate) rows: usize,
    /// The left factor, `[word][row]`, in the format of the right one.
    pub(crate) a: &'a [u32],
    pub(crate) b: &'a dyn Panels,
}

impl Piece<'_> {
    /// Words along the sum.
    pub(super) fn words(&self) -> usize {
        self.b.format().words(self.b.size().0)
    }
}

/// What belongs to a tile beside the terms.
pub(super) struct Joined<'a> {
    /// It is added before the sums are stored.
    pub(super) piece: Option<&'a Piece<'a>>,
    /// Whether there is more, which is added later.
    pub(super) others: bool,
}

impl<'a> Job<'a> {
    /// What belongs to rows of these bands alone.
    pub(super) fn pieces_of(&self, bands: &Range<usize>) -> &'a [Piece<'a>] {
        let before = |band: usize| self.pieces.partition_point(|piece| piece.row < band * self.band);
        &self.pieces[before(bands.start)..before(bands.end)]
    }

    /// Whether a piece, of those of some bands, is added to its tile's sums before these are stored: the first one of a tile, if it has all
    /// of the tile's rows.
    pub(super) fn joins(&self, pieces: &[Piece<'_>], at: usize) -> bool {
        let piece = &pieces[at];
        let whole = piece.row.is_multiple_of(ROWS) && piece.rows == ROWS.min(self.rows - piece.row);
        let first = at == 0 || pieces[at - 1].row < piece.row;
        self.joining && whole && first && piece.words() > 0 && piece.b.ready(0).is_some()
    }

    /// What belongs to a band's only tile, of the pieces of some bands.
    pub(super) fn joined<'p>(&self, pieces: &'p [Piece<'p>], band: usize) -> Joined<'p> {
        let before = |band: usize| pieces.partition_point(|piece| piece.row < band * ROWS);
        let (first, end) = (before(band), before(band + 1));
        let joins = first < end && self.joins(pieces, first);
        Joined { piece: joins.then(|| &pieces[first]), others: end - first > usize::from(joins) }
    }
}

/// Adds a piece to its rows of an output of so many columns, in the columns of some panels.
///
/// # Safety
/// Nobody else uses these rows of these columns, and they are set.
pub(crate) unsafe fn add_piece(
    output: (&Scatter<'_>, usize),
    piece: &Piece<'_>,
    panels: Range<usize>,
    scratch: &mut Vec<Line>,
) {
    let Piece { row, rows, a, b } = *piece;
    let words = piece.words();
    if words == 0 || rows == 0 {
        return;
    }
    let left = LeftPart::packed(b.format(), a, rows);
    let whole = panels.start..panels.end.min(output.1 / COLUMNS).max(panels.start);
    let single = rows == 1 && single::available(b.format());
    let runs = !whole.is_empty() && (single || Order::of(b.format()) == Order::ByRow);
    let run = if runs { b.run(whole.clone()) } else { None };
    // SAFETY: the caller's promise; the blocks of a run lie side by side.
    unsafe {
        match run {
            Some(run) if single => {
                let columns = whole.start * COLUMNS..whole.end * COLUMNS;
                single::add_single(a, run, output.0.part(row, columns.start, columns.len()));
            }
            Some(run) => {
                kernel::multiply_run(words, &left, run, &block(output, (row, rows), whole.start, true));
            }
            None => {}
        }
        for index in if run.is_some() { whole.end..panels.end } else { panels } {
            let block = block(output, (row, rows), index, true);
            let panel = b.panel(index, 0..words, scratch);
            kernel::multiply(b.format(), words, &left, &panel, &block);
        }
    }
}

/// A piece's product with a panel, which lies ready.
pub(super) fn then<'a>(piece: &Piece<'a>, index: usize) -> kernel::Then<'a> {
    let (steps, Piece { rows, a, b, .. }) = (piece.words(), *piece);
    let Some(right) = ready(b, index, &(0..steps)) else {
        unreachable!("the first panel of a factor lies ready")
    };
    kernel::Then { steps, left: LeftPart::packed(b.format(), a, rows), right }
}

/// What pieces have for a panel that is multiplied later: for those that join it, the next one; each factor once, though each of its tiles
/// has a piece.
pub(super) fn later<'a>(
    pieces: &'a [Piece<'a>],
    index: usize,
    joining: bool,
    panels: &Range<usize>,
) -> impl Iterator<Item = &'a [u32]> {
    let index = index + usize::from(joining);
    let pieces = if panels.contains(&index) { pieces } else { &[] };
    let mut before = None;
    let ready = pieces.iter().filter_map(move |piece| piece.b.ready(index));
    ready.filter(move |words| before.replace(words.as_ptr()) != Some(words.as_ptr()))
}
