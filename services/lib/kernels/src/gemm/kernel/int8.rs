//! Groups of int8 multiplied: whole numbers summed exactly, then scaled in one order and with each operation rounded, so that every
//! instruction set gives the same bits.

use super::{LeftPart, STRIP};
use crate::gemm::int8::GROUP_WORDS;

/// What the sums of a group begin with: 128 times the low half of the left factor's head.
#[inline(always)]
fn start(head: u32) -> i32 {
    (head << 16).cast_signed() >> 9
}

/// The scale in the left factor's head.
#[inline(always)]
fn scale(head: u32) -> f32 {
    f32::from_bits(head & 0xFFFF_0000)
}

/// Adds the product of `M` rows and a strip of columns, of which `line` gives each word's.
#[inline(always)]
pub(super) fn add_groups<const M: usize>(
    totals: &mut [[f32; STRIP.0]; M],
    steps: usize,
    left: LeftPart<'_>,
    line: impl Fn(usize) -> [u32; STRIP.0],
) {
    let word = |r: usize, w: usize| left.words[r * left.row + w * left.step];
    for head in (0..steps).step_by(GROUP_WORDS) {
        let mut sums: [_; M] = std::array::from_fn(|r| [start(word(r, head)); STRIP.0]);
        for w in head + 1..(head + GROUP_WORDS).min(steps) {
            let line = line(w);
            for (r, sums) in sums.iter_mut().enumerate() {
                let bytes = word(r, w).to_le_bytes().map(|byte| i32::from(byte.cast_signed()));
                for (byte, a) in bytes.into_iter().enumerate() {
                    for j in 0..STRIP.0 {
                        sums[j] += a * ((line[j] >> (8 * byte)) & 0xFF).cast_signed();
                    }
                }
            }
        }
        let scales = line(head);
        for (r, (totals, sums)) in totals.iter_mut().zip(sums).enumerate() {
            let scale = scale(word(r, head));
            for j in 0..STRIP.0 {
                totals[j] += sums[j] as f32 * f32::from_bits(scales[j]) * scale;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod vnni {
    //! With the instruction that adds four products of bytes to each sum: two registers of 16 sums for each row of the tile.

    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_castsi512_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
        _mm512_maskz_loadu_epi32, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_setzero_si512,
    };

    use super::super::{
        Block, LeftPart, RightPart,
        avx512::{load, masks, store},
    };
    use crate::gemm::int8::GROUP_WORDS;

    /// Whether a processor with AVX-512 has the instruction too.
    pub(in super::super) fn available() -> bool {
        std::arch::is_x86_feature_detected!("avx512vnni")
    }

    /// Multiplies a tile whose words lie as close as can be.
    ///
    /// # Safety
    /// As for `multiply`, which has asserted its sizes; the processor has the instructions.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(in super::super) unsafe fn groups_by_rows(
        steps: usize,
        left: &LeftPart<'_>,
        right: &RightPart<'_>,
        block: &Block,
    ) {
        macro_rules! choose {
            ($($m:literal)*) => {
                match (block.rows, block.count > 16) {
                    // SAFETY: the promises are passed on, with the number of rows and registers that the block has.
                    $(($m, false) => unsafe { groups::<$m, 1>(steps, left, right, block) },
                    // SAFETY: as above.
                    ($m, true) => unsafe { groups::<$m, 2>(steps, left, right, block) },)*
                    _ => unreachable!("`multiply` has asserted the number of rows"),
                }
            };
        }
        choose!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn groups<const M: usize, const J: usize>(
        steps: usize,
        left: &LeftPart<'_>,
        right: &RightPart<'_>,
        block: &Block,
    ) {
        let masks = masks(block.count);
        let mut totals = [[_mm512_setzero_ps(); J]; M];
        if let Some(from) = block.from {
            // SAFETY: the caller promises M rows of `count` numbers; the masks leave the others alone.
            unsafe { load(&mut totals, from, masks) };
        }
        for head in (0..steps).step_by(GROUP_WORDS) {
            let heads = &left.words[head * M..][..M];
            let mut sums = [[_mm512_setzero_si512(); J]; M];
            for r in 0..M {
                sums[r] = [_mm512_set1_epi32(super::start(heads[r])); J];
            }
            let line = |w: usize| {
                let mut line = [_mm512_setzero_si512(); J];
                for j in 0..J {
                    let from = right.words.as_ptr().wrapping_add(w * right.step + 16 * j);
                    // SAFETY: `multiply` has asserted that the panel holds `count` columns of each step; masked lanes are not read.
                    line[j] = unsafe { _mm512_maskz_loadu_epi32(masks[j], from.cast()) };
                }
                line
            };
            for w in head + 1..(head + GROUP_WORDS).min(steps) {
                let line = line(w);
                for (r, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `multiply` has asserted that the tile holds M rows of each step.
                    let a = _mm512_set1_epi32(unsafe { *left.words.get_unchecked(w * M + r) }.cast_signed());
                    for j in 0..J {
                        sums[j] = _mm512_dpbusd_epi32(sums[j], line[j], a);
                    }
                }
            }
            let scales = line(head);
            for r in 0..M {
                let scale = _mm512_set1_ps(super::scale(heads[r]));
                for j in 0..J {
                    let scaled =
                        _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][j]), _mm512_castsi512_ps(scales[j]));
                    totals[r][j] = _mm512_add_ps(totals[r][j], _mm512_mul_ps(scaled, scale));
                }
            }
        }
        // SAFETY: as for loading.
        unsafe { store(&totals, block.to, masks) };
    }
}
