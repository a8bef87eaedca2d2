//! Two registers of 16 sums for each row of the tile.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, __mmask16, _MM_HINT_T1, _mm_prefetch, _mm512_and_si512, _mm512_castsi512_ps,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_epi32,
    _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_storeu_ps, _mm512_stream_ps,
};

use super::{Block, LINE_WORDS, LeftPart, MOST_LINES, Place, RightPart};

/// Defines the loop for one way of multiplying, and its choice of the number of rows and registers. With `PACKED` a tile's
/// words lie as close as can be, so that their places are constants; a step asks for so many `LINES` of what is read next.
macro_rules! kernel {
    ($by_rows:ident, $tile:ident, $features:literal, |$sums:ident, $a:ident, $b:ident| $step:expr) => {
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $by_rows(
            (packed, lines): (bool, usize),
            steps: usize,
            left: &LeftPart<'_>,
            right: &RightPart<'_>,
            block: &Block,
        ) {
            macro_rules! choose {
                ($m:literal) => {
                    match (packed, lines, block.count > 16) {
                        (false, _, false) => $tile::<$m, 1, false, 0>(steps, left, right, block),
                        (false, _, true) => $tile::<$m, 2, false, 0>(steps, left, right, block),
                        (true, 0, false) => $tile::<$m, 1, true, 0>(steps, left, right, block),
                        (true, 0, true) => $tile::<$m, 2, true, 0>(steps, left, right, block),
                        (true, _, false) => $tile::<$m, 1, true, MOST_LINES>(steps, left, right, block),
                        (true, 1, true) => $tile::<$m, 2, true, 1>(steps, left, right, block),
                        (true, _, true) => $tile::<$m, 2, true, MOST_LINES>(steps, left, right, block),
                    }
                };
            }
            // SAFETY: the promises are passed on, with the number of rows and registers that the block has.
            unsafe {
                match block.rows {
                    1 => choose!(1),
                    2 => choose!(2),
                    3 => choose!(3),
                    4 => choose!(4),
                    5 => choose!(5),
                    6 => choose!(6),
                    7 => choose!(7),
                    8 => choose!(8),
                    9 => choose!(9),
                    10 => choose!(10),
                    11 => choose!(11),
                    _ => choose!(12),
                }
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn $tile<const M: usize, const J: usize, const PACKED: bool, const LINES: usize>(
            steps: usize,
            left: &LeftPart<'_>,
            right: &RightPart<'_>,
            block: &Block,
        ) {
            let masks = masks(block.count);
            let mut sums = [[_mm512_setzero_ps(); J]; M];
            if let Some(from) = block.from {
                // SAFETY: the caller promises M rows of `count` numbers; the masks leave the others alone.
                unsafe { load(&mut sums, from, masks) };
            }
            let (row, step) = if PACKED { (1, M) } else { (left.row, left.step) };
            let (mut from_left, mut from_right) = (left.words.as_ptr(), right.words.as_ptr());
            let (mut done, mut next) = (0, right.next.parts.iter());
            while done < steps {
                let part = if LINES > 0 { next.next() } else { None };
                let asked = |words: &[u32]| words.len().div_ceil(LINES * LINE_WORDS);
                let end = part.map_or(steps, |words| (done + asked(words)).min(steps));
                let mut line = part.map_or(left.words.as_ptr(), |words| words.as_ptr());
                for _ in done..end {
                    for i in 0..LINES {
                        _mm_prefetch::<_MM_HINT_T1>(line.wrapping_add(i * LINE_WORDS).cast());
                    }
                    line = line.wrapping_add(LINES * LINE_WORDS);
                    // SAFETY: `multiply` has asserted that the parts hold M rows and `count` columns of each step; masked
                    // lanes are not read.
                    unsafe {
                        let mut $b = [_mm512_setzero_si512(); J];
                        for j in 0..J {
                            $b[j] = _mm512_maskz_loadu_epi32(masks[j], from_right.add(16 * j).cast());
                        }
                        for r in 0..M {
                            let $a = _mm512_set1_epi32((*from_left.add(r * row)).cast_signed());
                            let $sums = &mut sums[r];
                            $step;
                        }
                    }
                    // Wrapping, because the last step may leave the slices.
                    (from_left, from_right) =
                        (from_left.wrapping_add(step), from_right.wrapping_add(right.step));
                }
                done = end;
            }
            // SAFETY: as for loading.
            unsafe {
                if block.streams && J == 2 && block.whole_lines() {
                    stream(&sums, block.to);
                } else {
                    store(&sums, block.to, masks);
                }
            }
        }
    };
}

kernel!(numbers_by_rows, numbers, "avx512f", |sums, a, b| {
    let a = _mm512_castsi512_ps(a);
    for j in 0..J {
        sums[j] = _mm512_fmadd_ps(a, _mm512_castsi512_ps(b[j]), sums[j]);
    }
});

kernel!(pairs_by_rows, pairs, "avx512f,avx512bf16", |sums, a, b| {
    let a = bf16(a);
    for j in 0..J {
        sums[j] = _mm512_dpbf16_ps(sums[j], a, bf16(b[j]));
    }
});

kernel!(widened_by_rows, widened, "avx512f", |sums, a, b| {
    let (low, high) = (low(a), high(a));
    for j in 0..J {
        sums[j] = _mm512_fmadd_ps(low, self::low(b[j]), sums[j]);
        sums[j] = _mm512_fmadd_ps(high, self::high(b[j]), sums[j]);
    }
});

fn bf16(words: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits of which every pattern is valid.
    unsafe { std::mem::transmute(words) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn low(words: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn high(words: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed())))
}

/// Which of the two registers' columns are there.
pub(super) fn masks(count: usize) -> [__mmask16; 2] {
    let all = (1_u64 << count) - 1;
    [(all & 0xFFFF) as __mmask16, (all >> 16) as __mmask16]
}

/// Whether all columns of `J` registers are there: sums are then stored without masks, which costs less.
fn whole<const J: usize>(masks: [__mmask16; 2]) -> bool {
    masks[..J].iter().all(|mask| *mask == __mmask16::MAX)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn load<const M: usize, const J: usize>(
    sums: &mut [[__m512; J]; M],
    from: Place,
    masks: [__mmask16; 2],
) {
    let whole = whole::<J>(masks);
    for (r, sums) in sums.iter_mut().enumerate() {
        let row = from.inside(r, 0).at;
        for j in 0..J {
            let at = row.wrapping_add(16 * j);
            // SAFETY: the caller promises the row; masked lanes are not read.
            sums[j] =
                unsafe { if whole { _mm512_loadu_ps(at) } else { _mm512_maskz_loadu_ps(masks[j], at) } };
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store<const M: usize, const J: usize>(
    sums: &[[__m512; J]; M],
    to: Place,
    masks: [__mmask16; 2],
) {
    let whole = whole::<J>(masks);
    for (r, sums) in sums.iter().enumerate() {
        let row = to.inside(r, 0).at;
        for j in 0..J {
            let at = row.wrapping_add(16 * j);
            // SAFETY: the caller promises the row; masked lanes are not written.
            unsafe {
                if whole {
                    _mm512_storeu_ps(at, sums[j]);
                } else {
                    _mm512_mask_storeu_ps(at, masks[j], sums[j]);
                };
            }
        }
    }
}

/// [`store`] past the caches.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn stream<const M: usize, const J: usize>(sums: &[[__m512; J]; M], to: Place) {
    for (r, sums) in sums.iter().enumerate() {
        let row = to.inside(r, 0).at;
        for (j, sums) in sums.iter().enumerate() {
            // SAFETY: the caller promises the row, whose lines begin with a panel.
            unsafe { _mm512_stream_ps(row.wrapping_add(16 * j), *sums) };
        }
    }
}
