//! The left factor: rows in tiles of words, rounded to their format once however many panels they meet.

use std::ops::Range;

use rayon::prelude::*;

use super::{Format, LeftPart, Leftward, ROWS, words_of};
use crate::simd::dispatch;

/// Numbers below which packing stays on one thread.
const PARALLEL_FROM: usize = 64 * 1024;

/// Where the numbers of a left factor lie: element (row, i) of [rows, depth].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left<'a> {
    /// At `row * depth + i`.
    Rows(&'a [f32]),
    /// At `i * rows + row`: a matrix used turned over.
    Columns(&'a [f32]),
}

/// A left factor [rows, depth] as tiles `[word][row]` of [`ROWS`] rows; the last tile has what is left, packed as tightly.
#[derive(Debug)]
pub(crate) struct Tiles {
    format: Format,
    rows: usize,
    depth: usize,
    words: Vec<u32>,
}

impl Tiles {
    /// Packs `scale` times a matrix [rows, depth].
    pub(crate) fn pack(left: Left<'_>, rows: usize, depth: usize, format: Format, scale: f32) -> Self {
        let (Left::Rows(data) | Left::Columns(data)) = left;
        assert!(data.len() >= rows * depth, "a left factor is shorter than its size");
        let width = format.words(depth);
        let mut words = vec![0_u32; rows * width];
        let tile = |(index, tile): (usize, &mut [u32])| {
            let first = index * ROWS;
            let source = Source { first, count: ROWS.min(rows - first), rows, depth, scale };
            match (left, format) {
                (Left::Rows(data), Format::F32) => rows_f32(tile, data, source),
                (Left::Rows(data), Format::Bf16) => rows_bf16(tile, data, source),
                (Left::Columns(data), Format::F32) => columns_f32(tile, data, source),
                (Left::Columns(data), Format::Bf16) => columns_bf16(tile, data, source),
            }
        };
        let size = (ROWS * width).max(1);
        if words.len() < PARALLEL_FROM {
            words.chunks_mut(size).enumerate().for_each(tile);
        } else {
            words.par_chunks_mut(size).enumerate().for_each(tile);
        }
        Self { format, rows, depth, words }
    }

    /// Words along the sum.
    fn words(&self) -> usize {
        self.format.words(self.depth)
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

    fn tile(&self, index: usize, range: Range<usize>) -> LeftPart<'_> {
        let rows = ROWS.min(self.rows - index * ROWS);
        let start = index * ROWS * self.words() + range.start * rows;
        LeftPart { words: &self.words[start..start + range.len() * rows], row: 1, step: rows }
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

    fn tile(&self, index: usize, range: Range<usize>) -> LeftPart<'_> {
        let row = index * ROWS;
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

/// Which part of a matrix becomes a tile.
#[derive(Clone, Copy)]
struct Source {
    first: usize,
    count: usize,
    rows: usize,
    depth: usize,
    scale: f32,
}

/// The bf16 nearest to a number, ties to even, as torch rounds; what is not a number stays that.
#[inline(always)]
pub(crate) fn round_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    if value.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}

#[inline(always)]
pub(crate) fn pair(low: f32, high: f32) -> u32 {
    round_bf16(low) | (round_bf16(high) << 16)
}

dispatch! {
    fn rows_f32(tile: &mut [u32], data: &[f32], source: Source) {
        let Source { first, count, depth, scale, .. } = source;
        for row in 0..count {
            let numbers = &data[(first + row) * depth..][..depth];
            for (line, number) in tile.chunks_exact_mut(count).zip(numbers) {
                line[row] = (number * scale).to_bits();
            }
        }
    }
}

dispatch! {
    fn rows_bf16(tile: &mut [u32], data: &[f32], source: Source) {
        let Source { first, count, depth, scale, .. } = source;
        /// Words rounded together before they are spread over the tile.
        const RUN: usize = 64;
        let mut run = [0_u32; RUN];
        for row in 0..count {
            let numbers = &data[(first + row) * depth..][..depth];
            for (lines, numbers) in tile.chunks_mut(RUN * count).zip(numbers.chunks(2 * RUN)) {
                let (pairs, rest) = numbers.as_chunks::<2>();
                for (word, [low, high]) in run.iter_mut().zip(pairs) {
                    *word = pair(low * scale, high * scale);
                }
                if let [last] = rest {
                    run[pairs.len()] = pair(last * scale, 0.0);
                }
                for (line, word) in lines.chunks_exact_mut(count).zip(run) {
                    line[row] = word;
                }
            }
        }
    }
}

dispatch! {
    fn columns_f32(tile: &mut [u32], data: &[f32], source: Source) {
        let Source { first, count, rows, scale, .. } = source;
        for (i, line) in tile.chunks_exact_mut(count).enumerate() {
            for (word, number) in line.iter_mut().zip(&data[i * rows + first..][..count]) {
                *word = (number * scale).to_bits();
            }
        }
    }
}

dispatch! {
    fn columns_bf16(tile: &mut [u32], data: &[f32], source: Source) {
        let Source { first, count, rows, depth, scale } = source;
        for (i, line) in tile.chunks_exact_mut(count).enumerate() {
            let low = &data[2 * i * rows + first..][..count];
            if 2 * i + 1 < depth {
                let high = &data[(2 * i + 1) * rows + first..][..count];
                for ((word, low), high) in line.iter_mut().zip(low).zip(high) {
                    *word = pair(low * scale, high * scale);
                }
            } else {
                for (word, low) in line.iter_mut().zip(low) {
                    *word = pair(low * scale, 0.0);
                }
            }
        }
    }
}
