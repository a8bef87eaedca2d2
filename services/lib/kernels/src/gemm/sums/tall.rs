//! The ways of tile registers through a block of a sum. They multiply 32 rows by 32 columns in the time in which the second-level cache
//! gives one of the two factors, not both: so one stays in the first-level cache while the other passes.

use std::{cell::Cell, ops::Range};

use super::{BLOCK_ROWS, Job, SCRATCH, Step, Term, Write, after, part_of, ready};
use crate::gemm::{
    COLUMNS, LINES, LeftPart, Line, Order, ROWS, RightPart, TALL_ROWS,
    kernel::{self, Next},
};

/// Words along the sum of a tile's rows, or of a panel, that stay in the first-level cache: 36 KiB.
pub(crate) const STAYING: usize = 288;
/// Bytes of rows that stay in the second-level cache while all panels meet them.
const LEFT_PART_BYTES: usize = 1 << 20;
/// Bytes of panels that stay in the second-level cache while all rows meet them.
const PANEL_BYTES: usize = 1 << 20;

/// Bytes above which an output would displace the factors in a core's cache: it is written past them, and memory is not first read for
/// it.
const STREAMED_BYTES: usize = 2 << 20;

/// What of a block is multiplied after what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// All panels in one pass along the sum, then in the next one.
    Passes,
    /// A panel in all passes, then the next one: its part stays in the first-level cache while the rows pass. Sums wait in a buffer of the
    /// thread for the next pass, because rows of an output may lie where they displace each other.
    Panels,
    /// Some rows by all panels, then the next ones: they stay in the first-level cache while the panels pass.
    Rows,
}

impl Walk {
    pub(super) fn of(terms: &[Term<'_>], passes: &[Vec<Step>]) -> Self {
        let tall = terms.iter().any(|term| Order::of(term.b.format()) == Order::ByRow);
        match (passes, terms) {
            _ if !tall || terms.iter().any(Term::sweeps) => Self::Passes,
            ([pass], [term])
                if pass.len() == 1 && pass[0].words.len() <= STAYING && term.b.ready(0).is_some() =>
            {
                Self::Rows
            }
            _ => Self::Panels,
        }
    }
}

thread_local! {
    /// Sums of a panel's columns that wait for the next pass.
    static SUMS: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// A step, and the rows of its left factor that a block has, where they lie row by row: asked of each tile while it is multiplied, the
/// answer would wait in memory until all sums before it are written.
struct Rows<'a> {
    step: &'a Step,
    left: Option<LeftPart<'a>>,
}

impl Job<'_> {
    /// [`Walk::Panels`].
    pub(super) fn run_panels(&self, panels: Range<usize>, rows: Range<usize>) {
        let (mut scratch, mut sums, streams) = (SCRATCH.take(), SUMS.take(), self.streams());
        sums.resize(rows.len() * LINES, Line::default());
        let buffer = kernel::Place { at: sums.as_mut_ptr().cast(), stride: COLUMNS };
        let steps: Vec<Rows<'_>> =
            self.passes.iter().flatten().map(|step| self.rows_of(step, &rows)).collect();
        for index in panels.clone() {
            for (number, part) in steps.iter().enumerate() {
                let b = self.terms[part.step.term].b;
                let panel = part_of(b, index, part.step.words.clone(), &mut scratch[0]);
                let last = number + 1 == steps.len();
                let next = if last { (0, after(index, &panels)) } else { (number + 1, index) };
                let next = self.part(steps[next.0].step, next.1);
                let output = self.block(rows.start, rows.len(), index, true);
                let from = match (number, self.write) {
                    (0, Write::Set) => None,
                    (0, Write::Add) => Some(output.to),
                    _ => Some(buffer),
                };
                let to = if last { output.to } else { buffer };
                let block = kernel::Block { from, to, streams: last && streams, ..output };
                let passing =
                    if index > panels.start { kernel::Passing::Left } else { kernel::Passing::Neither };
                let tiles = kernel::Tiles { passing, ahead: next.as_slice(), ..kernel::Tiles::ONE };
                self.column(part, &panel, &rows, &block, &tiles);
            }
        }
        if streams {
            kernel::streamed();
        }
        SCRATCH.set(scratch);
        SUMS.set(sums);
    }

    /// The tiles below each other that a panel makes of some rows: the block is all of them.
    fn column(
        &self,
        Rows { step, left }: &Rows<'_>,
        panel: &RightPart<'_>,
        rows: &Range<usize>,
        block: &kernel::Block,
        tiles: &kernel::Tiles<'_>,
    ) {
        let (a, steps) = (self.terms[step.term].a, step.words.len());
        let height = height(rows.len(), left.is_some());
        let tile = |row, rows| {
            let from = block.from.map(|from| from.inside(row, 0));
            kernel::Block { from, to: block.to.inside(row, 0), rows, streams: false, ..*block }
        };
        let Some(left) = left else {
            for row in (0..rows.len()).step_by(height) {
                let count = height.min(rows.len() - row);
                let left = a.tile(rows.start + row, count, step.words.clone());
                // SAFETY: the tile lies inside the block, which lies inside the output or a buffer of as many rows.
                unsafe { kernel::multiply(a.format(), steps, &left, panel, &tile(row, count)) };
            }
            return;
        };
        let (whole, rest) = (rows.len() / height, rows.len() % height);
        let from = block.from.map_or(0, |from| height * from.stride);
        let tiles = kernel::Tiles {
            count: whole,
            left: height * left.row,
            from,
            to: height * block.to.stride,
            ..*tiles
        };
        // SAFETY: as above.
        unsafe {
            let first = kernel::Block { streams: block.streams, ..tile(0, height) };
            kernel::multiply_tiles(a.format(), steps, (left, panel), &first, &tiles);
            if rest > 0 {
                let row = whole * height;
                let left = LeftPart { words: &left.words[row * left.row..], ..*left };
                kernel::multiply(a.format(), steps, &left, panel, &tile(row, rest));
            }
        }
    }

    /// [`Walk::Rows`].
    pub(super) fn run_rows(&self, panels: Range<usize>, rows: Range<usize>) {
        let Some(step) = self.passes.first().and_then(|pass| pass.first()) else { return };
        let Rows { left: Some(left), .. } = self.rows_of(step, &rows) else { return };
        let (a, b) = (self.terms[step.term].a, self.terms[step.term].b);
        let (words, whole) = (step.words.len(), self.columns / COLUMNS);
        let together = (PANEL_BYTES / (words * COLUMNS * size_of::<u32>())).max(1);
        let (height, streams) = (height(rows.len(), true), self.streams());
        let mut scratch = SCRATCH.take();
        for first in panels.clone().step_by(together) {
            let group = first..(first + together).min(panels.end);
            let side = group.start..group.end.min(whole);
            let run = if side.is_empty() { None } else { b.run(side.clone()) };
            for row in (0..rows.len()).step_by(height) {
                let count = height.min(rows.len() - row);
                let left = LeftPart { words: &left.words[row * left.row..], ..left };
                if let Some(run) = run {
                    let block = self.block(rows.start + row, count, side.start, self.write == Write::Add);
                    let block = kernel::Block { streams, ..block };
                    let right = RightPart { words: run, step: COLUMNS, next: Next::default() };
                    let ahead = [&run[(words * COLUMNS).min(run.len())..]];
                    let tiles = kernel::Tiles {
                        count: side.len(),
                        right: words * COLUMNS,
                        from: COLUMNS,
                        to: COLUMNS,
                        passing: if row == 0 { kernel::Passing::Neither } else { kernel::Passing::Right },
                        ahead: if row == 0 { &ahead } else { &[] },
                        ..kernel::Tiles::ONE
                    };
                    // SAFETY: the tiles lie side by side inside the output, and are set where they are added to.
                    unsafe { kernel::multiply_tiles(a.format(), words, (&left, &right), &block, &tiles) };
                }
                for index in if run.is_some() { side.end..group.end } else { group.clone() } {
                    let panel = part_of(b, index, step.words.clone(), &mut scratch[0]);
                    let block = self.block(rows.start + row, count, index, self.write == Write::Add);
                    // SAFETY: as above.
                    unsafe { kernel::multiply(a.format(), words, &left, &panel, &block) };
                }
            }
        }
        if streams {
            kernel::streamed();
        }
        SCRATCH.set(scratch);
    }

    /// Whether the output goes past the caches.
    pub(super) fn streams(&self) -> bool {
        let large = self.rows * self.columns * size_of::<f32>() > STREAMED_BYTES;
        large && self.write == Write::Set && self.pieces.is_empty()
    }

    fn rows_of<'a>(&'a self, step: &'a Step, rows: &Range<usize>) -> Rows<'a> {
        let a = self.terms[step.term].a;
        let by_row = Order::of(a.format()) == Order::ByRow && !rows.is_empty();
        Rows { step, left: by_row.then(|| a.tile(rows.start, rows.len(), step.words.clone())) }
    }

    /// The words of a panel that a step multiplies by, if the panel is there and they lie ready.
    fn part(&self, step: &Step, index: usize) -> Option<&[u32]> {
        if index >= self.panels() {
            return None;
        }
        Some(ready(self.terms[step.term].b, index, &step.words)?.words)
    }

    /// Bands that meet a panel before the next one: their rows stay in the second-level cache.
    pub(super) fn together(&self) -> usize {
        (LEFT_PART_BYTES / (self.band * self.words().max(1) * size_of::<u32>())).max(BLOCK_ROWS / self.band)
    }
}

/// Rows of a tile: as many as others have, because tile registers are configured for a height.
fn height(rows: usize, by_row: bool) -> usize {
    if by_row { rows.div_ceil(rows.div_ceil(TALL_ROWS).max(1)).max(1) } else { ROWS }
}
