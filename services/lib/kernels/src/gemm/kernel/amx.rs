//! Tiles of bf16 pairs multiplied in tile registers: of 16 rows of 16 words each. One instruction multiplies up to 16 rows by 16 words
//! along the sum by 16 columns; within these words even and odd numbers are summed apart, from zero on, and then added to the sums.
//! Passes begin at multiples of 16 words, so that a sum is the same however it is cut.
//!
//! The compiler does not know these registers, and so never uses them: what one instruction leaves there, the next one finds.

use std::{
    arch::{
        asm,
        x86_64::{_mm512_load_ps, _mm512_stream_ps},
    },
    cell::Cell,
    mem::MaybeUninit,
    ops::Range,
};

use super::{Block, LINE_WORDS, LeftPart, Next, Passing, Place, RightPart, Tiles};
use crate::gemm::{COLUMNS, TALL_ROWS, TILE_WORDS};

/// Words in a row of a register; it has as many rows, and columns.
const SIDE: usize = TILE_WORDS;
/// Bytes of a register's row.
const ROW_BYTES: usize = 64;
/// Bytes of a panel's line.
const LINE_BYTES: usize = COLUMNS * size_of::<u32>();

/// Words between what a run of panels is multiplied by and what it asks memory for meanwhile, and lines that it asks for with each panel:
/// the processor follows where it is shown the way, and is slowed down by more.
const RUN_AHEAD: usize = 1024;
const RUN_LINES: usize = 8;

/// How many rows each register has, and bytes in each of them, as the processor reads it.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// What registers are configured for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Rows of a tile.
    rows: usize,
    /// Words along the sum.
    words: usize,
}

impl From<Shape> for Config {
    /// Registers 0 and 1 hold sums of the first rows, 4 their left factor; 2, 3 and 5 are the same for those after the first 16; 6 and 7
    /// hold the right factor.
    fn from(Shape { rows, words }: Shape) -> Self {
        let mut config = Self { palette: 1, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        let (first, second, left) = (rows.min(SIDE), rows.saturating_sub(SIDE), words * size_of::<u32>());
        let registers = [
            (first, ROW_BYTES),
            (first, ROW_BYTES),
            (second, ROW_BYTES),
            (second, ROW_BYTES),
            (first, left),
            (second, left),
            (words, ROW_BYTES),
            (words, ROW_BYTES),
        ];
        // A register without rows has no bytes either.
        for (i, (rows, bytes)) in registers.into_iter().enumerate().filter(|(_, (rows, _))| *rows > 0) {
            (config.rows[i], config.bytes[i]) = (rows as u8, bytes as u16);
        }
        config
    }
}

thread_local! {
    /// What this thread's registers are configured for.
    static CONFIGURED: Cell<Option<Shape>> = const { Cell::new(None) };
}

/// Configures this thread's registers, if they are not; that takes longer than some products.
#[inline]
fn configure(shape: Shape) {
    if CONFIGURED.get() == Some(shape) {
        return;
    }
    let config = Config::from(shape);
    // SAFETY: `dispatch` has found the registers, and the configuration has the 64 bytes that are read.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags, readonly)) };
    CONFIGURED.set(Some(shape));
}

/// Loads register `$tile` from rows that lie so many bytes apart.
macro_rules! load {
    ($tile:literal, $from:expr, $stride:expr) => {
        load!("tileloadd", $tile, $from, $stride)
    };
    ($instruction:literal, $tile:literal, $from:expr, $stride:expr) => {
        asm!(
            concat!($instruction, " tmm", $tile, ", [{} + {}]"),
            in(reg) $from,
            in(reg) $stride,
            options(nostack, preserves_flags, readonly),
        )
    };
}

/// Loads part of a factor; one that passes leaves the first-level cache to the other.
macro_rules! load_factor {
    ($passes:expr, $tile:literal, $from:expr, $stride:expr) => {
        if $passes { load!("tileloaddt1", $tile, $from, $stride) } else { load!($tile, $from, $stride) }
    };
}

macro_rules! store {
    ($tile:literal, $to:expr, $stride:expr) => {
        asm!(
            concat!("tilestored [{} + {}], tmm", $tile),
            in(reg) $to,
            in(reg) $stride,
            options(nostack, preserves_flags),
        )
    };
}

macro_rules! zero {
    ($tile:literal) => {
        asm!(concat!("tilezero tmm", $tile), options(nostack, preserves_flags, nomem))
    };
}

/// Adds to the sums in `$sums` the product of two registers.
macro_rules! add {
    ($sums:literal, $left:literal, $right:literal) => {
        asm!(
            concat!("tdpbf16ps tmm", $sums, ", tmm", $left, ", tmm", $right),
            options(nostack, preserves_flags, nomem),
        )
    };
}

/// Multiplies tiles whose words lie row by row.
///
/// # Safety
/// As for `multiply_tiles`, which has asserted its sizes; `dispatch` has found tile registers.
pub(super) unsafe fn pairs_by_rows(
    steps: usize,
    (left, right): (&LeftPart<'_>, &RightPart<'_>),
    block: &Block,
    tiles: &Tiles<'_>,
) {
    assert!(left.step == 1, "a tile for tile registers lies row by row");
    // SAFETY: the promises are passed on; a block of whole rows has room for them.
    unsafe {
        if block.count.is_multiple_of(SIDE) {
            return multiply(steps, (left, right), block, tiles);
        }
        for index in 0..tiles.count {
            let (left, right, block) = tiles.one(index, left, right, block);
            narrow(steps, (&left, &right), &block);
        }
    }
}

/// Multiplies a tile whose columns do not fill registers.
unsafe fn narrow(steps: usize, (left, right): (&LeftPart<'_>, &RightPart<'_>), block: &Block) {
    let columns = block.count.next_multiple_of(SIDE);
    let (mut words, mut step) = (Vec::new(), right.step);
    if (steps - 1) * right.step + columns > right.words.len() {
        // Registers have whole rows; the last line ends with the columns that are there.
        (words, step) = (vec![0; steps * columns], columns);
        for (to, from) in words.chunks_exact_mut(columns).zip(right.words.chunks(right.step)) {
            to[..block.count].copy_from_slice(&from[..block.count]);
        }
    }
    let right = RightPart { words: if words.is_empty() { right.words } else { &words }, step, ..*right };
    let mut sums = [[0_f32; COLUMNS]; TALL_ROWS];
    let here = Place { at: sums.as_mut_ptr().cast(), stride: COLUMNS };
    // SAFETY: the promises are passed on; there is room for 32 rows of 32 numbers.
    unsafe {
        if let Some(from) = block.from {
            for row in 0..block.rows {
                here.inside(row, 0).at.copy_from_nonoverlapping(from.inside(row, 0).at, block.count);
            }
        }
        let whole =
            Block { from: block.from.and(Some(here)), to: here, count: columns, streams: false, ..*block };
        multiply(steps, (left, &right), &whole, &Tiles::ONE);
        for row in 0..block.rows {
            block.to.inside(row, 0).at.copy_from_nonoverlapping(here.inside(row, 0).at, block.count);
        }
    }
}

/// Multiplies what fills registers along the sum, and then what is left.
unsafe fn multiply(steps: usize, factors: (&LeftPart<'_>, &RightPart<'_>), block: &Block, tiles: &Tiles<'_>) {
    let whole = steps - steps % SIDE;
    // SAFETY: the promises are passed on.
    unsafe {
        if whole > 0 {
            configure(Shape { rows: block.rows, words: SIDE });
            // What is read again is not written past the caches.
            let block = Block { streams: block.streams && whole == steps, ..*block };
            multiply_words(0..whole, factors, &block, tiles);
        }
        if whole < steps {
            configure(Shape { rows: block.rows, words: steps - whole });
            if whole > 0 {
                let tiles = Tiles { from: tiles.to, ahead: &[], ..*tiles };
                let block = Block { from: Some(block.to), streams: false, ..*block };
                multiply_words(whole..steps, factors, &block, &tiles);
            } else {
                multiply_words(0..steps, factors, block, tiles);
            }
        }
    }
}

/// One or two registers of rows and of columns.
unsafe fn multiply_words(
    words: Range<usize>,
    factors: (&LeftPart<'_>, &RightPart<'_>),
    block: &Block,
    tiles: &Tiles<'_>,
) {
    // SAFETY: the promises are passed on.
    unsafe {
        let streams = block.streams && block.whole_lines();
        match (block.rows > SIDE, block.count > SIDE, tiles.passing) {
            (true, true, Passing::Left) if streams => {
                registers::<true, true, 1, true>(words, factors, block, tiles);
            }
            (true, true, Passing::Right) if streams => {
                registers::<true, true, 2, true>(words, factors, block, tiles);
            }
            (true, true, Passing::Neither) if streams => {
                registers::<true, true, 0, true>(words, factors, block, tiles);
            }
            (true, true, Passing::Neither) => registers::<true, true, 0, false>(words, factors, block, tiles),
            (true, true, Passing::Left) => registers::<true, true, 1, false>(words, factors, block, tiles),
            (true, true, Passing::Right) => registers::<true, true, 2, false>(words, factors, block, tiles),
            (true, false, _) => registers::<true, false, 0, false>(words, factors, block, tiles),
            (false, true, _) => registers::<false, true, 0, false>(words, factors, block, tiles),
            (false, false, _) => registers::<false, false, 0, false>(words, factors, block, tiles),
        }
    }
}

/// The loop along the sum of each tile, with two registers of rows if `TALL` and two of columns if `WIDE`; the left factor passes if
/// `PASSING` is 1, the right one if it is 2. A tile's sums are still on their way to the cache while the next tile is multiplied, as
/// long as nothing else is written in between. If `STREAMS`, they go through a buffer past the caches while the next tile is multiplied.
#[target_feature(enable = "avx512f")]
unsafe fn registers<const TALL: bool, const WIDE: bool, const PASSING: u8, const STREAMS: bool>(
    words: Range<usize>,
    (left, right): (&LeftPart<'_>, &RightPart<'_>),
    block: &Block,
    tiles: &Tiles<'_>,
) {
    let (row, line) = (left.row * size_of::<u32>(), right.step * size_of::<u32>());
    let passes = words.len().div_ceil(SIDE);
    let (mut a, mut b) = (
        left.words.as_ptr().wrapping_add(words.start),
        right.words.as_ptr().wrapping_add(words.start * right.step),
    );
    let (lower, across) = (SIDE * left.row, SIDE * right.step);
    let mut sums = MaybeUninit::<Sums>::uninit();
    let mut drain = Drain::new(sums.as_mut_ptr().cast(), block, passes);
    let (mut to, stride) = if STREAMS { (drain.sums, COLUMNS) } else { (block.to.at, block.to.stride) };
    let (stride, to_lower) = (stride * size_of::<f32>(), SIDE * stride);
    let from = block.from.unwrap_or(block.to);
    let (mut from, from_stride, from_lower) = (from.at, from.stride * size_of::<f32>(), SIDE * from.stride);
    let mut ahead = Ahead::new(tiles.ahead, passes * tiles.count);
    for index in 0..tiles.count {
        // SAFETY: `multiply_tiles` has asserted that the factors hold the rows and columns of all tiles, which fill registers; its caller
        // promises the sums. What is asked for may lie anywhere.
        unsafe {
            if block.from.is_some() {
                load!("0", from, from_stride);
                if WIDE {
                    load!("1", from.wrapping_add(SIDE), from_stride);
                }
                if TALL {
                    load!("2", from.wrapping_add(from_lower), from_stride);
                }
                if TALL && WIDE {
                    load!("3", from.wrapping_add(from_lower + SIDE), from_stride);
                }
            } else {
                zero!("0");
                zero!("1");
                if TALL {
                    zero!("2");
                    zero!("3");
                }
            }
            let (mut next_a, mut next_b) = (a, b);
            for _ in 0..passes {
                ahead.ask();
                if STREAMS {
                    drain.write(drain.each);
                }
                load_factor!(PASSING == 1, "4", next_a, row);
                load_factor!(PASSING == 2, "6", next_b, line);
                add!("0", "4", "6");
                if TALL {
                    load_factor!(PASSING == 1, "5", next_a.wrapping_add(lower), row);
                    add!("2", "5", "6");
                }
                if WIDE {
                    load_factor!(PASSING == 2, "7", next_b.wrapping_add(SIDE), line);
                    add!("1", "4", "7");
                }
                if TALL && WIDE {
                    add!("3", "5", "7");
                }
                (next_a, next_b) = (next_a.wrapping_add(SIDE), next_b.wrapping_add(across));
            }
            if STREAMS {
                drain.write(TALL_ROWS);
                drain.refill(block.to.at.wrapping_add(index * tiles.to), block.rows);
            }
            store!("0", to, stride);
            if WIDE {
                store!("1", to.wrapping_add(SIDE), stride);
            }
            if TALL {
                store!("2", to.wrapping_add(to_lower), stride);
            }
            if TALL && WIDE {
                store!("3", to.wrapping_add(to_lower + SIDE), stride);
            }
        }
        (a, b) = (a.wrapping_add(tiles.left), b.wrapping_add(tiles.right));
        from = from.wrapping_add(tiles.from);
        to = to.wrapping_add(if STREAMS { 0 } else { tiles.to });
    }
    if STREAMS {
        // SAFETY: as above.
        unsafe { drain.write(TALL_ROWS) };
    }
}

/// Sums of a tile on their way past the caches.
#[repr(C, align(64))]
struct Sums([[f32; COLUMNS]; TALL_ROWS]);

/// What of them is not yet written.
struct Drain {
    sums: *mut f32,
    next: *const f32,
    to: *mut f32,
    stride: usize,
    rows: usize,
    /// Rows to write with each pass along the next tile's sum.
    each: usize,
}

impl Drain {
    fn new(sums: *mut f32, block: &Block, passes: usize) -> Self {
        let each = block.rows.div_ceil(passes);
        Self { sums, next: sums, to: block.to.at, stride: block.to.stride, rows: 0, each }
    }

    /// Says that the sums hold rows which go there.
    fn refill(&mut self, to: *mut f32, rows: usize) {
        (self.next, self.to, self.rows) = (self.sums, to, rows);
    }

    /// Writes so many rows, or those that are left.
    ///
    /// # Safety
    /// As many rows as it was refilled with lie in the buffer, and have room where they go, in whole cache lines.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write(&mut self, rows: usize) {
        for _ in 0..rows.min(self.rows) {
            // SAFETY: the caller's promise.
            unsafe {
                let (first, second) = (_mm512_load_ps(self.next), _mm512_load_ps(self.next.add(SIDE)));
                _mm512_stream_ps(self.to, first);
                _mm512_stream_ps(self.to.add(SIDE), second);
            }
            (self.next, self.to) = (self.next.wrapping_add(COLUMNS), self.to.wrapping_add(self.stride));
        }
        self.rows -= rows.min(self.rows);
    }
}

/// Adds the products with a run of panels to tiles side by side.
///
/// # Safety
/// As for `multiply_run`.
pub(super) unsafe fn add_run(steps: usize, left: &LeftPart<'_>, run: &[u32], block: &Block) {
    let panels = run.chunks_exact(steps * COLUMNS).enumerate();
    // SAFETY: the promises are passed on.
    unsafe {
        if steps > SIDE {
            for (index, words) in panels {
                let right = RightPart { words, step: COLUMNS, next: Next::default() };
                let place = block.to.inside(0, index * COLUMNS);
                let block = Block { from: Some(place), to: place, ..*block };
                multiply(steps, (left, &right), &block, &Tiles::ONE);
            }
            return;
        }
        configure(Shape { rows: block.rows, words: steps });
        let (row, stride) = (left.row * size_of::<u32>(), block.to.stride * size_of::<f32>());
        // The left factor stays in its register.
        load!("4", left.words.as_ptr(), row);
        for (index, words) in panels {
            let c = block.to.at.add(index * COLUMNS);
            super::prefetch_lines::<RUN_LINES>(words.as_ptr().wrapping_add(RUN_AHEAD));
            load!("0", c, stride);
            load!("6", words.as_ptr(), LINE_BYTES);
            add!("0", "4", "6");
            load!("1", c.add(SIDE), stride);
            load!("7", words.as_ptr().add(SIDE), LINE_BYTES);
            add!("1", "4", "7");
            store!("0", c, stride);
            store!("1", c.add(SIDE), stride);
        }
    }
}

/// What memory is asked for.
struct Ahead<'a> {
    later: std::slice::Iter<'a, &'a [u32]>,
    now: &'a [u32],
    /// Words to ask for at a time.
    each: usize,
}

impl<'a> Ahead<'a> {
    fn new(parts: &'a [&'a [u32]], times: usize) -> Self {
        let words: usize = parts.iter().map(|part| part.len()).sum();
        Self { later: parts.iter(), now: &[], each: words.div_ceil(times).next_multiple_of(LINE_WORDS) }
    }

    /// Asks for an even part of it.
    #[inline(always)]
    fn ask(&mut self) {
        let mut left = self.each;
        while left > 0 {
            if self.now.is_empty() {
                let Some(next) = self.later.next() else {
                    self.each = 0;
                    return;
                };
                self.now = next;
            }
            let (now, later) = self.now.split_at(left.min(self.now.len()));
            super::prefetch(now);
            (self.now, left) = (later, left - now.len());
        }
    }
}
