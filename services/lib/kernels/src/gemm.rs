//! Matrix products in words: what is multiplied lies in 32-bit words, each one f32 or a pair of bf16 that follow each other along
//! the sum, so that one layout and one loop serve both formats.
//!
//! The right factor lies in panels of [`COLUMNS`] columns, `[word][column]`; the left one in tiles of up to [`ROWS`] rows,
//! `[word][row]`. A tile times a panel is summed in registers, in order along the words, one lane per result. So a row of the
//! product is the same bits whatever the other rows, the number of threads and the blocks are.

mod kernel;
mod panels;
mod tiles;

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use crate::cpu::Scatter;
use kernel::{LeftPart, RightPart};
pub(crate) use panels::{Packed, Rows, Turned};
pub(crate) use tiles::{Left, Tiles, Unpacked};

/// Columns of a panel: two registers of 16.
pub(crate) const COLUMNS: usize = 32;
/// Rows of a tile: with two registers each they leave room for a panel's line and a row's number.
pub(crate) const ROWS: usize = 12;
/// Words along the sum in one pass: their part of a panel, 64 KiB, stays in the second-level cache while the tiles go by.
const DEPTH: usize = 512;
/// Products below which other threads are not worth waking.
const PARALLEL_FROM: usize = 96 * 1024;

/// What a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One f32.
    F32,
    /// Two bf16, the earlier one in the low half; products are exact and sums f32.
    Bf16,
}

impl Format {
    /// Numbers in a word.
    pub(crate) fn step(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
        }
    }

    /// Words for so many numbers; the last one may be half full.
    pub(crate) fn words(self, numbers: usize) -> usize {
        numbers.div_ceil(self.step())
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

/// A cache line of words, so that panels start where a register's load does.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; 16]);

/// Lines of a panel per word.
pub(crate) const LINES: usize = COLUMNS / 16;

/// The right factor of a product.
pub(crate) trait Panels: Sync {
    /// What its words hold.
    fn format(&self) -> Format;

    /// Numbers along the sum, and columns.
    fn size(&self) -> (usize, usize);

    /// Words `range` of panel `index`; where words are pairs, zeros stand after the last number. May be made in `scratch`.
    fn panel<'a>(&'a self, index: usize, range: Range<usize>, scratch: &'a mut Vec<Line>) -> RightPart<'a>;
}

/// The left factor of a product.
pub(crate) trait Leftward: Sync {
    /// What its words hold.
    fn format(&self) -> Format;
    fn rows(&self) -> usize;
    /// Numbers along the sum.
    fn depth(&self) -> usize;
    /// Words `range` of the rows of a tile.
    fn tile(&self, index: usize, range: Range<usize>) -> LeftPart<'_>;
}

impl<'a> RightPart<'a> {
    /// A packed panel.
    fn of(lines: &'a [Line]) -> Self {
        // SAFETY: a line is 16 words and nothing else, so a slice of lines is a slice of 16 times as many words.
        let words = unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 16) };
        Self { words, step: COLUMNS }
    }
}

/// f32 numbers as the words that they are.
fn words_of(numbers: &[f32]) -> &[u32] {
    // SAFETY: both types have 4 bytes, the same alignment and no invalid bit patterns.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
}

/// What happens to the numbers already in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// They are overwritten.
    Set,
    /// The sums go on from them.
    Add,
}

thread_local! {
    /// A panel made for the occasion, kept so that its memory is not asked for again.
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// `c [rows, columns] (+)= a [rows, depth] b [depth, columns]`.
pub(crate) fn product(c: &mut [f32], write: Write, a: &dyn Leftward, b: &dyn Panels) {
    let (depth, columns) = b.size();
    assert!(a.format() == b.format() && a.depth() == depth, "factors do not fit each other");
    assert!(c.len() >= a.rows() * columns, "matrix product writes past its output");
    if a.rows() == 0 || columns == 0 {
        return;
    }
    if depth == 0 {
        if write == Write::Set {
            c[..a.rows() * columns].fill(0.0);
        }
        return;
    }
    let c = Scatter::new(c, columns);
    let panels = columns.div_ceil(COLUMNS);
    let threads = rayon::current_num_threads();
    let job = Job { c: &c, write, a, b };
    if threads == 1 || a.rows() * columns * depth < PARALLEL_FROM {
        return job.run(0..panels, 0..a.rows().div_ceil(ROWS));
    }
    // Whole panels where there are enough of them, so that each is read by one thread; else their tiles are shared out too.
    let groups = if panels.is_multiple_of(threads) || panels >= 4 * threads {
        1
    } else {
        (2 * threads).div_ceil(panels).min(a.rows().div_ceil(ROWS))
    };
    let tiles_each = a.rows().div_ceil(ROWS).div_ceil(groups);
    if groups == 1 && panels.is_multiple_of(threads) {
        let each = panels / threads;
        (0..threads)
            .into_par_iter()
            .for_each(|t| job.run(t * each..(t + 1) * each, 0..a.rows().div_ceil(ROWS)));
        return;
    }
    (0..panels * groups).into_par_iter().for_each(|task| {
        let first = task % groups * tiles_each;
        job.run(task / groups..task / groups + 1, first..(first + tiles_each).min(a.rows().div_ceil(ROWS)));
    });
}

/// A product under way.
struct Job<'a> {
    c: &'a Scatter<'a>,
    write: Write,
    a: &'a dyn Leftward,
    b: &'a dyn Panels,
}

impl Job<'_> {
    /// Computes the given tiles of the given panels.
    fn run(&self, panels: Range<usize>, tiles: Range<usize>) {
        let (depth, columns) = self.b.size();
        let words = self.b.format().words(depth);
        let mut scratch = SCRATCH.take();
        for index in panels {
            let column = index * COLUMNS;
            let count = COLUMNS.min(columns - column);
            for first in (0..words).step_by(DEPTH) {
                let range = first..(first + DEPTH).min(words);
                let panel = self.b.panel(index, range.clone(), &mut scratch);
                let add = first > 0 || self.write == Write::Add;
                for tile in tiles.clone() {
                    let rows = ROWS.min(self.a.rows() - tile * ROWS);
                    // SAFETY: no two tasks share both a panel and a tile, so this block of the output is this task's alone.
                    let c = unsafe { self.c.block(tile * ROWS, rows, column, count) };
                    let block = kernel::Block { c, stride: columns, rows, count, add };
                    // SAFETY: the block of `rows` rows and `count` columns lies inside the output.
                    unsafe {
                        kernel::multiply(
                            self.b.format(),
                            range.len(),
                            self.a.tile(tile, range.clone()),
                            panel,
                            block,
                        );
                    };
                }
            }
        }
        SCRATCH.set(scratch);
    }
}

/// Multiplies one tile by one panel of so many words, both in the first-level cache, `times` times; gives the operations of one.
pub(crate) fn multiply_resident(format: Format, words: usize, times: usize) -> f64 {
    let (left, panel) = (vec![0_u32; ROWS * words], vec![Line::default(); LINES * words]);
    let (left, right) = (LeftPart { words: &left, row: 1, step: ROWS }, RightPart::of(&panel));
    let mut c = vec![0_f32; ROWS * COLUMNS];
    for _ in 0..times {
        let block =
            kernel::Block { c: c.as_mut_ptr(), stride: COLUMNS, rows: ROWS, count: COLUMNS, add: true };
        // SAFETY: the block has 12 rows of 32.
        unsafe { kernel::multiply(format, words, left, right, block) };
    }
    std::hint::black_box(&c);
    2.0 * (ROWS * COLUMNS * words * format.step()) as f64
}

#[cfg(test)]
mod tests;
