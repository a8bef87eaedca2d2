//! The innermost loop: a tile of rows times a panel of columns, summed in registers, for each format and instruction set.

use super::{COLUMNS, Format, Line, ROWS};
use crate::{
    Dispatch,
    simd::{dispatch, madd},
};

/// Where a tile's results go.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// The first result.
    pub(super) c: *mut f32,
    /// Numbers from one row to the next.
    pub(super) stride: usize,
    /// Columns that are there; at most a panel's.
    pub(super) count: usize,
    /// Whether the sums go on from what is there.
    pub(super) add: bool,
}

/// Multiplies a tile `[word][row]` by a panel `[word][column]`.
///
/// # Safety
/// `rows` is from 1 to 12, `left` holds `rows` words and `panel` 32 for each word of the sum, and `rows` rows of `count` numbers can
/// be written at the block.
pub(super) unsafe fn multiply(format: Format, rows: usize, left: &[u32], panel: &[Line], block: Block) {
    debug_assert!(left.len() / rows * 2 == panel.len());
    #[cfg(target_arch = "x86_64")]
    {
        let path = crate::dispatch::dispatch();
        // SAFETY: the caller's promise, and `dispatch` gives only paths whose instructions the processor has.
        match (format, path) {
            (Format::Bf16, Dispatch::Avx512Bf16) => {
                return unsafe { avx512::pairs_by_rows(rows, left, panel, block) };
            }
            (Format::Bf16, Dispatch::Avx512) => {
                return unsafe { avx512::widened_by_rows(rows, left, panel, block) };
            }
            (Format::F32, Dispatch::Avx512 | Dispatch::Avx512Bf16) => {
                return unsafe { avx512::numbers_by_rows(rows, left, panel, block) };
            }
            (_, Dispatch::Avx2 | Dispatch::Portable) => {}
        }
    }
    plain(format, rows, left, panel, block);
}

/// Columns and rows whose sums fit 16 registers of 8.
const STRIP: (usize, usize) = (16, 6);

dispatch! {
    fn plain(format: Format, rows: usize, left: &[u32], panel: &[Line], block: Block) {
        let mut sums = [[0_f32; COLUMNS]; ROWS];
        if block.add {
            for (row, sums) in sums.iter_mut().enumerate().take(rows) {
                for (column, sum) in sums.iter_mut().enumerate().take(block.count) {
                    // SAFETY: `multiply`'s caller promises that rows of `count` numbers lie at the block.
                    *sum = unsafe { *block.c.add(row * block.stride + column) };
                }
            }
        }
        for strip in 0..COLUMNS / STRIP.0 {
            let mut row = 0;
            while row < rows {
                let count = STRIP.1.min(rows - row);
                let target = (&mut sums[row..row + count], strip);
                match count {
                    1 => strip_of::<FMA, 1>(format, target, (&left[row..], rows), panel),
                    2 => strip_of::<FMA, 2>(format, target, (&left[row..], rows), panel),
                    3 => strip_of::<FMA, 3>(format, target, (&left[row..], rows), panel),
                    4 => strip_of::<FMA, 4>(format, target, (&left[row..], rows), panel),
                    5 => strip_of::<FMA, 5>(format, target, (&left[row..], rows), panel),
                    _ => strip_of::<FMA, 6>(format, target, (&left[row..], rows), panel),
                }
                row += count;
            }
        }
        for (row, sums) in sums.iter().enumerate().take(rows) {
            for (column, sum) in sums.iter().enumerate().take(block.count) {
                // SAFETY: as above.
                unsafe { *block.c.add(row * block.stride + column) = *sum };
            }
        }
    }
}

/// 16 columns of `M` rows.
#[inline(always)]
fn strip_of<const FMA: bool, const M: usize>(
    format: Format,
    (target, strip): (&mut [[f32; COLUMNS]], usize),
    (left, stride): (&[u32], usize),
    panel: &[Line],
) {
    let mut sums = [[0_f32; STRIP.0]; M];
    for (sums, target) in sums.iter_mut().zip(target.iter()) {
        sums.copy_from_slice(&target[strip * STRIP.0..][..STRIP.0]);
    }
    let lines = panel.as_chunks::<2>().0;
    for (line, left) in lines.iter().zip(left.chunks(stride)) {
        let line = &line[strip].0;
        match format {
            Format::F32 => {
                for r in 0..M {
                    let a = f32::from_bits(left[r]);
                    for j in 0..STRIP.0 {
                        sums[r][j] = madd::<FMA>(a, f32::from_bits(line[j]), sums[r][j]);
                    }
                }
            }
            Format::Bf16 => {
                for r in 0..M {
                    let (low, high) = (f32::from_bits(left[r] << 16), f32::from_bits(left[r] & 0xFFFF_0000));
                    for j in 0..STRIP.0 {
                        let sum = madd::<FMA>(low, f32::from_bits(line[j] << 16), sums[r][j]);
                        sums[r][j] = madd::<FMA>(high, f32::from_bits(line[j] & 0xFFFF_0000), sum);
                    }
                }
            }
        }
    }
    for (sums, target) in sums.iter().zip(target.iter_mut()) {
        target[strip * STRIP.0..][..STRIP.0].copy_from_slice(sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    //! Two registers of 16 sums for each row of the tile.

    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, __mmask16, _mm512_and_si512, _mm512_castsi512_ps, _mm512_dpbf16_ps,
        _mm512_fmadd_ps, _mm512_load_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
        _mm512_setzero_ps, _mm512_slli_epi32,
    };

    use super::{Block, Line};

    /// Defines the loop for one way of multiplying, and its choice of the number of rows.
    macro_rules! kernel {
        ($by_rows:ident, $tile:ident, $features:literal, |$sums:ident, $a:ident, $b:ident| $step:expr) => {
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $by_rows(rows: usize, left: &[u32], panel: &[Line], block: Block) {
                // SAFETY: the promises are passed on, with the number of rows that the tile has.
                unsafe {
                    match rows {
                        1 => $tile::<1>(left, panel, block),
                        2 => $tile::<2>(left, panel, block),
                        3 => $tile::<3>(left, panel, block),
                        4 => $tile::<4>(left, panel, block),
                        5 => $tile::<5>(left, panel, block),
                        6 => $tile::<6>(left, panel, block),
                        7 => $tile::<7>(left, panel, block),
                        8 => $tile::<8>(left, panel, block),
                        9 => $tile::<9>(left, panel, block),
                        10 => $tile::<10>(left, panel, block),
                        11 => $tile::<11>(left, panel, block),
                        _ => $tile::<12>(left, panel, block),
                    }
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn $tile<const M: usize>(left: &[u32], panel: &[Line], block: Block) {
                let masks = masks(block.count);
                let mut sums = [[_mm512_setzero_ps(); 2]; M];
                if block.add {
                    // SAFETY: the caller promises M rows of `count` numbers; the masks leave the others alone.
                    unsafe { load(&mut sums, block, masks) };
                }
                let (mut a, mut b) = (left.as_ptr(), panel.as_ptr().cast::<__m512i>());
                for _ in 0..panel.len() / 2 {
                    // SAFETY: the panel has two aligned lines, and the tile M words, for each word of the sum.
                    unsafe {
                        let $b = [_mm512_load_si512(b), _mm512_load_si512(b.add(1))];
                        for r in 0..M {
                            let $a = _mm512_set1_epi32((*a.add(r)).cast_signed());
                            let $sums = &mut sums[r];
                            $step;
                        }
                        // Wrapping, because the last step may leave the slices.
                        (a, b) = (a.wrapping_add(M), b.wrapping_add(2));
                    }
                }
                // SAFETY: as for loading.
                unsafe { store(&sums, block, masks) };
            }
        };
    }

    kernel!(numbers_by_rows, numbers, "avx512f", |sums, a, b| {
        let a = _mm512_castsi512_ps(a);
        sums[0] = _mm512_fmadd_ps(a, _mm512_castsi512_ps(b[0]), sums[0]);
        sums[1] = _mm512_fmadd_ps(a, _mm512_castsi512_ps(b[1]), sums[1]);
    });

    kernel!(pairs_by_rows, pairs, "avx512f,avx512bf16", |sums, a, b| {
        let a = bf16(a);
        sums[0] = _mm512_dpbf16_ps(sums[0], a, bf16(b[0]));
        sums[1] = _mm512_dpbf16_ps(sums[1], a, bf16(b[1]));
    });

    kernel!(widened_by_rows, widened, "avx512f", |sums, a, b| {
        let (low, high) = (low(a), high(a));
        for j in 0..2 {
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
    fn masks(count: usize) -> [__mmask16; 2] {
        let all = (1_u64 << count) - 1;
        [(all & 0xFFFF) as __mmask16, (all >> 16) as __mmask16]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load<const M: usize>(sums: &mut [[__m512; 2]; M], block: Block, masks: [__mmask16; 2]) {
        for (r, sums) in sums.iter_mut().enumerate() {
            let row = block.c.wrapping_add(r * block.stride);
            for j in 0..2 {
                // SAFETY: the caller promises the row; masked lanes are not read.
                sums[j] = unsafe { _mm512_maskz_loadu_ps(masks[j], row.wrapping_add(16 * j)) };
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn store<const M: usize>(sums: &[[__m512; 2]; M], block: Block, masks: [__mmask16; 2]) {
        for (r, sums) in sums.iter().enumerate() {
            let row = block.c.wrapping_add(r * block.stride);
            for j in 0..2 {
                // SAFETY: the caller promises the row; masked lanes are not written.
                unsafe { _mm512_mask_storeu_ps(row.wrapping_add(16 * j), masks[j], sums[j]) };
            }
        }
    }
}
