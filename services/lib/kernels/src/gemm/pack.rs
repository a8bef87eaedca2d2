//! Packing with AVX-512 BF16, for dot products and for tile registers: 32 numbers are rounded by one instruction, and lines of words turned over in registers. Subnormal
//! numbers become zeros; what is rounded otherwise on this path does the same.

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_storeu_si128, _mm512_cvtne2ps_pbh, _mm512_extracti32x4_epi32, _mm512_loadu_si512,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_permutexvar_epi16, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use half::bf16;

use crate::{Dispatch, dispatch::dispatch};

/// Words that are turned over together.
pub(super) const BLOCK: usize = 16;
/// Rows that are turned over together.
pub(super) const ROWS: usize = 4;

/// Whether the functions here may be called.
pub(super) fn available() -> bool {
    dispatch() >= Dispatch::Avx512Bf16
}

/// Numbers that can be read as words of bf16 pairs.
pub(super) trait Number: Copy {
    /// The pairs of `2 * BLOCK` numbers times `scale`; those that are bf16 already are not multiplied.
    ///
    /// # Safety
    /// So many numbers can be read, and the processor has the instructions.
    unsafe fn words(numbers: *const Self, scale: f32) -> __m512i;
}

impl Number for f32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn words(numbers: *const Self, scale: f32) -> __m512i {
        // SAFETY: the caller promises 32 numbers.
        let (low, high) = unsafe {
            (_mm512_maskz_loadu_ps(0xFFFF, numbers), _mm512_maskz_loadu_ps(0xFFFF, numbers.add(BLOCK)))
        };
        let scale = _mm512_set1_ps(scale);
        let rounded = _mm512_cvtne2ps_pbh(_mm512_mul_ps(high, scale), _mm512_mul_ps(low, scale));
        // SAFETY: both are 512 bits of which every pattern is valid.
        unsafe { std::mem::transmute(rounded) }
    }
}

impl Number for bf16 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn words(numbers: *const Self, _: f32) -> __m512i {
        // SAFETY: the caller promises 32 numbers, which are 64 bytes.
        unsafe { _mm512_loadu_si512(numbers.cast()) }
    }
}

/// Words of four rows, each begun by a pointer, to lines: word `w` of row `r` goes to `to[w * step + r]`. Does whole blocks and
/// returns the words done.
///
/// # Safety
/// [`available`]; each row has `2 * words` numbers, and `to` has room for `words` lines.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn turn_rows<T: Number>(
    to: *mut u32,
    step: usize,
    rows: [*const T; ROWS],
    words: usize,
    scale: f32,
) -> usize {
    let blocks = words / BLOCK;
    for block in 0..blocks {
        // SAFETY: the block ends before the rows do, and `to` has room for its lines.
        unsafe {
            let [a, b, c, d] = rows.map(|row| T::words(row.add(2 * BLOCK * block), scale));
            let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            // In each quarter of a register, one word of all four rows: words 0, 4, 8 and 12, then the ones after them.
            let lines = [
                _mm512_unpacklo_epi64(ab_low, cd_low),
                _mm512_unpackhi_epi64(ab_low, cd_low),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ];
            for (i, line) in lines.into_iter().enumerate() {
                let first = to.add((block * BLOCK + i) * step);
                _mm_storeu_si128(first.cast(), _mm512_extracti32x4_epi32::<0>(line));
                _mm_storeu_si128(first.add(4 * step).cast(), _mm512_extracti32x4_epi32::<1>(line));
                _mm_storeu_si128(first.add(8 * step).cast(), _mm512_extracti32x4_epi32::<2>(line));
                _mm_storeu_si128(first.add(12 * step).cast(), _mm512_extracti32x4_epi32::<3>(line));
            }
        }
    }
    blocks * BLOCK
}

/// For the permutation that brings the halves of a register together, number by number.
const INTERLEAVE: [u16; 32] = {
    let (mut index, mut i) = ([0; 32], 0);
    while i < 16 {
        index[2 * i] = i as u16;
        index[2 * i + 1] = 16 + i as u16;
        i += 1;
    }
    index
};

/// Pairs rows: word `j` of line `i` is made of numbers `j` of rows `2 i` and `2 i + 1`, each times `scale`. Rows begin `row` numbers
/// apart, lines `step` words apart; `count` words of a line are written.
///
/// # Safety
/// [`available`]; there are so many `pairs` of rows with `count` numbers, and room for as many lines.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pair_rows(
    (to, step): (*mut u32, usize),
    (from, row): (*const f32, usize),
    pairs: usize,
    count: usize,
    scale: f32,
) {
    let scale = _mm512_set1_ps(scale);
    // SAFETY: the index has the 64 bytes that are read.
    let index = unsafe { _mm512_loadu_si512(INTERLEAVE.as_ptr().cast()) };
    for first in (0..count).step_by(BLOCK) {
        let mask = ((1_u32 << BLOCK.min(count - first)) - 1) as __mmask16;
        for i in 0..pairs {
            // SAFETY: the caller promises what lies below the mask; registers of numbers and of words are 512 bits of which every
            // pattern is valid.
            unsafe {
                let (low, high) = (from.add(2 * i * row + first), from.add((2 * i + 1) * row + first));
                let low = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, low), scale);
                let high = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, high), scale);
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                let words = _mm512_permutexvar_epi16(index, halves);
                _mm512_mask_storeu_epi32(to.add(i * step + first).cast(), mask, words);
            }
        }
    }
}

/// Rounds rows that lie one after the other, `depth` numbers each, times `scale`: to words of pairs in the same order, `to.1` for each
/// row, the last of which may be zeros.
///
/// # Safety
/// [`available`]; there are so many rows, and room for their words.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn rows(
    (to, width): (*mut u32, usize),
    from: *const f32,
    (rows, depth): (usize, usize),
    scale: f32,
) {
    let factor = _mm512_set1_ps(scale);
    for row in 0..rows {
        // SAFETY: the caller promises the row; masked lanes are neither read nor written.
        unsafe {
            let (to, from) = (to.add(row * width), from.add(row * depth));
            for word in (0..width).step_by(BLOCK) {
                let left = depth.saturating_sub(2 * word);
                if left >= 2 * BLOCK {
                    _mm512_storeu_si512(to.add(word).cast(), f32::words(from.add(2 * word), scale));
                    continue;
                }
                let [low, high] = [0, BLOCK].map(|skip| {
                    let mask = lanes(left.saturating_sub(skip));
                    _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, from.wrapping_add(2 * word + skip)), factor)
                });
                let words: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_mask_storeu_epi32(to.add(word).cast(), lanes(width - word), words);
            }
        }
    }
}

/// The lanes of a register that so many numbers fill.
fn lanes(count: usize) -> __mmask16 {
    ((1_u32 << BLOCK.min(count)) - 1) as __mmask16
}

/// Pairs `depth` rows of `count` numbers, which begin `from.1` apart, and turns them over: word `i` of row `j`, which begins at
/// `j * to.1`, is made of numbers `j` of rows `2 i` and `2 i + 1`, each times `scale`.
///
/// # Safety
/// [`available`]; the numbers are there, and room for `count` rows of words.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn columns(
    (to, width): (*mut u32, usize),
    (from, row): (*const f32, usize),
    (count, depth): (usize, usize),
    scale: f32,
) {
    let words = depth.div_ceil(2);
    // SAFETY: the index has the 64 bytes that are read.
    let index = unsafe { _mm512_loadu_si512(INTERLEAVE.as_ptr().cast()) };
    let factor = _mm512_set1_ps(scale);
    for first in (0..words).step_by(BLOCK) {
        for column in (0..count).step_by(BLOCK) {
            let mask = lanes(count - column);
            let number = |at: usize| {
                if at >= depth {
                    return _mm512_setzero_ps();
                }
                // SAFETY: the caller promises the row; masked lanes are not read.
                _mm512_mul_ps(unsafe { _mm512_maskz_loadu_ps(mask, from.add(at * row + column)) }, factor)
            };
            let mut lines = [_mm512_setzero_si512(); BLOCK];
            for (i, line) in lines.iter_mut().enumerate().take(words - first) {
                let (low, high) = (number(2 * (first + i)), number(2 * (first + i) + 1));
                // SAFETY: both are 512 bits of which every pattern is valid.
                let halves: __m512i = unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) };
                *line = _mm512_permutexvar_epi16(index, halves);
            }
            for (j, line) in turned(lines).into_iter().enumerate().take(count - column) {
                // SAFETY: the caller promises room for the row's words; masked lanes are not written.
                unsafe {
                    let to = to.add((column + j) * width + first);
                    _mm512_mask_storeu_epi32(to.cast(), lanes(words - first), line);
                }
            }
        }
    }
}

/// 16 rows of 16 words turned over.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: [__m512i; BLOCK]) -> [__m512i; BLOCK] {
    // In each quarter of `fours[4 i + j]`, word `j` of that quarter of rows `4 i` to `4 i + 3`.
    let mut fours = [_mm512_setzero_si512(); BLOCK];
    for i in (0..BLOCK).step_by(4) {
        let (ab_low, ab_high) =
            (_mm512_unpacklo_epi32(rows[i], rows[i + 1]), _mm512_unpackhi_epi32(rows[i], rows[i + 1]));
        let (cd_low, cd_high) = (
            _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]),
            _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]),
        );
        fours[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        fours[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        fours[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        fours[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    let mut columns = [_mm512_setzero_si512(); BLOCK];
    for j in 0..4 {
        let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let (ab_first, ab_last) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xDD>(a, b));
        let (cd_first, cd_last) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xDD>(c, d));
        columns[j] = _mm512_shuffle_i32x4::<0x88>(ab_first, cd_first);
        columns[8 + j] = _mm512_shuffle_i32x4::<0xDD>(ab_first, cd_first);
        columns[4 + j] = _mm512_shuffle_i32x4::<0x88>(ab_last, cd_last);
        columns[12 + j] = _mm512_shuffle_i32x4::<0xDD>(ab_last, cd_last);
    }
    columns
}
