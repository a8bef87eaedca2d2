//! Matrix products in words: what is multiplied lies in 32-bit words, each one f32, or a pair of bf16 or four int8 that follow each
//! other along the sum, so that one layout and one loop serve all formats.
//!
//! The right factor lies in panels of [`COLUMNS`] columns, `[word][column]`; the left one in tiles of up to [`ROWS`] rows,
//! `[word][row]`, or row by row where tile registers take it ([`Order`]). A tile times a panel is summed in registers, in order along
//! the words, one lane per result. So a row of the product is the same bits whatever the other rows, the number of threads and the
//! blocks are.

mod int8;
mod kernel;
mod lows;
#[cfg(target_arch = "x86_64")]
mod pack;
mod panels;
mod rows;
mod sums;
mod tiles;
mod words;

use std::ops::Range;

use candle_core::{DType, Result, bail};

use crate::{Dispatch, dispatch::dispatch};

pub use int8::GROUP as INT8_GROUP;
pub(crate) use kernel::{LeftPart, MOST_LINES, Next, RightPart, ask_for, prefetch};
pub(crate) use lows::{Low, Lows, Part, low};
pub(crate) use panels::{Packed, Turned};
pub(crate) use rows::Rows;
use sums::STAYING;
pub(crate) use sums::{Piece, Sum, Term, Write, add_piece, product, products, sums};
pub(crate) use tiles::{Left, Tiles, Unpacked, flushes, pack_pairs, pair, round, turn_words};
pub(crate) use words::Words;

/// Columns of a panel: two registers of 16.
pub(crate) const COLUMNS: usize = 32;
/// Rows of a tile: with two registers each they leave room for a panel's line and a row's number.
pub(crate) const ROWS: usize = 12;
/// Rows of a tile for tile registers: two of them, which meet each line that is loaded.
const TALL_ROWS: usize = 32;
/// Whole tiles of either kind, which a sum of both kinds is taken through together.
const BAND_ROWS: usize = 96;
/// Words along the sum in one pass: their part of a panel, 64 KiB, stays in the second-level cache while the tiles go by.
const DEPTH: usize = 512;
/// The same at most for tile registers where all rows are one tile's: a panel is read once then, and nothing is gained by cutting it.
const TILE_DEPTH: usize = 1024;
/// Words along the sum that tile registers multiply at once: no pass ends within them.
const TILE_WORDS: usize = 16;

/// How the words of a left factor's tile lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `[word][row]`: a register's load has columns of the right factor, and meets one row's word after the other.
    ByWord,
    /// `[row][word]`: what a tile register loads.
    ByRow,
}

impl Order {
    /// That of tiles in this format, on the dispatch path in use.
    pub(crate) fn of(format: Format) -> Self {
        if format == Format::Bf16 && dispatch() == Dispatch::AmxBf16 { Self::ByRow } else { Self::ByWord }
    }

    /// Rows of a tile, at most.
    pub(crate) fn rows(self) -> usize {
        match self {
            Self::ByWord => ROWS,
            Self::ByRow => TALL_ROWS,
        }
    }
}

/// What a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One f32.
    F32,
    /// One f32 that f16 has: rounded to it, infinite above its largest number, and multiplied as f32.
    F16,
    /// Two bf16, the earlier one in the low half; products are exact and sums f32.
    Bf16,
    /// Four int8; each 64 numbers along the sum share a scale, and are led by the word that holds it. Sums of 64 products are
    /// whole numbers, so exact; sums of these f32. For answers alone: no gradient goes through it.
    Int8,
}

impl From<DType> for Format {
    /// In which numbers of this dtype are multiplied: bf16 as bf16, all others as f32.
    fn from(dtype: DType) -> Self {
        if dtype == DType::BF16 { Self::Bf16 } else { Self::F32 }
    }
}

impl Format {
    /// Numbers in a word.
    pub(crate) fn step(self) -> usize {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }

    /// Words for so many numbers; the last one may be half full.
    pub(crate) fn words(self, numbers: usize) -> usize {
        let heads = if self == Self::Int8 { numbers.div_ceil(int8::GROUP) } else { 0 };
        numbers.div_ceil(self.step()) + heads
    }

    /// Of so many words along the sum those in one pass of so many rows; none that belong together are parted.
    fn depth(self, words: usize, rows: usize) -> usize {
        match self {
            Self::Int8 => DEPTH - DEPTH % int8::GROUP_WORDS,
            _ if Order::of(self) == Order::ByRow => {
                let most = if rows > TALL_ROWS { STAYING } else { TILE_DEPTH };
                let passes = words.div_ceil(most).max(1);
                words.div_ceil(passes).next_multiple_of(TILE_WORDS).max(TILE_WORDS)
            }
            _ => DEPTH,
        }
    }

    /// The format itself, if gradients can be multiplied in it.
    pub(crate) fn of_gradients(self) -> Result<Self> {
        if self == Self::Int8 {
            bail!("int8 weights are for answers alone; load the model as f32 or bf16 to train");
        }
        Ok(self)
    }

    /// In which an adapter is multiplied beside a base of this format: its factors are few, and lose more as int8 than they save.
    #[must_use]
    pub fn of_adapters(self) -> Self {
        if self == Self::Int8 { Self::Bf16 } else { self }
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// Words of a cache line.
pub(crate) const LINE_WORDS: usize = 16;

/// A cache line of words, so that panels start where a register's load does.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; LINE_WORDS]);

/// Lines of a panel per word.
pub(crate) const LINES: usize = COLUMNS / LINE_WORDS;

/// The right factor of a product.
pub(crate) trait Panels: Sync {
    /// What its words hold.
    fn format(&self) -> Format;

    /// Numbers along the sum, and columns.
    fn size(&self) -> (usize, usize);

    /// Words `range` of panel `index`; where words hold several numbers, zeros stand after the last one. May be made in `scratch`.
    fn panel<'a>(&'a self, index: usize, range: Range<usize>, scratch: &'a mut Vec<Line>) -> RightPart<'a>;

    /// Whether the words of a panel lie far apart in a matrix too large for a core's cache, so that a row of it is better read across
    /// all panels than down one of them.
    fn apart(&self) -> bool {
        false
    }

    /// The words of a panel, where they lie ready in memory.
    fn ready(&self, index: usize) -> Option<&[u32]> {
        let _ = index;
        None
    }

    /// The words of panels that lie ready one after the other, each of them with all of its columns.
    fn run(&self, panels: Range<usize>) -> Option<&[u32]> {
        let _ = panels;
        None
    }
}

/// The left factor of a product.
pub(crate) trait Leftward: Sync {
    /// What its words hold.
    fn format(&self) -> Format;
    fn rows(&self) -> usize;
    /// Numbers along the sum.
    fn depth(&self) -> usize;
    /// Words `range` of some rows, all of them in one tile unless they lie row by row.
    fn tile(&self, row: usize, rows: usize, range: Range<usize>) -> LeftPart<'_>;
}

impl<'a> RightPart<'a> {
    /// A packed panel of so many lines for each word.
    fn of(lines: &'a [Line], lines_each: usize) -> Self {
        Self { words: words_of_lines(lines), step: LINE_WORDS * lines_each, next: Next::default() }
    }
}

/// Lines as the words that they are.
pub(crate) fn words_of_lines(lines: &[Line]) -> &[u32] {
    // SAFETY: a line is 16 words and nothing else, so a slice of lines is a slice of 16 times as many words.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE_WORDS) }
}

/// [`words_of_lines`], to be written.
fn words_mut(lines: &mut [Line]) -> &mut [u32] {
    // SAFETY: a line is 16 words and nothing else, so a slice of lines is a slice of 16 times as many words.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE_WORDS) }
}

/// f32 numbers as the words that they are.
pub(crate) fn words_of(numbers: &[f32]) -> &[u32] {
    // SAFETY: both types have 4 bytes, the same alignment and no invalid bit patterns.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
}

/// Words as the f32 numbers that they are.
pub(crate) fn numbers_of(words: &[u32]) -> &[f32] {
    // SAFETY: both types have 4 bytes, the same alignment and no invalid bit patterns.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

/// [`numbers_of`], to be written.
pub(crate) fn numbers_of_mut(words: &mut [u32]) -> &mut [f32] {
    // SAFETY: as above, and the borrow is exclusive.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}

/// `c [rows, columns] (+)= a [rows, steps] b [steps, columns]` for at most a tile's rows and a panel's columns of words, rows of `c`
/// lying `stride` apart.
pub(crate) fn multiply_tile(
    format: Format,
    (c, stride): (&mut [f32], usize),
    add: bool,
    (rows, count): (usize, usize),
    steps: usize,
    (left, right): (LeftPart<'_>, RightPart<'_>),
) {
    assert!(count <= stride && (rows - 1) * stride + count <= c.len(), "tile writes past its output");
    let to = kernel::Place { at: c.as_mut_ptr(), stride };
    let block = kernel::Block { from: add.then_some(to), to, rows, count, streams: false };
    // SAFETY: the block has been found inside the output.
    unsafe { kernel::multiply(format, steps, &left, &right, &block) };
}

/// Multiplies one tile by one panel of so many numbers along the sum, both in the first-level cache, `times` times; gives the
/// operations of one.
pub(crate) fn multiply_resident(format: Format, numbers: usize, times: usize) -> f64 {
    let words = format.words(numbers);
    let rows = Order::of(format).rows();
    let (left, panel) = (vec![0_u32; rows * words], vec![Line::default(); LINES * words]);
    let (left, right) = (LeftPart::packed(format, &left, rows), RightPart::of(&panel, LINES));
    let mut c = vec![0_f32; rows * COLUMNS];
    for _ in 0..times {
        let to = kernel::Place { at: c.as_mut_ptr(), stride: COLUMNS };
        let block = kernel::Block { from: Some(to), to, rows, count: COLUMNS, streams: false };
        // SAFETY: the block has so many rows of 32.
        unsafe { kernel::multiply(format, words, &left, &right, &block) };
    }
    std::hint::black_box(&c);
    2.0 * (rows * COLUMNS * numbers) as f64
}

#[cfg(test)]
mod tests;
