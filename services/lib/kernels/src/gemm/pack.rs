//! Packing with AVX-512 BF16: 32 numbers are rounded by one instruction, and lines of words turned over in registers. Subnormal
//! numbers become zeros; what is rounded otherwise on this path does the same.

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_storeu_si128, _mm512_cvtne2ps_pbh, _mm512_extracti32x4_epi32, _mm512_loadu_si512,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_permutexvar_epi16, _mm512_set1_ps,
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
    dispatch() == Dispatch::Avx512Bf16
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
