//! Tiles of bf16 pairs multiplied in tile registers: of 16 rows of 16 words each. One instruction multiplies up to 16 rows by 16 words
//! along the sum by 16 columns; within these words even and odd numbers are summed apart, from zero on, and then added to the sums.
//! Passes begin at multiples of 16 words, so that a sum is the same however it is cut.
//!
//! The compiler does not know these registers, and so never uses them: what one instruction leaves there, the next one finds.

use std::{arch::asm, cell::Cell, ops::Range};

use super::{Block, LeftPart, NEXT, RightPart};
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
        asm!(
            concat!("tileloadd tmm", $tile, ", [{} + {}]"),
            in(reg) $from,
            in(reg) $stride,
            options(nostack, preserves_flags, readonly),
        )
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

/// Asks for a line that will be written: tiles are multiplied sooner than the system's last cache gives their output's lines.
macro_rules! ask_to_write {
    ($line:expr) => {
        asm!("prefetchw [{}]", in(reg) $line, options(nostack, preserves_flags, readonly))
    };
}

/// Multiplies a tile whose words lie row by row.
///
/// # Safety
/// As for `multiply`, which has asserted its sizes; `dispatch` has found tile registers.
pub(super) unsafe fn pairs_by_rows(steps: usize, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) {
    assert!(left.step == 1, "a tile for tile registers lies row by row");
    let columns = block.count.next_multiple_of(SIDE);
    if (steps - 1) * right.step + columns > right.words.len() {
        // Registers have whole rows; the last line ends with the columns that are there.
        let mut words = vec![0; steps * columns];
        for (to, from) in words.chunks_exact_mut(columns).zip(right.words.chunks(right.step)) {
            to[..block.count].copy_from_slice(&from[..block.count]);
        }
        let whole = RightPart { words: &words, step: columns, ..*right };
        // SAFETY: the promises are passed on.
        return unsafe { pairs_by_rows(steps, left, &whole, block) };
    }
    // SAFETY: the promises are passed on; a block of whole rows has room for them.
    unsafe {
        if block.count == columns {
            return multiply(steps, left, right, block);
        }
        let mut sums = [[0_f32; COLUMNS]; TALL_ROWS];
        let whole = Block { c: sums.as_mut_ptr().cast(), stride: COLUMNS, ..*block };
        if block.add {
            for (row, sums) in sums.iter_mut().enumerate().take(block.rows) {
                let from = block.c.add(row * block.stride);
                sums.as_mut_ptr().copy_from_nonoverlapping(from, block.count);
            }
        }
        multiply(steps, left, right, &whole);
        for (row, sums) in sums.iter().enumerate().take(block.rows) {
            let to = block.c.add(row * block.stride);
            to.copy_from_nonoverlapping(sums.as_ptr(), block.count);
        }
    }
}

/// Multiplies what fills registers along the sum, and then what is left.
unsafe fn multiply(steps: usize, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) {
    let mut ahead = Ahead::new(right.next);
    let whole = steps - steps % SIDE;
    // SAFETY: the promises are passed on.
    unsafe {
        if whole > 0 {
            configure(Shape { rows: block.rows, words: SIDE });
            multiply_words(0..whole, left, right, block, &mut ahead);
        }
        if whole < steps {
            configure(Shape { rows: block.rows, words: steps - whole });
            let block = Block { add: block.add || whole > 0, ..*block };
            multiply_words(whole..steps, left, right, &block, &mut ahead);
        }
    }
}

/// One or two registers of rows and of columns.
unsafe fn multiply_words(
    words: Range<usize>,
    left: &LeftPart<'_>,
    right: &RightPart<'_>,
    block: &Block,
    ahead: &mut Ahead<'_>,
) {
    // SAFETY: the promises are passed on.
    unsafe {
        match (block.rows > SIDE, block.count > SIDE) {
            (true, true) => registers::<true, true>(words, left, right, block, ahead),
            (true, false) => registers::<true, false>(words, left, right, block, ahead),
            (false, true) => registers::<false, true>(words, left, right, block, ahead),
            (false, false) => registers::<false, false>(words, left, right, block, ahead),
        }
    }
}

/// The loop along the sum, with two registers of rows if `TALL` and two of columns if `WIDE`.
unsafe fn registers<const TALL: bool, const WIDE: bool>(
    words: Range<usize>,
    left: &LeftPart<'_>,
    right: &RightPart<'_>,
    block: &Block,
    ahead: &mut Ahead<'_>,
) {
    let (row, line) = (left.row * size_of::<u32>(), right.step * size_of::<u32>());
    let stride = block.stride * size_of::<f32>();
    let (a, b) = (left.words.as_ptr(), right.words.as_ptr());
    // The rows after the first ones, where there are any.
    let (c, lower) = (block.c, block.c.wrapping_add(SIDE * block.stride));
    // SAFETY: `multiply` has asserted that the factors hold the block's rows and columns, and `pairs_by_rows` that they hold whole
    // registers of columns; the caller promises the output. What is asked for may lie anywhere.
    unsafe {
        if block.add {
            load!("0", c, stride);
            if WIDE {
                load!("1", c.add(SIDE), stride);
            }
            if TALL {
                load!("2", lower, stride);
            }
            if TALL && WIDE {
                load!("3", lower.add(SIDE), stride);
            }
        } else {
            zero!("0");
            zero!("1");
            if TALL {
                zero!("2");
                zero!("3");
            }
        }
        for row in block.rows..block.rows + block.below {
            ask_to_write!(c.wrapping_add(row * block.stride));
            if WIDE {
                ask_to_write!(c.wrapping_add(row * block.stride + SIDE));
            }
        }
        for word in words.step_by(SIDE) {
            ahead.ask();
            load!("4", a.add(word), row);
            load!("6", b.add(word * right.step), line);
            add!("0", "4", "6");
            if TALL {
                load!("5", a.add(SIDE * left.row + word), row);
                add!("2", "5", "6");
            }
            if WIDE {
                load!("7", b.add(word * right.step + SIDE), line);
                add!("1", "4", "7");
            }
            if TALL && WIDE {
                add!("3", "5", "7");
            }
        }
        store!("0", c, stride);
        if WIDE {
            store!("1", c.add(SIDE), stride);
        }
        if TALL {
            store!("2", lower, stride);
        }
        if TALL && WIDE {
            store!("3", lower.add(SIDE), stride);
        }
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
                let right = RightPart { words, step: COLUMNS, next: &[] };
                let block = Block { c: block.c.add(index * COLUMNS), ..*block };
                multiply(steps, left, &right, &block);
            }
            return;
        }
        configure(Shape { rows: block.rows, words: steps });
        let (row, stride) = (left.row * size_of::<u32>(), block.stride * size_of::<f32>());
        // The left factor stays in its register.
        load!("4", left.words.as_ptr(), row);
        for (index, words) in panels {
            let c = block.c.add(index * COLUMNS);
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

/// Lines that memory is asked for.
struct Ahead<'a> {
    later: std::slice::Iter<'a, &'a [u32]>,
    now: &'a [u32],
}

impl<'a> Ahead<'a> {
    fn new(next: &'a [&'a [u32]]) -> Self {
        Self { later: next.iter(), now: &[] }
    }

    /// Asks for what belongs to the words of a register.
    #[inline(always)]
    fn ask(&mut self) {
        let mut left = SIDE * NEXT;
        while left > 0 {
            if self.now.is_empty() {
                let Some(next) = self.later.next() else { return };
                self.now = next;
            }
            let (now, later) = self.now.split_at(left.min(self.now.len()));
            super::prefetch(now);
            (self.now, left) = (later, left - now.len());
        }
    }
}
