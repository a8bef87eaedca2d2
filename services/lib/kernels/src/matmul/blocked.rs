//! A matrix product in cache blocks: the right factor is packed into panels of 16 columns, the left one read in tiles of 6 rows.
//!
//! Each element is the sum over blocks of k of running sums in order, whatever the other sizes: a row of the product does not
//! depend on how many others there are, nor on the number of threads.

use std::cell::RefCell;

use half::bf16;
use rayon::prelude::*;

use super::{Write, from_bf16};
use crate::{
    simd::{dispatch, madd},
    tile::{COLUMNS, sums},
};

/// Steps along k in one pass: a panel of the right factor then takes half the first-level cache.
const DEPTH: usize = 256;
/// Rows in a task at most: their part of the left factor then stays in the second-level cache.
const ROWS: usize = 96;
/// Rows of a tile.
const TILE: usize = 6;
/// Multiplications below which other threads are not worth waking.
const PARALLEL_FROM: usize = 128 * 1024;

/// A matrix to read: element (i, j) lies at `i * row + j * column`; one of the strides is 1.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, T> {
    pub(super) data: &'a [T],
    pub(super) row: usize,
    pub(super) column: usize,
}

/// A right factor that can be packed.
pub(super) trait Packed: Sync {
    /// Fills a panel [depth, 16] from rows `first..` and columns `column..column + count`, zeros beside them.
    fn pack(&self, panel: &mut [f32], first: usize, column: usize, count: usize);
    /// Whether all of [k, n] can be read.
    fn holds(&self, k: usize, n: usize) -> bool;
}

impl<T> Source<'_, T> {
    fn has(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

impl Packed for Source<'_, f32> {
    fn pack(&self, panel: &mut [f32], first: usize, column: usize, count: usize) {
        let from = first * self.row + column * self.column;
        pack_f32(panel, &self.data[from..], (self.row, self.column), count);
    }

    fn holds(&self, k: usize, n: usize) -> bool {
        self.has(k, n)
    }
}

impl Packed for Source<'_, bf16> {
    fn pack(&self, panel: &mut [f32], first: usize, column: usize, count: usize) {
        let from = first * self.row + column * self.column;
        pack_bf16(panel, &self.data[from..], (self.row, self.column), count);
    }

    fn holds(&self, k: usize, n: usize) -> bool {
        self.has(k, n)
    }
}

dispatch! {
    fn pack_f32(panel: &mut [f32], data: &[f32], strides: (usize, usize), count: usize) {
        pack_any(panel, data, strides, count, |value| value);
    }
}

dispatch! {
    fn pack_bf16(panel: &mut [f32], data: &[bf16], strides: (usize, usize), count: usize) {
        pack_any(panel, data, strides, count, from_bf16);
    }
}

#[inline(always)]
fn pack_any<T: Copy>(
    panel: &mut [f32],
    data: &[T],
    (row, column): (usize, usize),
    count: usize,
    wide: impl Fn(T) -> f32,
) {
    let lines = panel.as_chunks_mut::<COLUMNS>().0;
    if count < COLUMNS {
        lines.iter_mut().for_each(|line| line.fill(0.0));
    }
    if column == 1 {
        for (l, line) in lines.iter_mut().enumerate() {
            for (to, from) in line.iter_mut().zip(&data[l * row..][..count]) {
                *to = wide(*from);
            }
        }
    } else {
        for j in 0..count {
            // Neighbours along k lie side by side, as in a transposed weight.
            for (line, from) in lines.iter_mut().zip(data[j * column..].iter().step_by(row)) {
                line[j] = wide(*from);
            }
        }
    }
}

thread_local! {
    /// The panels of the last product, kept so that their memory is not asked for and cleared again.
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `c [m, n] = scale * a [m, k] b [k, n]`.
pub(super) fn product(
    c: &mut [f32],
    write: Write,
    (m, n, k): (usize, usize, usize),
    a: Source<'_, f32>,
    b: &dyn Packed,
    scale: f32,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.has(m, k) && b.holds(k, n), "matrix product reads past its inputs");
    assert!(m * n <= c.len(), "matrix product writes past its output");
    if write == Write::Set && k == 0 {
        c[..m * n].fill(0.0);
    }
    let parallel = m * n * k >= PARALLEL_FROM && rayon::current_num_threads() > 1;
    let mut panels = PANELS.take();
    for first in (0..k).step_by(DEPTH) {
        let depth = DEPTH.min(k - first);
        pack(&mut panels, b, (first, depth), n, parallel);
        let pass = Pass { panels: &panels, a, first, depth, n, add: first > 0 || write == Write::Add, scale };
        let rows = rows_per_task(m, parallel);
        if parallel {
            c[..m * n].par_chunks_mut(rows * n).enumerate().for_each(|(i, c)| pass.run(i * rows, c));
        } else {
            c[..m * n].chunks_mut(rows * n).enumerate().for_each(|(i, c)| pass.run(i * rows, c));
        }
    }
    PANELS.set(panels);
}

/// Whole tiles, at least two tasks for each thread where there are so many.
fn rows_per_task(m: usize, parallel: bool) -> usize {
    let share = if parallel { m.div_ceil(2 * rayon::current_num_threads()) } else { m };
    share.next_multiple_of(TILE).min(ROWS)
}

fn pack(panels: &mut Vec<f32>, b: &dyn Packed, (first, depth): (usize, usize), n: usize, parallel: bool) {
    let size = depth * COLUMNS;
    let needed = n.div_ceil(COLUMNS) * size;
    if panels.len() < needed {
        panels.resize(needed, 0.0);
    }
    let work = |(i, panel): (usize, &mut [f32])| {
        let column = i * COLUMNS;
        b.pack(panel, first, column, COLUMNS.min(n - column));
    };
    if parallel {
        panels[..needed].par_chunks_mut(size).enumerate().with_min_len(4).for_each(work);
    } else {
        panels[..needed].chunks_mut(size).enumerate().for_each(work);
    }
}

/// One block of k.
struct Pass<'a> {
    /// [n / 16, depth, 16]
    panels: &'a [f32],
    a: Source<'a, f32>,
    first: usize,
    depth: usize,
    n: usize,
    add: bool,
    scale: f32,
}

impl Pass<'_> {
    /// Computes the rows `c` of the product, the first of which is number `row`.
    fn run(&self, row: usize, c: &mut [f32]) {
        let rows = c.len() / self.n;
        let a = &self.a.data[row * self.a.row + self.first * self.a.column..];
        if self.a.column == 1 {
            return multiply(self, c, &|i| (&a[i * self.a.row..], self.a.row, 1));
        }
        // Turned over, so that a tile's numbers lie together: read as they are, they would share a few sets of the cache.
        let mut turned = vec![0_f32; (rows / TILE + 1) * TILE * self.depth];
        for l in 0..self.depth {
            let line = &a[l * self.a.column..][..rows];
            // Whole tiles by arrays: a copy of known length is two instructions rather than a call.
            let (whole, rest) = line.as_chunks::<TILE>();
            for (tile, numbers) in whole.iter().enumerate() {
                let at = (tile * self.depth + l) * TILE;
                turned[at..at + TILE].copy_from_slice(numbers);
            }
            let at = (whole.len() * self.depth + l) * TILE;
            turned[at..at + rest.len()].copy_from_slice(rest);
        }
        multiply(self, c, &|i| (&turned[i * self.depth..], 1, TILE));
    }
}

/// A tile of the left factor, by its first row: its numbers, row stride and column stride.
type Tiles<'a> = &'a dyn Fn(usize) -> (&'a [f32], usize, usize);

dispatch! {
    fn multiply(pass: &Pass<'_>, c: &mut [f32], tiles: Tiles<'_>) {
        let rows = c.len() / pass.n;
        for (panel, column) in pass.panels.chunks_exact(pass.depth * COLUMNS).zip((0..pass.n).step_by(COLUMNS)) {
            for row in (0..rows).step_by(TILE) {
                let left = tiles(row);
                let place = (row, column);
                match rows - row {
                    1 => tile::<FMA, 1>(pass, c, left, panel, place),
                    2 => tile::<FMA, 2>(pass, c, left, panel, place),
                    3 => tile::<FMA, 3>(pass, c, left, panel, place),
                    4 => tile::<FMA, 4>(pass, c, left, panel, place),
                    5 => tile::<FMA, 5>(pass, c, left, panel, place),
                    _ => tile::<FMA, TILE>(pass, c, left, panel, place),
                }
            }
        }
    }
}

#[inline(always)]
fn tile<const FMA: bool, const M: usize>(
    pass: &Pass<'_>,
    c: &mut [f32],
    (left, row_stride, column_stride): (&[f32], usize, usize),
    panel: &[f32],
    (row, column): (usize, usize),
) {
    assert!((M - 1) * row_stride + (pass.depth - 1) * column_stride < left.len());
    assert!(panel.len() == pass.depth * COLUMNS);
    let left = (left.as_ptr(), row_stride, column_stride);
    // SAFETY: the assertions above are what `sums` asks for.
    let sums = unsafe { sums::<FMA, M, COLUMNS>(pass.depth, left, (panel.as_ptr(), COLUMNS)) };
    let count = COLUMNS.min(pass.n - column);
    let at = row * pass.n + column;
    if count < COLUMNS {
        return store_part(&mut c[at..], pass, &sums, count);
    }
    assert!(at + (M - 1) * pass.n + COLUMNS <= c.len());
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: the last of these rows ends inside `c` by the assertion, and the others before it.
        let c = unsafe { &mut *c.as_mut_ptr().add(at + r * pass.n).cast::<[f32; COLUMNS]>() };
        for j in 0..COLUMNS {
            let before = if pass.add { c[j] } else { 0.0 };
            c[j] = madd::<FMA>(sums[j], pass.scale, before);
        }
    }
}

/// The last columns, fewer than a panel has.
#[inline(always)]
fn store_part<const M: usize>(c: &mut [f32], pass: &Pass<'_>, sums: &[[f32; COLUMNS]; M], count: usize) {
    for (r, sums) in sums.iter().enumerate() {
        for (c, sum) in c[r * pass.n..][..count].iter_mut().zip(sums) {
            let before = if pass.add { *c } else { 0.0 };
            *c = before + sum * pass.scale;
        }
    }
}
