//! A small matrix product for blocks that fit the first-level cache, to be inlined into a dispatched loop.

use crate::{Dispatch, dispatch::dispatch, simd::madd};

/// Columns computed together: two registers of eight, or one of sixteen.
pub(crate) const COLUMNS: usize = 16;
/// Columns computed together where registers are wide enough: twice as many sums hide the latency of an addition.
const WIDE: usize = 32;
/// Rows computed together, so that the sums of a tile stay in registers.
const ROWS: usize = 6;

/// The left factor: element (i, l) lies at `i * row + l * column`, so that it may be a transposed view.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// The right factor: row `l` starts at `l * row`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
}

/// `c [m, n] (+)= a [m, k] b [k, n]`, rows of `c` lying `row` apart. Each element is one running sum over k in order, so that it
/// depends neither on m nor on n.
#[inline(always)]
pub(crate) fn multiply<const FMA: bool>(
    (c, row): (&mut [f32], usize),
    add: bool,
    (m, n, k): (usize, usize, usize),
    a: Left<'_>,
    b: Right<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= row && (m - 1) * row + n <= c.len(), "tile writes past its output");
    assert!(k == 0 || (m - 1) * a.row + (k - 1) * a.column < a.data.len(), "tile reads past its left factor");
    assert!(k == 0 || (k - 1) * b.row + n <= b.data.len(), "tile reads past its right factor");
    let wide = if dispatch() >= Dispatch::Avx512 { n - n % WIDE } else { 0 };
    for j in (0..wide).step_by(WIDE) {
        column_strip::<FMA, WIDE>((c, row), add, (m, k), a, b, j);
    }
    let whole = n - n % COLUMNS;
    for j in (wide..whole).step_by(COLUMNS) {
        column_strip::<FMA, COLUMNS>((c, row), add, (m, k), a, b, j);
    }
    for j in whole..n {
        column_strip::<FMA, 1>((c, row), add, (m, k), a, b, j);
    }
}

#[inline(always)]
fn column_strip<const FMA: bool, const N: usize>(
    (c, row): (&mut [f32], usize),
    add: bool,
    (m, k): (usize, usize),
    a: Left<'_>,
    b: Right<'_>,
    j: usize,
) {
    let mut i = 0;
    while i + ROWS <= m {
        tile::<FMA, ROWS, N>((c, row), add, k, a, b, (i, j));
        i += ROWS;
    }
    while i + 2 <= m {
        tile::<FMA, 2, N>((c, row), add, k, a, b, (i, j));
        i += 2;
    }
    if i < m {
        tile::<FMA, 1, N>((c, row), add, k, a, b, (i, j));
    }
}

/// The caller has checked that rows i..i+M, columns j..j+N and all of k lie inside the three matrices.
#[inline(always)]
fn tile<const FMA: bool, const M: usize, const N: usize>(
    (c, row): (&mut [f32], usize),
    add: bool,
    k: usize,
    a: Left<'_>,
    b: Right<'_>,
    (i, j): (usize, usize),
) {
    let (left, right) = (a.data.as_ptr().wrapping_add(i * a.row), b.data.as_ptr().wrapping_add(j));
    // SAFETY: `multiply` has asserted that element (m - 1, k - 1) of `a` and row k - 1 of `b` up to column n exist.
    let sums = unsafe { sums::<FMA, M, N>(k, (left, a.row, a.column), (right, b.row)) };
    for (r, sums) in sums.iter().enumerate() {
        let c = &mut c[(i + r) * row + j..][..N];
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if add { *c + sum } else { *sum };
        }
    }
}

/// The M x N sums over k of products of a left factor (pointer, row stride, column stride) and a right one (pointer, row stride),
/// small enough for registers.
///
/// # Safety
/// Elements (r, l) for r < M and l < k of the left factor, and N elements from each of k rows of the right one, can be read.
#[inline(always)]
pub(crate) unsafe fn sums<const FMA: bool, const M: usize, const N: usize>(
    k: usize,
    (mut a, row, column): (*const f32, usize, usize),
    (mut b, step): (*const f32, usize),
) -> [[f32; N]; M] {
    let mut sums = [[0_f32; N]; M];
    for _ in 0..k {
        // SAFETY: this is one of the k rows of the right factor.
        let b_row: [f32; N] = unsafe { b.cast::<[f32; N]>().read() };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: r < M, and `a` has moved on by less than k columns.
            let a = unsafe { *a.add(r * row) };
            for (sum, b) in sums.iter_mut().zip(b_row) {
                *sum = madd::<FMA>(a, b, *sum);
            }
        }
        // Wrapping, because the last step may leave the slice.
        (a, b) = (a.wrapping_add(column), b.wrapping_add(step));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        simd::dispatch,
        testing::{flat, normal},
    };

    dispatch! {
        fn product(c: &mut [f32], add: bool, sizes: (usize, usize, usize), a: Left<'_>, b: Right<'_>) {
            multiply::<FMA>((c, sizes.1 + 3), add, sizes, a, b);
        }
    }

    #[test]
    fn tiles_of_every_remainder_agree_with_a_triple_loop() {
        for m in [1, 2, 5, 6, 7, 13] {
            for n in [1, 15, 16, 17, 40] {
                for k in [0, 1, 9] {
                    let (a, b) = (flat(&normal(1, m * k + 1)), flat(&normal(2, k * (n + 2) + 1)));
                    // The left factor is read transposed: element (i, l) at i + l m.
                    let left = Left { data: &a, row: 1, column: m };
                    let mut c = vec![1.0; m * (n + 3)];
                    product(&mut c, true, (m, n, k), left, Right { data: &b, row: n + 2 });
                    for (index, found) in c.iter().enumerate() {
                        let (i, j) = (index / (n + 3), index % (n + 3));
                        let sum: f32 = (0..k).map(|l| a[i + l * m] * b[l * (n + 2) + j.min(n)]).sum();
                        let expected = if j < n { 1.0 + sum } else { 1.0 };
                        assert!((found - expected).abs() < 1e-4, "({i}, {j}) of {m}x{n}x{k}");
                    }
                }
            }
        }
    }
}
