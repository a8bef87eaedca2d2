//! Matrix products in words: what is multiplied lies in 32-bit words, each one f32 or a pair of bf16 that follow each other along
//! the sum, so that one layout and one loop serve both formats.
//!
//! The right factor lies in panels of [`COLUMNS`] columns, `[word][column]`; the left one in tiles of up to [`ROWS`] rows,
//! `[word][row]`. A tile times a panel is summed in registers, in order along the words, one lane per result. So a row of the
//! product is the same bits whatever the other rows, the number of threads and the blocks are.

mod kernel;
#[cfg(target_arch = "x86_64")]
mod pack;
mod panels;
mod tiles;

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use crate::cpu::Scatter;
pub(crate) use kernel::{LeftPart, RightPart};
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

/// Lines as the words that they are.
fn words_mut(lines: &mut [Line]) -> &mut [u32] {
    // SAFETY: a line is 16 words and nothing else, so a slice of lines is a slice of 16 times as many words.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 16) }
}

/// f32 numbers as the words that they are.
pub(crate) fn words_of(numbers: &[f32]) -> &[u32] {
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

/// One of several products that are summed up.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) a: &'a dyn Leftward,
    pub(crate) b: &'a dyn Panels,
}

/// Parts of terms that a block of the output is summed over before the next one.
const STEPS: usize = 8;
/// Words of these parts together: their panels stay in the second-level cache while the tiles go by.
const PASS: usize = DEPTH + 64;

thread_local! {
    /// Panels made for the occasion, kept so that their memory is not asked for again.
    static SCRATCH: RefCell<[Vec<Line>; STEPS]> = RefCell::default();
}

/// `c [rows, columns] (+)= a [rows, depth] b [depth, columns]`.
pub(crate) fn product(c: &mut [f32], write: Write, a: &dyn Leftward, b: &dyn Panels) {
    let columns = b.size().1;
    let numbers = a.rows() * columns;
    assert!(c.len() >= numbers, "matrix product writes past its output");
    if write == Write::Set && b.size().0 == 0 {
        c[..numbers].fill(0.0);
    }
    run(&Scatter::new(c, columns), write, &[Term { a, b }]);
}

/// The sum of at least one product of the same size, [rows, columns], each block of it finished while it is in a cache.
pub(crate) fn products(terms: &[Term<'_>]) -> Vec<f32> {
    let (rows, columns) = (terms[0].a.rows(), terms[0].b.size().1);
    let numbers = rows * columns;
    if terms.iter().all(|term| term.b.size().0 == 0) {
        return vec![0.0; numbers];
    }
    let mut c = Vec::with_capacity(numbers);
    run(&Scatter::fresh(&mut c.spare_capacity_mut()[..numbers], columns), Write::Set, terms);
    // SAFETY: `run` has set each of these numbers, since a term has a depth.
    unsafe { c.set_len(numbers) };
    c
}

/// Sums terms up in order. Where none has a depth nothing is written.
fn run(c: &Scatter<'_>, write: Write, terms: &[Term<'_>]) {
    let (rows, columns) = (terms[0].a.rows(), terms[0].b.size().1);
    let mut work = 0;
    for Term { a, b } in terms {
        let fit = a.format() == b.format() && a.depth() == b.size().0;
        assert!(fit && a.rows() == rows && b.size().1 == columns, "factors do not fit each other");
        work += rows * columns * a.depth();
    }
    if work == 0 {
        return;
    }
    let (panels, tiles) = (columns.div_ceil(COLUMNS), rows.div_ceil(ROWS));
    let threads = rayon::current_num_threads();
    let job = Job { c, write, rows, columns, terms, passes: passes(terms) };
    if threads == 1 || work < PARALLEL_FROM {
        return job.run(0..panels, 0..tiles);
    }
    if panels.is_multiple_of(threads) {
        let each = panels / threads;
        (0..threads).into_par_iter().for_each(|t| job.run(t * each..(t + 1) * each, 0..tiles));
        return;
    }
    // Whole panels where there are enough of them, so that each is read by one thread; else their tiles are shared out too.
    let groups = if panels >= 4 * threads { 1 } else { (2 * threads).div_ceil(panels).min(tiles) };
    let tiles_each = tiles.div_ceil(groups);
    (0..panels * groups).into_par_iter().for_each(|task| {
        let first = task % groups * tiles_each;
        job.run(task / groups..task / groups + 1, first..(first + tiles_each).min(tiles));
    });
}

/// Words of a term.
#[derive(Clone, Debug)]
struct Step {
    term: usize,
    words: Range<usize>,
}

/// Cuts terms into steps, and gathers steps that are taken together.
fn passes(terms: &[Term<'_>]) -> Vec<Vec<Step>> {
    let (mut passes, mut pass, mut length) = (Vec::new(), Vec::new(), 0);
    for (term, Term { b, .. }) in terms.iter().enumerate() {
        let words = b.format().words(b.size().0);
        for first in (0..words).step_by(DEPTH) {
            let step = Step { term, words: first..(first + DEPTH).min(words) };
            if !pass.is_empty() && (length + step.words.len() > PASS || pass.len() == STEPS) {
                passes.push(std::mem::take(&mut pass));
                length = 0;
            }
            length += step.words.len();
            pass.push(step);
        }
    }
    passes.push(pass);
    passes
}

/// A sum of products under way.
struct Job<'a> {
    c: &'a Scatter<'a>,
    write: Write,
    rows: usize,
    columns: usize,
    terms: &'a [Term<'a>],
    passes: Vec<Vec<Step>>,
}

impl Job<'_> {
    /// Computes the given tiles of the given panels.
    fn run(&self, panels: Range<usize>, tiles: Range<usize>) {
        let mut scratch = SCRATCH.take();
        for index in panels {
            let column = index * COLUMNS;
            let count = COLUMNS.min(self.columns - column);
            for (number, pass) in self.passes.iter().enumerate() {
                let mut parts = [RightPart { words: &[], step: 0 }; STEPS];
                for ((part, step), scratch) in parts.iter_mut().zip(pass).zip(&mut scratch) {
                    *part = self.terms[step.term].b.panel(index, step.words.clone(), scratch);
                }
                for tile in tiles.clone() {
                    let rows = ROWS.min(self.rows - tile * ROWS);
                    // SAFETY: no two tasks share both a panel and a tile, so this block of the output is this task's alone.
                    let c = unsafe { self.c.block(tile * ROWS, rows, column, count) };
                    let mut add = number > 0 || self.write == Write::Add;
                    for (step, panel) in pass.iter().zip(&parts) {
                        let a = self.terms[step.term].a;
                        let part = a.tile(tile, step.words.clone());
                        let block = kernel::Block { c, stride: self.columns, rows, count, add };
                        // SAFETY: the block of `rows` rows and `count` columns lies inside the output, and is set where it is
                        // added to.
                        unsafe { kernel::multiply(a.format(), step.words.len(), &part, panel, &block) };
                        add = true;
                    }
                }
            }
        }
        SCRATCH.set(scratch);
    }
}

/// `c [rows, columns] (+)= a [rows, steps] b [steps, columns]` for at most a tile's rows and a panel's columns of f32, rows of `c`
/// lying `stride` apart.
pub(crate) fn multiply_tile(
    (c, stride): (&mut [f32], usize),
    add: bool,
    (rows, count): (usize, usize),
    steps: usize,
    (left, right): (LeftPart<'_>, RightPart<'_>),
) {
    assert!(count <= stride && (rows - 1) * stride + count <= c.len(), "tile writes past its output");
    let block = kernel::Block { c: c.as_mut_ptr(), stride, rows, count, add };
    // SAFETY: the block has been found inside the output.
    unsafe { kernel::multiply(Format::F32, steps, &left, &right, &block) };
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
        unsafe { kernel::multiply(format, words, &left, &right, &block) };
    }
    std::hint::black_box(&c);
    2.0 * (ROWS * COLUMNS * words * format.step()) as f64
}

#[cfg(test)]
mod tests;
