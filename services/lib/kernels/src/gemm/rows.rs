//! Matrices that change, packed into panels as they are used: trained weights and activations.

use std::ops::Range;

use half::bf16;

#[cfg(target_arch = "x86_64")]
use super::pack;
use super::{
    COLUMNS, Format, LINES, Line, Next, Panels, RightPart, int8,
    tiles::{flushes, round, round_f16},
    words_mut, words_of,
};
use crate::{cpu::Matrix, simd::dispatch};

/// Bytes of a matrix that a core's own cache holds while its panels are read one after the other.
const CACHE_BYTES: usize = 512 << 10;

/// A row-major matrix that is packed as it is used: a trained weight, or activations.
pub(crate) struct Rows<'a> {
    pub(crate) data: Matrix<'a>,
    /// Number of columns of the right factor.
    pub(crate) across: usize,
    /// Numbers along the sum.
    pub(crate) along: usize,
    pub(crate) format: Format,
    /// Whether rows of the matrix are columns of the factor.
    pub(crate) turned: bool,
}

impl Panels for Rows<'_> {
    fn format(&self) -> Format {
        self.format
    }

    fn size(&self) -> (usize, usize) {
        (self.along, self.across)
    }

    fn apart(&self) -> bool {
        self.as_it_lies().is_some_and(|data| size_of_val(data) > CACHE_BYTES)
    }

    fn panel<'a>(&'a self, index: usize, range: Range<usize>, scratch: &'a mut Vec<Line>) -> RightPart<'a> {
        if let Some(data) = self.as_it_lies() {
            return RightPart {
                words: words_of(&data[range.start * self.across + index * COLUMNS..]),
                step: self.across,
                next: Next::default(),
            };
        }
        scratch.clear();
        scratch.resize(range.len() * LINES, Line::default());
        self.fill(index, range, scratch);
        RightPart::of(scratch, LINES)
    }
}

impl Rows<'_> {
    /// The matrix, where a line of a panel is a part of one of its rows and needs no packing.
    fn as_it_lies(&self) -> Option<&[f32]> {
        match (self.data, self.format, self.turned) {
            (Matrix::F32(data), Format::F32, false) => Some(data),
            _ => None,
        }
    }

    /// Fills words `range` of panel `index`, where there are zeros.
    pub(super) fn fill(&self, index: usize, range: Range<usize>, panel: &mut [Line]) {
        match self.data {
            Matrix::F32(data) => {
                let part = self.part(index, range);
                match self.format {
                    Format::F32 => fill_words(panel, data, part, |low, _| low.to_bits()),
                    Format::F16 => fill_f16(panel, data, part),
                    Format::Bf16 => {
                        let start = turn_whole_blocks(panel, data, part);
                        fill_f32_pairs(&mut panel[start * LINES..], data, part.after(start));
                    }
                    Format::Int8 => int8::fill_columns_f32(panel, data, part),
                }
            }
            Matrix::Bf16(data) => {
                let part = self.part(index, range);
                match self.format {
                    Format::F32 => {
                        fill_words(panel, data, part, |low: bf16, _| u32::from(low.to_bits()) << 16);
                    }
                    Format::F16 => {
                        fill_words(panel, data, part, |low: bf16, _| round_f16(low.to_f32()).to_bits());
                    }
                    Format::Bf16 => {
                        let start = turn_whole_blocks(panel, data, part);
                        fill_bf16_pairs(&mut panel[start * LINES..], data, part.after(start));
                    }
                    Format::Int8 => int8::fill_columns_bf16(panel, data, part),
                }
            }
        }
    }

    fn part(&self, index: usize, range: Range<usize>) -> Part {
        let column = index * COLUMNS;
        let count = COLUMNS.min(self.across - column);
        let (row, next) = if self.turned { (1, self.along) } else { (self.across, 1) };
        Part { first: range.start, along: self.along, step: self.format.step(), column, count, row, next }
    }
}

/// A piece of a row-major matrix: element (i, j) along and across the sum lies at `i * row + j * next`.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// First word.
    pub(super) first: usize,
    pub(super) along: usize,
    step: usize,
    pub(super) column: usize,
    pub(super) count: usize,
    pub(super) row: usize,
    pub(super) next: usize,
}

impl Part {
    /// What is left after so many words.
    fn after(self, words: usize) -> Self {
        Self { first: self.first + words, ..self }
    }
}

/// Does as many words of a panel of turned rows as go in blocks, where the processor has the instructions; returns their number.
#[cfg(target_arch = "x86_64")]
fn turn_whole_blocks<T: pack::Number>(panel: &mut [Line], data: &[T], part: Part) -> usize {
    let Part { first, along, column, count, row, next, .. } = part;
    if !pack::available() || row != 1 || !count.is_multiple_of(pack::ROWS) {
        return 0;
    }
    let words = (panel.len() / LINES).min((along / 2).saturating_sub(first));
    let panel = words_mut(panel);
    let mut done = 0;
    for j in (0..count).step_by(pack::ROWS) {
        let rows: [_; pack::ROWS] =
            std::array::from_fn(|i| data[(column + j + i) * next + 2 * first..][..2 * words].as_ptr());
        // SAFETY: each row has twice as many numbers as there are words, and the panel a line for each of them.
        done = unsafe { pack::turn_rows(panel[j..].as_mut_ptr(), COLUMNS, rows, words, 1.0) };
    }
    done
}

#[cfg(not(target_arch = "x86_64"))]
fn turn_whole_blocks<T>(_: &mut [Line], _: &[T], _: Part) -> usize {
    0
}

dispatch! {
    fn fill_f16(panel: &mut [Line], data: &[f32], part: Part) {
        fill_words(panel, data, part, |low, _| round_f16(low).to_bits());
    }
}

dispatch! {
    fn fill_f32_pairs(panel: &mut [Line], data: &[f32], part: Part) {
        let flush = flushes();
        fill_words(panel, data, part, |low, high| round(low, flush) | (round(high, flush) << 16));
    }
}

dispatch! {
    fn fill_bf16_pairs(panel: &mut [Line], data: &[bf16], part: Part) {
        fill_words(panel, data, part, |low, high| u32::from(low.to_bits()) | (u32::from(high.to_bits()) << 16));
    }
}

/// Makes each word of one number, or of two that follow each other along the sum.
#[inline(always)]
fn fill_words<T: Copy + Default>(panel: &mut [Line], data: &[T], part: Part, word: impl Fn(T, T) -> u32) {
    let Part { first, along, step, column, count, row, next } = part;
    if next == 1 {
        for (i, lines) in panel.as_chunks_mut::<LINES>().0.iter_mut().enumerate() {
            let at = (first + i) * step;
            let low = &data[at * row + column..][..count];
            let words = lines.iter_mut().flat_map(|line| &mut line.0);
            if step == 2 && at + 1 < along {
                let high = &data[(at + 1) * row + column..][..count];
                for ((to, low), high) in words.zip(low).zip(high) {
                    *to = word(*low, *high);
                }
            } else {
                for (to, low) in words.zip(low) {
                    *to = word(*low, T::default());
                }
            }
        }
        return;
    }
    /// Words taken from a column before the next one, so that the lines written stay in the first-level cache.
    const RUN: usize = 64;
    for (run, lines) in panel.chunks_mut(RUN * LINES).enumerate() {
        for j in 0..count {
            let column = &data[(column + j) * next..][..along];
            let start = (first + run * RUN) * step;
            let numbers = &column[start..(start + lines.len() / LINES * step).min(along)];
            for (to, numbers) in lines.as_chunks_mut::<LINES>().0.iter_mut().zip(numbers.chunks(step)) {
                to[j / 16].0[j % 16] = word(numbers[0], numbers.get(1).copied().unwrap_or_default());
            }
        }
    }
}
