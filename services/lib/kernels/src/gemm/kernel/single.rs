//! Single rows, each with a right factor of its own, as many adapters have in a batch of tokens. A sum waits for each of its additions,
//! so several are made at once; each in the order in which it is made alone.

use super::LeftPart;
use crate::{
    Dispatch,
    dispatch::dispatch,
    gemm::{COLUMNS, Format},
};

/// Columns of a register.
pub(in crate::gemm) const REGISTER: usize = 16;
/// Registers of sums that are made at once.
pub(in crate::gemm) const TOGETHER: usize = 4;

/// Whether factors of this format are multiplied here: on the path whose other loops take one row after the other.
pub(in crate::gemm) fn available(format: Format) -> bool {
    cfg!(target_arch = "x86_64") && format == Format::Bf16 && dispatch() == Dispatch::Avx512Bf16
}

/// Up to 16 columns of a right factor, whose words lie `step` apart.
#[derive(Default)]
pub(in crate::gemm) struct Columns<'a> {
    pub(in crate::gemm) right: &'a [u32],
    pub(in crate::gemm) step: usize,
    /// Their sums, which are overwritten.
    pub(in crate::gemm) to: &'a mut [f32],
}

/// Multiplies so many words of a row, `left`, by some columns, at most [`TOGETHER`] registers of them.
pub(in crate::gemm) fn multiply_columns(steps: usize, left: LeftPart<'_>, columns: &mut [Columns<'_>]) {
    assert!(available(Format::Bf16), "the path in use has no such loop");
    if steps == 0 {
        return columns.iter_mut().for_each(|columns| columns.to.fill(0.0));
    }
    assert!((steps - 1) * left.step < left.words.len(), "a row is shorter than its sum");
    for Columns { right, step, to } in columns.iter() {
        assert!((steps - 1) * step + REGISTER <= right.len(), "columns are shorter than their sum");
        assert!((1..=REGISTER).contains(&to.len()), "a register holds up to 16 columns");
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the path has the instructions, and the factors have what is read, by the assertions above.
    unsafe {
        avx512::multiply_columns(steps, left, columns);
    }
}

/// Sets a row to the products of so many words, `left`, with panels that follow each other, each of them whole.
pub(in crate::gemm) fn set_single(steps: usize, left: LeftPart<'_>, panels: &[u32], row: &mut [f32]) {
    assert!(available(Format::Bf16), "the path in use has no such loop");
    assert!(steps > 0 && (steps - 1) * left.step < left.words.len(), "a row is shorter than its sum");
    assert!(panels.len() == steps * row.len() && row.len().is_multiple_of(COLUMNS), "panels are not whole");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the path has the instructions, and the row so many words, by the assertions above.
    unsafe {
        avx512::set_single(steps, left, panels, row);
    }
}

/// Adds to a row the products of its words with panels that follow each other, each of them whole.
pub(in crate::gemm) fn add_single(words: &[u32], panels: &[u32], row: &mut [f32]) {
    assert!(available(Format::Bf16), "the path in use has no such loop");
    assert!(
        panels.len() == words.len() * row.len() && row.len().is_multiple_of(COLUMNS),
        "panels are not whole"
    );
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the path has the instructions, by the assertion above.
    unsafe {
        avx512::add_single(words, panels, row);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, __mmask16, _MM_HINT_T0, _mm_prefetch, _mm512_dpbf16_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{COLUMNS, Columns, LeftPart, REGISTER, TOGETHER};
    use crate::gemm::LINES;

    /// Words ahead of those that are multiplied, for which memory is asked.
    const AHEAD: usize = 512;

    /// # Safety
    /// The processor has the instructions; the factors have so many words, from 1 on.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn multiply_columns(steps: usize, left: LeftPart<'_>, columns: &mut [Columns<'_>]) {
        // SAFETY: the caller's promise.
        unsafe {
            match columns.len() {
                0 => {}
                1 => registers::<1>(steps, left, columns),
                2 => registers::<2>(steps, left, columns),
                3 => registers::<3>(steps, left, columns),
                TOGETHER => registers::<TOGETHER>(steps, left, columns),
                more => unreachable!("{more} registers of sums at once"),
            }
        }
    }

    /// # Safety
    /// As for [`multiply_columns`]; they are `N`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn registers<const N: usize>(steps: usize, left: LeftPart<'_>, columns: &mut [Columns<'_>]) {
        let mut sums = [_mm512_setzero_ps(); N];
        let mut word = left.words.as_ptr();
        let mut rights: [_; N] = std::array::from_fn(|i| columns[i].right.as_ptr());
        let apart: [_; N] = std::array::from_fn(|i| columns[i].step);
        for _ in 0..steps {
            for i in 0..N {
                // SAFETY: the caller's promise; a prefetch reads nothing, wherever it points.
                unsafe {
                    _mm_prefetch::<_MM_HINT_T0>(rights[i].wrapping_add(AHEAD).cast());
                    sums[i] = add(sums[i], *word, rights[i]);
                }
                // Wrapping, because the last step may leave the slices.
                rights[i] = rights[i].wrapping_add(apart[i]);
            }
            word = word.wrapping_add(left.step);
        }
        for (columns, sums) in columns.iter_mut().zip(sums) {
            let mask = ((1_u32 << columns.to.len()) - 1) as __mmask16;
            // SAFETY: the mask has as many lanes as there is room for.
            unsafe { _mm512_mask_storeu_ps(columns.to.as_mut_ptr(), mask, sums) };
        }
    }

    /// # Safety
    /// The processor has the instructions; `left` has so many words.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn set_single(steps: usize, left: LeftPart<'_>, panels: &[u32], row: &mut [f32]) {
        const PANELS: usize = TOGETHER / LINES;
        let each = steps * COLUMNS;
        for (panels, columns) in panels.chunks(PANELS * each).zip(row.chunks_mut(PANELS * COLUMNS)) {
            // SAFETY: the caller's promise; so many panels and columns are there.
            unsafe {
                if columns.len() == PANELS * COLUMNS {
                    some_panels::<PANELS>(steps, left, panels, columns);
                } else {
                    some_panels::<1>(steps, left, panels, columns);
                }
            }
        }
    }

    /// # Safety
    /// As for [`set_single`]; there are `N` panels, and their columns.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn some_panels<const N: usize>(steps: usize, left: LeftPart<'_>, panels: &[u32], row: &mut [f32]) {
        let mut sums = [[_mm512_setzero_ps(); LINES]; N];
        let (mut word, mut line) = (left.words.as_ptr(), panels.as_ptr());
        for _ in 0..steps {
            for (panel, sums) in sums.iter_mut().enumerate() {
                for (half, sums) in sums.iter_mut().enumerate() {
                    let line = line.wrapping_add(panel * steps * COLUMNS + half * REGISTER);
                    // SAFETY: the caller's promise; a prefetch reads nothing, wherever it points.
                    unsafe {
                        _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD).cast());
                        *sums = add(*sums, *word, line);
                    }
                }
            }
            // Wrapping, because the last step may leave the slices.
            (word, line) = (word.wrapping_add(left.step), line.wrapping_add(COLUMNS));
        }
        for (columns, sums) in row.as_chunks_mut::<REGISTER>().0.iter_mut().zip(sums.as_flattened()) {
            // SAFETY: there are as many columns as a register has.
            unsafe { _mm512_storeu_ps(columns.as_mut_ptr(), *sums) };
        }
    }

    /// # Safety
    /// The processor has the instructions.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn add_single(words: &[u32], panels: &[u32], row: &mut [f32]) {
        let panels = panels.chunks_exact((words.len() * COLUMNS).max(1));
        for (columns, panel) in row.as_chunks_mut::<COLUMNS>().0.iter_mut().zip(panels) {
            let at = columns.as_mut_ptr();
            // SAFETY: there are two registers of columns, and a panel has a line of as many for each word.
            unsafe {
                let (mut first, mut second) = (_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(REGISTER)));
                for (word, line) in words.iter().zip(panel.as_chunks::<COLUMNS>().0) {
                    first = add(first, *word, line.as_ptr());
                    second = add(second, *word, line.as_ptr().add(REGISTER));
                }
                _mm512_storeu_ps(at, first);
                _mm512_storeu_ps(at.add(REGISTER), second);
            }
        }
    }

    /// # Safety
    /// The processor has the instructions; a register's words can be read there.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn add(sums: __m512, left: u32, right: *const u32) -> __m512 {
        let pairs = |words: __m512i| -> __m512bh {
            // SAFETY: both are 512 bits of which every pattern is valid.
            unsafe { std::mem::transmute(words) }
        };
        // SAFETY: the caller's promise.
        let right = unsafe { _mm512_loadu_si512(right.cast()) };
        _mm512_dpbf16_ps(sums, pairs(_mm512_set1_epi32(left.cast_signed())), pairs(right))
    }
}
