//! The innermost loop: a tile of rows times a panel of columns, summed in registers, for each format and instruction set.

use super::{COLUMNS, Format, LINE_WORDS, Line, Order, ROWS, TALL_ROWS};
use crate::{
    Dispatch,
    simd::{dispatch, madd},
};

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod int8;
pub(super) mod single;

/// Where rows of sums lie.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first number.
    pub(super) at: *mut f32,
    /// Numbers from one row to the next.
    pub(super) stride: usize,
}

impl Place {
    /// From a row and column of it on.
    #[inline(always)]
    pub(super) fn inside(self, row: usize, column: usize) -> Self {
        Self { at: self.at.wrapping_add(row * self.stride + column), ..self }
    }
}

/// Where a tile's sums come from and go to.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// What the sums go on from; from zero, if nothing.
    pub(super) from: Option<Place>,
    pub(super) to: Place,
    /// Rows, from 1 to a tile's.
    pub(super) rows: usize,
    /// Columns that are there; at most a panel's.
    pub(super) count: usize,
    /// Whether whole lines go past the caches to where they go, which the sums do not come from. [`streamed`] is to be called before
    /// anybody reads them.
    pub(super) streams: bool,
}

impl Block {
    /// Whether its rows are a panel's and cache lines of their own.
    #[inline(always)]
    fn whole_lines(&self) -> bool {
        let lines = self.to.at.cast::<Line>().is_aligned() && self.to.stride.is_multiple_of(LINE_WORDS);
        lines && self.count == COLUMNS
    }
}

/// Tiles of one size that are multiplied one after the other: by how much each of them is further on than the one before, and what else
/// is known of them.
#[derive(Clone, Copy)]
pub(super) struct Tiles<'a> {
    pub(super) count: usize,
    /// Words, in the left factor.
    pub(super) left: usize,
    /// Words, in the right factor.
    pub(super) right: usize,
    /// Numbers, where sums come from.
    pub(super) from: usize,
    /// Numbers, where sums go to.
    pub(super) to: usize,
    pub(super) passing: Passing,
    /// What is read later: memory is asked for it, evenly over all tiles.
    pub(super) ahead: &'a [&'a [u32]],
}

impl Tiles<'_> {
    pub(super) const ONE: Self =
        Self { count: 1, left: 0, right: 0, from: 0, to: 0, passing: Passing::Neither, ahead: &[] };

    /// One of them.
    fn one<'b>(
        &self,
        index: usize,
        left: &LeftPart<'b>,
        right: &RightPart<'b>,
        block: &Block,
    ) -> (LeftPart<'b>, RightPart<'b>, Block) {
        let further = |place: Place, by: usize| Place { at: place.at.wrapping_add(index * by), ..place };
        let from = block.from.map(|from| further(from, self.from));
        (
            LeftPart { words: &left.words[index * self.left..], ..*left },
            RightPart { words: &right.words[index * self.right..], ..*right },
            Block { from, to: further(block.to, self.to), ..*block },
        )
    }
}

/// Which factor of a product is not read again before the first-level cache has forgotten it, and so need not be kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    Left,
    Right,
    Neither,
}

/// The part of the left factor that a tile needs: the word of row `r` and step `w` lies at `r * row + w * step`.
#[derive(Clone, Copy)]
pub(crate) struct LeftPart<'a> {
    pub(crate) words: &'a [u32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

impl<'a> LeftPart<'a> {
    /// A tile of so many rows that is nothing but its words.
    pub(crate) fn packed(format: Format, words: &'a [u32], rows: usize) -> Self {
        match Order::of(format) {
            Order::ByWord => Self { words, row: 1, step: rows },
            Order::ByRow => Self { words, row: words.len() / rows, step: 1 },
        }
    }
}

/// The part of the right factor that a panel has: the words of step `w` begin at `w * step`.
#[derive(Clone, Copy, Default)]
pub(crate) struct RightPart<'a> {
    pub(crate) words: &'a [u32],
    pub(crate) step: usize,
    pub(crate) next: Next<'a>,
}

/// What will be read next: memory is asked for some lines of it at each step, so that it brings them meanwhile. Only where the left factor
/// is packed, or lies row by row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Next<'a> {
    pub(crate) parts: &'a [&'a [u32]],
    /// Lines that a step asks for, at most [`MOST_LINES`]: memory is fastest when it is asked evenly.
    pub(crate) lines: usize,
}

/// Lines of what is read next that a step asks for at most.
pub(crate) const MOST_LINES: usize = 2;

/// Multiplies `steps` words along the sum of a tile by those of a panel.
///
/// # Safety
/// `rows` rows of `count` numbers can be read where the block's sums come from, and written where they go to.
pub(super) unsafe fn multiply(
    format: Format,
    steps: usize,
    left: &LeftPart<'_>,
    right: &RightPart<'_>,
    block: &Block,
) {
    if steps == 0 {
        return;
    }
    let most = Order::of(format).rows();
    assert!((1..=most).contains(&block.rows) && (1..=COLUMNS).contains(&block.count));
    assert!(
        (block.rows - 1) * left.row + (steps - 1) * left.step < left.words.len(),
        "tile read past its end"
    );
    assert!((steps - 1) * right.step + block.count <= right.words.len(), "panel read past its end");
    #[cfg(target_arch = "x86_64")]
    {
        let packed = left.row == 1 && left.step == block.rows;
        let lines = if packed && !right.next.parts.is_empty() { right.next.lines } else { 0 };
        // SAFETY: the factors hold what is read by the assertions above, the block by the caller's promise, and `dispatch` gives
        // only paths whose instructions the processor has.
        unsafe {
            match (format, crate::dispatch::dispatch(), packed) {
                (Format::Bf16, Dispatch::AmxBf16, _) => {
                    let tiles = Tiles { ahead: right.next.parts, ..Tiles::ONE };
                    return amx::pairs_by_rows(steps, (left, right), block, &tiles);
                }
                (Format::Bf16, Dispatch::Avx512Bf16, packed) => {
                    return avx512::pairs_by_rows((packed, lines), steps, left, right, block);
                }
                (Format::Bf16, Dispatch::Avx512, packed) => {
                    return avx512::widened_by_rows((packed, lines), steps, left, right, block);
                }
                (Format::F32 | Format::F16, path, packed) if path >= Dispatch::Avx512 => {
                    return avx512::numbers_by_rows((packed, lines), steps, left, right, block);
                }
                (Format::Int8, path, true) if path >= Dispatch::Avx512 && int8::vnni::available() => {
                    return int8::vnni::groups_by_rows(steps, left, right, block);
                }
                _ => {}
            }
        }
    }
    plain(format, steps, left, right, block);
}

/// [`multiply`] for tiles one after the other; the parts of the factors hold what all of them read.
///
/// # Safety
/// As for [`multiply`], for each of the tiles.
pub(super) unsafe fn multiply_tiles(
    format: Format,
    steps: usize,
    (left, right): (&LeftPart<'_>, &RightPart<'_>),
    block: &Block,
    tiles: &Tiles<'_>,
) {
    if steps == 0 || tiles.count == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if format == Format::Bf16 && Order::of(format) == Order::ByRow {
        assert!((1..=TALL_ROWS).contains(&block.rows) && (1..=COLUMNS).contains(&block.count));
        let last = tiles.count - 1;
        let left_end = last * tiles.left + (block.rows - 1) * left.row + steps;
        let right_end = last * tiles.right + (steps - 1) * right.step + block.count;
        assert!(left_end <= left.words.len(), "tile read past its end");
        assert!(right_end <= right.words.len(), "panel read past its end");
        // SAFETY: the factors hold what is read by the assertions above, the blocks by the caller's promise.
        return unsafe { amx::pairs_by_rows(steps, (left, right), block, tiles) };
    }
    for index in 0..tiles.count {
        let (left, right, block) = tiles.one(index, left, right, block);
        // SAFETY: the caller's promise.
        unsafe { multiply(format, steps, &left, &right, &block) };
    }
}

/// Adds to tiles that lie side by side, the first of which is given, the products of one packed left factor with the panels of a run, in
/// tile registers.
///
/// # Safety
/// As for [`multiply`], for each of the tiles; the path in use has tile registers.
pub(super) unsafe fn multiply_run(steps: usize, left: &LeftPart<'_>, run: &[u32], block: &Block) {
    assert!((1..=ROWS).contains(&block.rows) && block.count == COLUMNS && block.from.is_some());
    assert!(left.words.len() == block.rows * steps, "a tile is more or less than its words");
    assert!(run.len().is_multiple_of(steps * COLUMNS), "a run of panels ends inside one");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the factors hold what is read by the assertions above, the blocks by the caller's promise.
    unsafe {
        amx::add_run(steps, left, run, block);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("tile registers belong to another architecture");
}

/// Waits until what this thread has written past the caches is where others see it.
pub(super) fn streamed() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: each x86-64 processor has the instruction, which touches no memory.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Asks for words that will be read soon, so that memory brings them while others are multiplied.
pub(crate) fn prefetch(words: &[u32]) {
    #[cfg(target_arch = "x86_64")]
    for line in words.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = words;
}

/// Asks for a value's cache lines, wherever it lies.
#[inline]
pub(crate) fn ask_for<T>(value: *const T) {
    #[cfg(target_arch = "x86_64")]
    for byte in (0..size_of::<T>()).step_by(64).chain(size_of::<T>().checked_sub(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(value.cast::<i8>().wrapping_add(byte)) };
    }
    let _ = value;
}

/// Asks for so many cache lines from a word on, wherever it lies.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch_lines<const LINES: usize>(word: *const u32) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    for line in 0..LINES {
        // SAFETY: a prefetch reads nothing, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(word.wrapping_add(16 * line).cast()) };
    }
}

/// Columns and rows whose sums fit 16 registers of 8.
const STRIP: (usize, usize) = (16, 6);

dispatch! {
    fn plain(format: Format, steps: usize, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) {
        let rows = block.rows;
        let mut sums = [[0_f32; COLUMNS]; ROWS];
        if let Some(from) = block.from {
            for (row, sums) in sums.iter_mut().enumerate().take(rows) {
                for (column, sum) in sums.iter_mut().enumerate().take(block.count) {
                    // SAFETY: `multiply`'s caller promises that rows of `count` numbers lie there.
                    *sum = unsafe { *from.inside(row, column).at };
                }
            }
        }
        for strip in 0..block.count.div_ceil(STRIP.0) {
            let mut row = 0;
            while row < rows {
                let count = STRIP.1.min(rows - row);
                let target = (&mut sums[row..row + count], strip);
                let left = LeftPart { words: &left.words[row * left.row..], ..*left };
                match count {
                    1 => strip_of::<FMA, 1>(format, steps, target, left, (*right, block.count)),
                    2 => strip_of::<FMA, 2>(format, steps, target, left, (*right, block.count)),
                    3 => strip_of::<FMA, 3>(format, steps, target, left, (*right, block.count)),
                    4 => strip_of::<FMA, 4>(format, steps, target, left, (*right, block.count)),
                    5 => strip_of::<FMA, 5>(format, steps, target, left, (*right, block.count)),
                    _ => strip_of::<FMA, 6>(format, steps, target, left, (*right, block.count)),
                }
                row += count;
            }
        }
        for (row, sums) in sums.iter().enumerate().take(rows) {
            for (column, sum) in sums.iter().enumerate().take(block.count) {
                // SAFETY: as above.
                unsafe { *block.to.inside(row, column).at = *sum };
            }
        }
    }
}

/// 16 columns of `M` rows.
#[inline(always)]
fn strip_of<const FMA: bool, const M: usize>(
    format: Format,
    steps: usize,
    (target, strip): (&mut [[f32; COLUMNS]], usize),
    left: LeftPart<'_>,
    (right, count): (RightPart<'_>, usize),
) {
    let mut sums = [[0_f32; STRIP.0]; M];
    for (sums, target) in sums.iter_mut().zip(target.iter()) {
        sums.copy_from_slice(&target[strip * STRIP.0..][..STRIP.0]);
    }
    let width = STRIP.0.min(count - strip * STRIP.0);
    let strip_line = |w: usize| {
        let words = &right.words[w * right.step + strip * STRIP.0..];
        let mut line = [0_u32; STRIP.0];
        if width == STRIP.0 {
            line.copy_from_slice(&words[..STRIP.0]);
        } else {
            line[..width].copy_from_slice(&words[..width]);
        }
        line
    };
    match format {
        Format::F32 | Format::F16 => {
            for w in 0..steps {
                let line = strip_line(w);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = f32::from_bits(left.words[r * left.row + w * left.step]);
                    for j in 0..STRIP.0 {
                        sums[j] = madd::<FMA>(a, f32::from_bits(line[j]), sums[j]);
                    }
                }
            }
        }
        Format::Bf16 => {
            for w in 0..steps {
                let line = strip_line(w);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let pair = left.words[r * left.row + w * left.step];
                    let (low, high) = (f32::from_bits(pair << 16), f32::from_bits(pair & 0xFFFF_0000));
                    for j in 0..STRIP.0 {
                        let sum = madd::<FMA>(low, f32::from_bits(line[j] << 16), sums[j]);
                        sums[j] = madd::<FMA>(high, f32::from_bits(line[j] & 0xFFFF_0000), sum);
                    }
                }
            }
        }
        Format::Int8 => int8::add_groups(&mut sums, steps, left, strip_line),
    }
    for (sums, target) in sums.iter().zip(target.iter_mut()) {
        target[strip * STRIP.0..][..STRIP.0].copy_from_slice(sums);
    }
}
