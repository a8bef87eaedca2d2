//! Tiles of bf16 pairs multiplied in tile registers: of 16 rows of 16 words each. One instruction multiplies up to 16 rows by 16 words
//! along the sum by 16 columns; within these words even and odd numbers are summed apart, from zero on, and then added to the sums.
//! Passes begin at multiples of 16 words, so that a sum is the same however it is cut.
//!
//! The compiler does not know these registers, and so never uses them: what one instruction leaves there, the next one finds.

use std::{arch::asm, cell::Cell};

use super::{Block, LeftPart, NEXT, RightPart};
use crate::gemm::{COLUMNS, ROWS};

/// Rows of a register, words in each of them, and columns.
const SIDE: usize = 16;
/// Bytes of a register's row.
const ROW_BYTES: usize = 64;

/// How many rows each register has, and bytes in each of them, as the processor reads it.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Config {
    /// Registers 0 and 1 hold sums of a whole tile, 4 its left factor; 2, 3 and 5 are the same for one of fewer rows; 6 and 7 hold the
    /// right factor.
    fn new(rows: usize) -> Self {
        let (mut bytes, mut each) = ([0; 16], [0; 16]);
        bytes[..8].fill(ROW_BYTES as u16);
        each[..8].copy_from_slice(&[ROWS, ROWS, rows, rows, ROWS, rows, SIDE, SIDE].map(|rows| rows as u8));
        Self { palette: 1, start: 0, reserved: [0; 14], bytes, rows: each }
    }
}

thread_local! {
    /// Rows of the tile with fewer rows that this thread's registers are configured for; 0 if they are not yet.
    static CONFIGURED: Cell<usize> = const { Cell::new(0) };
}

/// Configures this thread's registers, if they are not.
#[inline]
fn configure(rows: usize) {
    let now = CONFIGURED.get();
    if now == rows || (rows == ROWS && now > 0) {
        return;
    }
    let config = Config::new(rows);
    // SAFETY: `dispatch` has found the registers, and the configuration has the 64 bytes that are read.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, preserves_flags)) };
    CONFIGURED.set(rows);
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
    configure(block.rows);
    // SAFETY: the promises are passed on.
    unsafe {
        if block.count == COLUMNS || block.count == SIDE {
            return multiply(steps, left, right, block);
        }
        // The registers have whole rows, the output has not.
        let mut sums = [[0_f32; COLUMNS]; ROWS];
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

/// Whole registers of columns: the block has one or two of them.
unsafe fn multiply(steps: usize, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) {
    // SAFETY: the promises are passed on.
    unsafe {
        match (block.rows == ROWS, block.count > SIDE) {
            (true, true) => whole_wide(steps, left, right, block),
            (true, false) => whole_narrow(steps, left, right, block),
            (false, true) => part_wide(steps, left, right, block),
            (false, false) => part_narrow(steps, left, right, block),
        }
    }
}

/// Defines the loop for tiles in these registers: first and second sums, left factor, first and second right factor.
macro_rules! kernel {
    ($name:ident, $first:literal, $second:literal, $left:literal, wide: $wide:literal) => {
        unsafe fn $name(steps: usize, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) {
            let (row, line) = (left.row * size_of::<u32>(), right.step * size_of::<u32>());
            let stride = block.stride * size_of::<f32>();
            let (a, b) = (left.words.as_ptr(), right.words.as_ptr());
            let mut ahead = Ahead::new(right.next);
            // The last lines may end with the columns that are there.
            let columns = if $wide { COLUMNS } else { SIDE };
            let mut whole = steps - steps % SIDE;
            while whole > 0 && (whole - 1) * right.step + columns > right.words.len() {
                whole -= SIDE;
            }
            // SAFETY: `multiply` has asserted that the factors hold the block's rows and columns, and whole registers of them have just
            // been found; the caller promises the output.
            unsafe {
                if block.add {
                    load!($first, block.c, stride);
                    if $wide {
                        load!($second, block.c.add(SIDE), stride);
                    }
                } else {
                    zero!($first);
                    if $wide {
                        zero!($second);
                    }
                }
                for row in block.rows..block.rows + block.below {
                    ask_to_write!(block.c.wrapping_add(row * block.stride));
                    if $wide {
                        ask_to_write!(block.c.wrapping_add(row * block.stride + SIDE));
                    }
                }
                for word in (0..whole).step_by(SIDE) {
                    ahead.ask(SIDE);
                    load!($left, a.add(word), row);
                    load!("6", b.add(word * right.step), line);
                    add!($first, $left, "6");
                    if $wide {
                        load!("7", b.add(word * right.step + SIDE), line);
                        add!($second, $left, "7");
                    }
                }
                for word in (whole..steps).step_by(SIDE) {
                    ahead.ask(steps - word);
                    let tail = Tail::new(word..steps.min(word + SIDE), left, right, block);
                    load!($left, tail.left.as_ptr(), ROW_BYTES);
                    load!("6", tail.right.as_ptr(), 2 * ROW_BYTES);
                    add!($first, $left, "6");
                    if $wide {
                        load!("7", tail.right.as_ptr().cast::<u32>().add(SIDE), 2 * ROW_BYTES);
                        add!($second, $left, "7");
                    }
                }
                store!($first, block.c, stride);
                if $wide {
                    store!($second, block.c.add(SIDE), stride);
                }
            }
        }
    };
}

kernel!(whole_wide, "0", "1", "4", wide: true);
kernel!(whole_narrow, "0", "1", "4", wide: false);
kernel!(part_wide, "2", "3", "5", wide: true);
kernel!(part_narrow, "2", "3", "5", wide: false);

/// Words that don't fill registers, and zeros after them.
#[repr(C, align(64))]
struct Tail {
    left: [[u32; SIDE]; ROWS],
    right: [[u32; COLUMNS]; SIDE],
}

impl Tail {
    fn new(words: std::ops::Range<usize>, left: &LeftPart<'_>, right: &RightPart<'_>, block: &Block) -> Self {
        let mut tail = Self { left: [[0; SIDE]; ROWS], right: [[0; COLUMNS]; SIDE] };
        for (row, to) in tail.left.iter_mut().enumerate().take(block.rows) {
            to[..words.len()].copy_from_slice(&left.words[row * left.row..][words.clone()]);
        }
        for (word, to) in words.zip(&mut tail.right) {
            let from = &right.words[word * right.step..];
            let count = block.count.min(from.len());
            to[..count].copy_from_slice(&from[..count]);
        }
        tail
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

    /// Asks for what belongs to so many words along the sum.
    #[inline(always)]
    fn ask(&mut self, words: usize) {
        let mut left = words * NEXT;
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
