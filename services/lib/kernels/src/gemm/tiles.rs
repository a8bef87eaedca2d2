//! The left factor: rows in tiles of words, rounded to their format once however many panels they meet.

mod pending;

use std::{mem::MaybeUninit, ops::Range};

use candle_core::{Result, Tensor};

#[cfg(target_arch = "x86_64")]
use super::pack;
use super::{Format, LINE_WORDS, LeftPart, Leftward, Order, ROWS, Words, int8, words_of};
use crate::{Dispatch, cpu::floats, dispatch::dispatch, simd::dispatch, team};
use pending::Pending;

/// Numbers below which packing stays on one thread.
const PARALLEL_FROM: usize = 64 * 1024;
/// Tiles of neighbouring columns that are packed together.
const COLUMN_TILES: usize = 8;
/// Pairs of rows gone through for one group of columns before the next: they stay in the first-level cache.
const COLUMN_PAIRS: usize = 8;

/// Rows of a matrix that is packed both ways gone through at a time: whole tiles, and pairs.
const ROWS_BOTH: usize = 2 * ROWS;
/// The same where a column's pairs follow each other: they fill a cache line.
const LINE_ROWS: usize = 32;

/// Words that several tasks set.
#[derive(Debug)]
pub(super) struct Target(*mut MaybeUninit<u32>);

// SAFETY: callers of `lines` promise that no two threads hold the same ones.
unsafe impl Sync for Target {}
// SAFETY: as above.
unsafe impl Send for Target {}

impl Target {
    pub(super) fn new(words: &mut [MaybeUninit<u32>]) -> Self {
        Self(words.as_mut_ptr())
    }

    /// Where a word lies.
    #[cfg(target_arch = "x86_64")]
    fn word(&self, index: usize) -> *mut u32 {
        self.0.wrapping_add(index).cast()
    }

    /// # Safety
    /// The lines lie inside what the pointer points to, and nobody else holds them.
    #[allow(clippy::mut_from_ref, reason = "that lines do not overlap is the caller's promise")]
    pub(super) unsafe fn lines(&self, first: usize, count: usize) -> &mut [MaybeUninit<u32>] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(first), count) }
    }
}

/// Where the numbers of a left factor lie: element (row, i) of [rows, depth].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left<'a> {
    /// At `row * depth + i`.
    Rows(&'a [f32]),
    /// At `i * rows + row`: a matrix used turned over.
    Columns(&'a [f32]),
}

/// A left factor [rows, depth] as tiles of [`ROWS`] rows, their words in the format's [`Order`]; the last tile has what is left, packed
/// as tightly. Each row has [`room`] for its words.
#[derive(Debug)]
pub(crate) struct Tiles {
    format: Format,
    rows: usize,
    depth: usize,
    words: Words,
    /// What is not packed before it is needed.
    pending: Option<Pending>,
}

impl Tiles {
    /// Packs a tensor [rows, depth] of f32 numbers; a large one for tile registers when its rows are first multiplied, by the thread that does
    /// that: they then lie in its cache.
    pub(crate) fn of(x: &Tensor, rows: usize, depth: usize, format: Format) -> Result<Self> {
        let width = room(format, depth);
        let by_row = format == Format::Bf16 && Order::of(format) == Order::ByRow;
        if !by_row || rows * width < PARALLEL_FROM {
            return Ok(Self::pack(Left::Rows(&floats(x)?), rows, depth, format, 1.0));
        }
        let mut words = Words::default();
        let pending = Some(Pending::new(x, (rows, depth), words.room(rows * width))?);
        Ok(Self { format, rows, depth, words, pending })
    }

    /// Packs `scale` times a matrix [rows, depth].
    pub(crate) fn pack(left: Left<'_>, rows: usize, depth: usize, format: Format, scale: f32) -> Self {
        let (Left::Rows(data) | Left::Columns(data)) = left;
        assert!(data.len() >= rows * depth, "a left factor is shorter than its size");
        let width = room(format, depth);
        let mut words = Words::default();
        let spare = words.room(rows * width);
        // Columns of several tiles together, since they lie side by side.
        let together = if matches!(left, Left::Columns(_)) { ROWS * COLUMN_TILES } else { ROWS };
        let part = |(index, part): (usize, &mut [MaybeUninit<u32>])| {
            let first = index * together;
            let source = Source { first, count: together.min(rows - first), rows, depth, scale };
            match (left, format) {
                (Left::Rows(data), Format::F32) => rows_f32(part, data, source),
                (Left::Rows(data), Format::F16) => rows_f16(part, data, source),
                (Left::Rows(data), Format::Bf16) => rows_bf16(part, data, source),
                (Left::Rows(data), Format::Int8) => int8::fill_rows(part, data, source),
                (Left::Columns(data), Format::F32) => columns_f32(part, data, source),
                (Left::Columns(data), Format::F16) => columns_f16(part, data, source),
                (Left::Columns(data), Format::Bf16) => columns_of_tiles(part, data, source),
                (Left::Columns(_), Format::Int8) => {
                    unreachable!("int8 has no gradients, and they alone have columns")
                }
            }
        };
        let size = (together * width).max(1);
        if spare.len() < PARALLEL_FROM {
            spare.chunks_mut(size).enumerate().for_each(part);
        } else {
            team::chunks_mut(spare, size, |index, words| part((index, words)));
        }
        // SAFETY: the parts cover all words, and each of the ways to fill one sets every word of every row.
        unsafe { words.set(rows * width) };
        Self { format, rows, depth, words, pending: None }
    }

    /// Packs a matrix [rows, columns] as bf16 both ways, as left factor [rows, columns] and as [columns, rows], reading it from memory
    /// once.
    pub(crate) fn pack_both(data: &[f32], rows: usize, columns: usize) -> (Self, Self) {
        assert!(data.len() >= rows * columns, "a left factor is shorter than its size");
        let format = Format::Bf16;
        let (across, along) = (room(format, columns), room(format, rows));
        let (mut by_row, mut by_column) = (Words::default(), Words::default());
        let target = Target::new(by_column.room(columns * along));
        let spare = by_row.room(rows * across);
        let together = if Order::of(format) == Order::ByRow { LINE_ROWS } else { ROWS_BOTH };
        team::chunks_mut(spare, (together * across).max(1), |index, part| {
            let start = index * together;
            let depth = together.min(rows - start);
            let pairs = format.words(depth);
            for (tile, words) in part.chunks_mut(ROWS * across).enumerate() {
                let (first, count) = (start + tile * ROWS, words.len() / across);
                rows_bf16(words, data, Source { first, count, rows, depth: columns, scale: 1.0 });
            }
            #[cfg(target_arch = "x86_64")]
            if Order::of(format) == Order::ByRow {
                let numbers = &data[start * columns..(start + depth) * columns];
                let from = (numbers.as_ptr(), columns);
                // SAFETY: each of `depth` rows has `columns` numbers; in the row of words of each column there is room for their pairs,
                // which no other task has.
                unsafe { pack::columns((target.word(start / 2), along), from, (columns, depth), 1.0) };
                let end = format.words(rows);
                for column in 0..if start + depth == rows { columns } else { 0 } {
                    // SAFETY: these words lie in the column's row, and no other task has its end.
                    unsafe { target.lines(column * along + end, along - end) }.fill(MaybeUninit::new(0));
                }
                return;
            }
            for first in (0..columns).step_by(ROWS) {
                let count = ROWS.min(columns - first);
                // SAFETY: these lines lie in the tile of these columns, and no other task has these rows.
                let lines = unsafe { target.lines(first * along + start / 2 * count, pairs * count) };
                let source = Source { first, count, rows: columns, depth: rows - start, scale: 1.0 };
                pair_rows(lines, count, &data[start * columns..], source);
            }
        });
        // SAFETY: each task has set all words of its rows, and of its pairs of rows in the tiles of all columns.
        unsafe {
            by_row.set(rows * across);
            by_column.set(columns * along);
        }
        let tiles = |rows, depth, words| Self { format, rows, depth, words, pending: None };
        (tiles(rows, columns, by_row), tiles(columns, rows, by_column))
    }
}

/// Words for which a row of so many numbers has room. Where it lies apart from others it takes whole cache lines, and an odd number of
/// them: rows a multiple of 4 KiB apart would have the same few places in the first-level cache.
fn room(format: Format, depth: usize) -> usize {
    match (format.words(depth), Order::of(format)) {
        (0, _) => 0,
        (words, Order::ByWord) => words,
        (words, Order::ByRow) => (words.div_ceil(LINE_WORDS) | 1) * LINE_WORDS,
    }
}

/// Packs [rows, depth] numbers into tiles of bf16 pairs, `[tile][word][row]`.
pub(crate) fn pack_pairs(to: &mut Vec<u32>, data: &[f32], (rows, depth): (usize, usize)) {
    let words = Format::Bf16.words(depth);
    to.clear();
    to.reserve(rows * words);
    let spare = &mut to.spare_capacity_mut()[..rows * words];
    for (tile, words) in spare.chunks_mut((ROWS * words).max(1)).enumerate() {
        let source =
            Source { first: tile * ROWS, count: ROWS.min(rows - tile * ROWS), rows, depth, scale: 1.0 };
        rows_bf16(words, data, source);
    }
    // SAFETY: each tile's words have been set.
    unsafe { to.set_len(rows * words) };
}

/// Turns rows of numbers into columns of pairs: word `w` of row `r` goes to `to[w * step + r]`. Does of `count` rows and of their words
/// what can be done several at a time, and says how many of either.
pub(crate) fn turn_words<'a>(
    to: &mut [u32],
    step: usize,
    count: usize,
    row: impl Fn(usize) -> &'a [f32],
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if pack::available() && count >= pack::ROWS {
        let (rows, words) = (count - count % pack::ROWS, row(0).len() / 2);
        assert!(rows <= step && to.len() + step >= words * step + rows, "columns end after their panel");
        let mut done = 0;
        for first in (0..rows).step_by(pack::ROWS) {
            let rows: [_; pack::ROWS] = std::array::from_fn(|i| row(first + i));
            assert!(rows.iter().all(|row| row.len() >= 2 * words), "rows are of one length");
            // SAFETY: each row has so many pairs, and there is a word for each of them.
            done = unsafe {
                pack::turn_rows(to[first..].as_mut_ptr(), step, rows.map(<[f32]>::as_ptr), words, 1.0)
            };
        }
        return (rows, done);
    }
    let _ = (to, step, count, row);
    (0, 0)
}

/// Packs `scale` times one tile of [rows, depth] numbers.
pub(super) fn pack_tile(
    tile: &mut [MaybeUninit<u32>],
    data: &[f32],
    (rows, depth): (usize, usize),
    format: Format,
    scale: f32,
) {
    let source = Source { first: 0, count: rows, rows, depth, scale };
    match format {
        Format::F32 => rows_f32(tile, data, source),
        Format::F16 => rows_f16(tile, data, source),
        Format::Bf16 => rows_bf16(tile, data, source),
        Format::Int8 => int8::fill_rows(tile, data, source),
    }
}

impl Leftward for Tiles {
    fn format(&self) -> Format {
        self.format
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn tile(&self, row: usize, rows: usize, range: Range<usize>) -> LeftPart<'_> {
        let width = room(self.format, self.depth);
        let part = |row, step| LeftPart { words: &[], row, step };
        let (start, left) = match Order::of(self.format) {
            Order::ByRow => (row * width + range.start, part(width, 1)),
            Order::ByWord => {
                let (first, inside) = (row - row % ROWS, row % ROWS);
                let step = ROWS.min(self.rows - first);
                assert!(inside + rows <= step, "rows reach into another tile");
                let start = first * width + range.start * step + inside;
                (start, part(1, step))
            }
        };
        let len =
            if range.is_empty() { 0 } else { (rows - 1) * left.row + (range.len() - 1) * left.step + 1 };
        let words = match &self.pending {
            None => &self.words[start..start + len],
            Some(pending) => {
                pending.pack(row..row + rows);
                // SAFETY: these rows have just been packed, or had been, and are not written again.
                unsafe { self.words.part(start, len) }
            }
        };
        LeftPart { words, ..left }
    }
}

/// A left factor [rows, depth] of f32 that is read as it lies: for products with so few columns that packing would cost more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpacked<'a> {
    pub(crate) left: Left<'a>,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
}

impl Leftward for Unpacked<'_> {
    fn format(&self) -> Format {
        Format::F32
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn tile(&self, row: usize, _: usize, range: Range<usize>) -> LeftPart<'_> {
        match self.left {
            Left::Rows(data) => LeftPart {
                words: words_of(&data[row * self.depth + range.start..]),
                row: self.depth,
                step: 1,
            },
            Left::Columns(data) => {
                LeftPart { words: words_of(&data[range.start * self.rows + row..]), row: 1, step: self.rows }
            }
        }
    }
}

/// Which part of a matrix is packed: `count` rows of [rows, depth] from `first` on, or as many columns of [depth, rows].
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) scale: f32,
}

/// The bf16 nearest to a number, ties to even, as torch rounds; what is not a number stays that.
#[inline(always)]
pub(crate) fn round_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    if value.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}

/// With `flush` a subnormal number becomes a zero, as with the instructions that round and multiply bf16.
#[inline(always)]
pub(crate) fn pair(low: f32, high: f32, flush: bool) -> u32 {
    round(low, flush) | (round(high, flush) << 16)
}

#[inline(always)]
pub(crate) fn round(value: f32, flush: bool) -> u32 {
    const EXPONENT: u32 = 0x7F80_0000;
    let bits = value.to_bits();
    if flush && bits & EXPONENT == 0 { (bits >> 16) & 0x8000 } else { round_bf16(value) }
}

/// The f16 nearest to a number, ties to even, as torch rounds; what is too large is infinite, and what is not a number stays that.
#[inline(always)]
pub(crate) fn round_f16(value: f32) -> f32 {
    /// Half a step above f16's largest number, from where on it rounds to infinity.
    const INFINITE: f32 = 65_520.0;
    /// f16's smallest normal number; steps below are as wide as those above.
    const NORMAL: f32 = 1.0 / 16_384.0;
    /// Where f32 has steps as wide: an addition rounds to them.
    const SAME_STEP: f32 = 0.75;
    const DROPPED: u32 = 13;
    let (bits, size) = (value.to_bits(), value.abs());
    let half = (1 << (DROPPED - 1)) - 1 + ((bits >> DROPPED) & 1);
    let normal = f32::from_bits(bits.wrapping_add(half) >> DROPPED << DROPPED);
    let small = ((size + SAME_STEP) - SAME_STEP).copysign(value);
    let rounded = if size < NORMAL { small } else { normal };
    let rounded = if size < INFINITE { rounded } else { f32::INFINITY.copysign(value) };
    if value.is_nan() { value } else { rounded }
}

/// Whether subnormal numbers are taken for zeros: everywhere or nowhere, or a row would differ among others.
pub(crate) fn flushes() -> bool {
    dispatch() >= Dispatch::Avx512Bf16
}

dispatch! {
    fn rows_f32(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
        rows_of_numbers(tile, data, source, |number| number);
    }
}

dispatch! {
    fn rows_f16(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
        rows_of_numbers(tile, data, source, round_f16);
    }
}

#[inline(always)]
fn rows_of_numbers(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source, round: impl Fn(f32) -> f32) {
    let Source { first, count, depth, scale, .. } = source;
    for row in 0..count {
        let numbers = &data[(first + row) * depth..][..depth];
        for (line, number) in tile.chunks_exact_mut(count).zip(numbers) {
            line[row].write(round(number * scale).to_bits());
        }
    }
}

fn rows_bf16(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
    let Source { first, count, depth, scale, .. } = source;
    #[cfg(target_arch = "x86_64")]
    if Order::of(Format::Bf16) == Order::ByRow {
        let words = (tile.as_mut_ptr().cast(), tile.len() / count);
        let numbers = &data[first * depth..(first + count) * depth];
        // SAFETY: each row has `depth` numbers, and room for as many words as are written.
        return unsafe { pack::rows(words, numbers.as_ptr(), (count, depth), scale) };
    }
    #[cfg(target_arch = "x86_64")]
    if pack::available() {
        let whole = count - count % pack::ROWS;
        let mut done = 0;
        for row in (0..whole).step_by(pack::ROWS) {
            let rows: [_; pack::ROWS] =
                std::array::from_fn(|i| data[(first + row + i) * depth..][..depth].as_ptr());
            // SAFETY: each row has `depth` numbers, the tile a line of `count` words for each pair of them.
            done = unsafe { pack::turn_rows(tile[row..].as_mut_ptr().cast(), count, rows, depth / 2, scale) };
        }
        rows_by_words(tile, data, source, 0..whole, done);
        return rows_by_words(tile, data, source, whole..count, 0);
    }
    rows_by_words(tile, data, source, 0..count, 0);
}

dispatch! {
    /// Fills the words from `start` on of some rows.
    fn rows_by_words(tile: &mut [MaybeUninit<u32>], data: &[f32], source: Source, rows: Range<usize>, start: usize) {
        let Source { first, count, depth, scale, .. } = source;
        /// Words rounded together before they are spread over the tile.
        const RUN: usize = 64;
        let (mut run, flush) = ([0_u32; RUN], flushes());
        for row in rows {
            let numbers = &data[(first + row) * depth..][..depth][2 * start..];
            for (lines, numbers) in tile[start * count..].chunks_mut(RUN * count).zip(numbers.chunks(2 * RUN)) {
                let (pairs, rest) = numbers.as_chunks::<2>();
                for (word, [low, high]) in run.iter_mut().zip(pairs) {
                    *word = pair(low * scale, high * scale, flush);
                }
                if let [last] = rest {
                    run[pairs.len()] = pair(last * scale, 0.0, flush);
                }
                for (line, word) in lines.chunks_exact_mut(count).zip(run) {
                    line[row].write(word);
                }
            }
        }
    }
}

dispatch! {
    fn columns_f32(tiles: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
        columns_of_numbers(tiles, data, source, |number| number);
    }
}

dispatch! {
    fn columns_f16(tiles: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
        columns_of_numbers(tiles, data, source, round_f16);
    }
}

#[inline(always)]
fn columns_of_numbers(
    tiles: &mut [MaybeUninit<u32>],
    data: &[f32],
    source: Source,
    round: impl Fn(f32) -> f32,
) {
    let Source { first, rows, depth, scale, .. } = source;
    for (index, tile) in tiles.chunks_mut(ROWS * depth).enumerate() {
        let count = tile.len() / depth;
        for (i, line) in tile.chunks_exact_mut(count).enumerate() {
            for (word, number) in line.iter_mut().zip(&data[i * rows + first + index * ROWS..][..count]) {
                word.write(round(number * scale).to_bits());
            }
        }
    }
}

/// Packs columns as rows of tiles.
fn columns_of_tiles(tiles: &mut [MaybeUninit<u32>], data: &[f32], source: Source) {
    #[cfg(target_arch = "x86_64")]
    if Order::of(Format::Bf16) == Order::ByRow {
        let Source { first, count, rows, depth, scale } = source;
        let width = tiles.len() / count;
        assert!(Format::Bf16.words(depth) <= width, "columns have no room for their words");
        for row in tiles.chunks_exact_mut(width) {
            row[Format::Bf16.words(depth)..].fill(MaybeUninit::new(0));
        }
        let words = tiles.as_mut_ptr();
        let numbers = &data[first..(depth - 1) * rows + first + count];
        // SAFETY: each of the `depth` rows has `count` numbers, and each of as many rows of words room for its pairs.
        return unsafe {
            pack::columns((words.cast(), width), (numbers.as_ptr(), rows), (count, depth), scale);
        };
    }
    columns_bf16(tiles, data, source, ROWS);
}

/// Packs columns in groups of so many lanes, `[word][lane]` each; the last group's lines are as long as there is room for.
pub(super) fn columns_bf16(to: &mut [MaybeUninit<u32>], data: &[f32], source: Source, lanes: usize) {
    let Source { first, count, rows, depth, scale } = source;
    let words = Format::Bf16.words(depth);
    for start in (0..words).step_by(COLUMN_PAIRS) {
        let end = (start + COLUMN_PAIRS).min(words);
        for (index, group) in to.chunks_mut(lanes * words).enumerate() {
            let (step, column) = (group.len() / words, first + index * lanes);
            let count = lanes.min(count - index * lanes);
            let lines = &mut group[start * step..end * step];
            pair_rows(
                lines,
                step,
                &data[2 * start * rows..],
                Source { first: column, count, rows, depth: depth - 2 * start, scale },
            );
        }
    }
}

/// Fills lines that lie `step` words apart with pairs from the rows that `data` begins with.
fn pair_rows(lines: &mut [MaybeUninit<u32>], step: usize, data: &[f32], source: Source) {
    let Source { first, count, rows, depth, scale } = source;
    let pairs = (lines.len() / step).min(depth / 2);
    #[cfg(target_arch = "x86_64")]
    if pack::available() && pairs > 0 {
        let last = (2 * pairs - 1) * rows + first;
        assert!(count <= step && last + count <= data.len(), "columns read past their end");
        let from = (data[first..].as_ptr(), rows);
        // SAFETY: the last row ends inside the data, and each line has room for `count` words.
        unsafe { pack::pair_rows((lines.as_mut_ptr().cast(), step), from, pairs, count, scale) };
        return pair_by_words(
            &mut lines[pairs * step..],
            step,
            &data[2 * pairs * rows..],
            Source { depth: depth - 2 * pairs, ..source },
        );
    }
    pair_by_words(lines, step, data, source);
}

dispatch! {
    fn pair_by_words(lines: &mut [MaybeUninit<u32>], step: usize, data: &[f32], source: Source) {
        let Source { first, count, rows, depth, scale } = source;
        let flush = flushes();
        for (i, line) in lines.chunks_exact_mut(step).enumerate() {
            let low = &data[2 * i * rows + first..][..count];
            if 2 * i + 1 < depth {
                let high = &data[(2 * i + 1) * rows + first..][..count];
                for ((word, low), high) in line.iter_mut().zip(low).zip(high) {
                    word.write(pair(low * scale, high * scale, flush));
                }
            } else {
                for (word, low) in line.iter_mut().zip(low) {
                    word.write(pair(low * scale, 0.0, flush));
                }
            }
        }
    }
}
