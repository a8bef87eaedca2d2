//! A matrix product for blocks that fit the first-level cache, on factors that are read as they lie.

use crate::gemm::{self, Format, LeftPart, MOST_LINES, Next, Order, RightPart, multiply_tile, words_of};

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
pub(crate) fn multiply(
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
    if k == 0 {
        if !add {
            c.chunks_mut(row).take(m).for_each(|c| c[..n].fill(0.0));
        }
        return;
    }
    for i in (0..m).step_by(gemm::ROWS) {
        let left = LeftPart { words: words_of(&a.data[i * a.row..]), row: a.row, step: a.column };
        for j in (0..n).step_by(gemm::COLUMNS) {
            let right = RightPart { words: words_of(&b.data[j..]), step: b.row, next: Next::default() };
            let size = (gemm::ROWS.min(m - i), gemm::COLUMNS.min(n - j));
            multiply_tile(Format::F32, (&mut c[i * row + j..], row), add, size, k, (left, right));
        }
    }
}

/// A right factor of bf16 pairs, in panels of 32 columns one after the other, `[panel][word][column]`; a last panel is as wide as there
/// are columns.
#[derive(Clone, Copy)]
pub(crate) struct PairPanels<'a> {
    pub(crate) words: &'a [u32],
    /// Words along the sum in each panel.
    along: usize,
    columns: usize,
}

impl<'a> PairPanels<'a> {
    /// Those of head `head` among several of one size, words along the sum and columns, that lie one after the other.
    #[inline(always)]
    pub(crate) fn of_head(words: &'a [u32], head: usize, (along, columns): (usize, usize)) -> Self {
        let each = along * columns;
        Self { words: &words[head * each..][..each], along, columns }
    }

    /// The panels that the first of its columns lie in.
    #[inline(always)]
    pub(crate) fn narrow(self, columns: usize) -> Self {
        let columns = columns.next_multiple_of(gemm::COLUMNS).min(self.columns);
        Self { words: &self.words[..self.along * columns], columns, ..self }
    }

    /// Panel `index`, and the words between two of its lines.
    #[inline(always)]
    fn panel(&self, index: usize) -> (&'a [u32], usize) {
        let step = gemm::COLUMNS.min(self.columns - index * gemm::COLUMNS);
        (&self.words[index * gemm::COLUMNS * self.along..][..step * self.along], step)
    }

    fn panels(&self) -> usize {
        self.columns.div_ceil(gemm::COLUMNS)
    }
}

/// [`multiply`] for pairs of bf16, `steps` of them along the sum: the left factor in tiles as [`gemm::pack_pairs`] leaves it, of `width`
/// words each row. Memory is asked for so many words along the sum of the panels `next` meanwhile.
pub(crate) fn multiply_pairs(
    (c, row): (&mut [f32], usize),
    add: bool,
    (m, n, steps): (usize, usize, usize),
    (a, width): (&[u32], usize),
    b: PairPanels<'_>,
    next: Option<(PairPanels<'_>, usize)>,
) {
    /// Panels that are asked for with one tile, at most.
    const ASKED: usize = 4;
    let height = Order::of(Format::Bf16).rows();
    let tiles = n.div_ceil(gemm::COLUMNS);
    for i in (0..m).step_by(height) {
        let rows = height.min(m - i);
        let left = LeftPart::packed(Format::Bf16, &a[i * width..(i + rows) * width], rows);
        for j in 0..tiles {
            let mut asked = [&[][..]; ASKED];
            if let Some((next, along)) = next.filter(|_| i == 0) {
                let panels = (j..next.panels()).step_by(tiles);
                for (asked, (words, step)) in asked.iter_mut().zip(panels.map(|panel| next.panel(panel))) {
                    *asked = &words[..along * step];
                }
            }
            let ((words, step), first) = (b.panel(j), j * gemm::COLUMNS);
            let next = Next { parts: &asked, lines: MOST_LINES };
            let right = RightPart { words, step, next };
            let size = (rows, gemm::COLUMNS.min(n - first));
            let c = &mut c[i * row + first..];
            multiply_tile(Format::Bf16, (c, row), add, size, steps, (left, right));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};

    #[test]
    fn tiles_of_every_remainder_agree_with_a_triple_loop() {
        for m in [1, 2, 5, 6, 7, 13] {
            for n in [1, 15, 16, 17, 40] {
                for k in [0, 1, 9] {
                    let (a, b) = (flat(&normal(1, m * k + 1)), flat(&normal(2, k * (n + 2) + 1)));
                    // The left factor is read transposed: element (i, l) at i + l m.
                    let left = Left { data: &a, row: 1, column: m };
                    let mut c = vec![1.0; m * (n + 3)];
                    multiply((&mut c, n + 3), true, (m, n, k), left, Right { data: &b, row: n + 2 });
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
