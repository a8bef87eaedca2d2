//! Pages of keys and values as they lie in memory, and how rows come into them.

use std::sync::Arc;

use super::{
    KEY_BLOCK,
    forward::{self, KeyBlock},
};
use crate::gemm::{COLUMNS, Format, flushes, numbers_of, numbers_of_mut, pair, round, turn_words, words_of};

/// Pairs of tokens in a page.
const PAIRS: usize = KEY_BLOCK / 2;

/// Keys and values of [`KEY_BLOCK`] tokens in one layer; clones share them. Nobody writes to a page that others hold.
#[derive(Clone, Debug)]
pub struct KeyValuePage(Arc<Page>);

/// Laid out as attention reads it ([`KeyBlock`]), in words of one f32 or of two bf16.
#[derive(Clone, Debug)]
struct Page {
    keys: Box<[u32]>,
    values: Box<[u32]>,
}

impl KeyValuePage {
    /// Tokens in a full page.
    pub const TOKENS: usize = KEY_BLOCK;

    pub(super) fn new(width: usize, format: Format) -> Self {
        let zeros = || vec![0_u32; format.words(KEY_BLOCK * width)].into_boxed_slice();
        Self(Arc::new(Page { keys: zeros(), values: zeros() }))
    }

    /// Clears the values of pairs from token `from` on.
    pub(super) fn forget(&mut self, from: usize, dim: usize, format: Format) {
        if format == Format::F32 || format == Format::F16 {
            return;
        }
        for values in Arc::make_mut(&mut self.0).values.chunks_exact_mut(dim * PAIRS) {
            for panel in values.chunks_mut(COLUMNS * PAIRS) {
                let width = panel.len() / PAIRS;
                for (line, words) in panel.chunks_exact_mut(width).enumerate().skip(from / 2) {
                    let kept = if 2 * line < from { 0xFFFF } else { 0 };
                    words.iter_mut().for_each(|word| *word &= kept);
                }
            }
        }
    }

    /// Whether it has so many words of keys, and of values.
    pub(super) fn has(&self, words: usize) -> bool {
        self.0.keys.len() == words
    }

    pub(super) fn block(&self, format: Format) -> KeyBlock<'_> {
        let Page { keys, values } = &*self.0;
        match format {
            Format::F32 | Format::F16 => {
                KeyBlock::Numbers { keys: numbers_of(keys), values: numbers_of(values) }
            }
            Format::Bf16 | Format::Int8 => KeyBlock::Pairs { keys, values },
        }
    }
}

/// Writes rows of keys and values after the first `len` ones.
pub(super) fn append_rows(
    pages: &mut Vec<KeyValuePage>,
    len: usize,
    (k, v): (&[f32], &[f32]),
    (width, dim): (usize, usize),
    format: Format,
) {
    let (rows, mut done) = (k.len() / width, 0);
    while done < rows {
        let (page, at) = ((len + done) / KEY_BLOCK, (len + done) % KEY_BLOCK);
        let count = (KEY_BLOCK - at).min(rows - done);
        if page == pages.len() {
            pages.push(KeyValuePage::new(width, format));
        }
        let Page { keys, values } = Arc::make_mut(&mut pages[page].0);
        let range = done * width..(done + count) * width;
        let (k, v) = (&k[range.clone()], &v[range]);
        match format {
            Format::F32 | Format::F16 => {
                forward::turn(numbers_of_mut(keys), at, k, (width, count, width));
                values[at * width..(at + count) * width].copy_from_slice(words_of(v));
            }
            Format::Bf16 | Format::Int8 => {
                turn_pairs(keys, at, k, (width, dim));
                pair_rows(values, at, v, (width, dim));
            }
        }
        done += count;
    }
}

/// Writes rows of keys as columns of their heads' panels, from column `at` on, two neighbouring numbers in a word.
fn turn_pairs(block: &mut [u32], at: usize, rows: &[f32], (width, dim): (usize, usize)) {
    let (words, count, flush) = (dim / 2, rows.len() / width, flushes());
    for (head, keys) in block.chunks_exact_mut(words * KEY_BLOCK).enumerate() {
        let row = |j: usize| &rows[j * width + head * dim..][..dim];
        let mut j = 0;
        while j < count {
            let (panel, column) = ((at + j) / COLUMNS, (at + j) % COLUMNS);
            let panel = &mut keys[panel * COLUMNS * words..][..COLUMNS * words];
            let left = (count - j).min(COLUMNS - column);
            let done = turn_words(&mut panel[column..], COLUMNS, left, |i| row(j + i));
            for i in 0..left {
                let numbers = row(j + i).as_chunks::<2>().0;
                let done = if i < done.0 { done.1 } else { 0 };
                for (word, [low, high]) in numbers.iter().enumerate().skip(done) {
                    panel[word * COLUMNS + column + i] = pair(*low, *high, flush);
                }
            }
            j += left;
        }
    }
}

/// Writes rows of values into their heads' panels, from row `at` on, each into its half of the words that it shares with a neighbour: as
/// for all tokens that are not there, zeros are in it.
fn pair_rows(block: &mut [u32], at: usize, rows: &[f32], (width, dim): (usize, usize)) {
    let flush = flushes();
    for (head, values) in block.chunks_exact_mut(dim * PAIRS).enumerate() {
        for (j, row) in rows.chunks_exact(width).enumerate() {
            let (line, shift) = ((at + j) / 2, (at + j) % 2 * 16);
            let numbers = row[head * dim..][..dim].chunks(COLUMNS);
            for (panel, numbers) in values.chunks_mut(COLUMNS * PAIRS).zip(numbers) {
                let words = &mut panel[line * numbers.len()..][..numbers.len()];
                for (word, number) in words.iter_mut().zip(numbers) {
                    *word |= round(*number, flush) << shift;
                }
            }
        }
    }
}
