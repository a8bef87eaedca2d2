//! Matrix products on slices, the one place that decides how they are computed: in cache blocks for many rows, as dot products for
//! few.
//!
//! All matrices are row-major. Weights may be bf16; they are widened as they are packed, so no f32 copy of a whole one exists.

use half::bf16;
use rayon::prelude::*;

use crate::{
    cpu::Matrix,
    simd::{LANES, dispatch, dot, madd, sum_lanes},
};
use blocked::{Packed, Source};

mod blocked;

/// Up to this many rows, a product reads the weight once and takes dot products.
const FEW_ROWS: usize = 4;
/// Weight numbers per task of such a product.
const DOT_TASK: usize = 64 * 1024;

/// What happens to the numbers already in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// They are overwritten.
    Set,
    /// The product is added to them.
    Add,
}

/// The sizes of a linear map's product: `rows` inputs of width `inputs` become rows of width `outputs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `y [rows, outputs] = scale * x [rows, inputs] w [outputs, inputs]^T`.
pub(crate) fn forward(y: &mut [f32], write: Write, x: &[f32], w: Matrix<'_>, sizes: Sizes, scale: f32) {
    let Sizes { rows, inputs, outputs } = sizes;
    if rows <= FEW_ROWS {
        return few_rows(y, write, x, w, sizes, scale);
    }
    let lhs = Source { data: x, row: inputs, column: 1 };
    with_f32_or_bf16(w, inputs, Side::Transposed, |w| {
        blocked::product(y, write, (rows, outputs, inputs), lhs, w, scale);
    });
}

/// `dx [rows, inputs] = scale * dy [rows, outputs] w [outputs, inputs]`.
pub(crate) fn input_gradient(
    dx: &mut [f32],
    write: Write,
    dy: &[f32],
    w: Matrix<'_>,
    sizes: Sizes,
    scale: f32,
) {
    let Sizes { rows, inputs, outputs } = sizes;
    let lhs = Source { data: dy, row: outputs, column: 1 };
    with_f32_or_bf16(w, inputs, Side::Plain, |w| {
        blocked::product(dx, write, (rows, inputs, outputs), lhs, w, scale);
    });
}

/// `dw [outputs, inputs] = scale * dy [rows, outputs]^T x [rows, inputs]`.
pub(crate) fn weight_gradient(dw: &mut [f32], write: Write, dy: &[f32], x: &[f32], sizes: Sizes, scale: f32) {
    let Sizes { rows, inputs, outputs } = sizes;
    let lhs = Source { data: dy, row: 1, column: outputs };
    let rhs = Source { data: x, row: inputs, column: 1 };
    blocked::product(dw, write, (outputs, inputs, rows), lhs, &rhs, scale);
}

/// Whether a weight is used as it lies or turned over.
#[derive(Clone, Copy)]
enum Side {
    Plain,
    Transposed,
}

fn with_f32_or_bf16(w: Matrix<'_>, width: usize, side: Side, work: impl FnOnce(&dyn Packed)) {
    let (row, column) = match side {
        Side::Plain => (width, 1),
        Side::Transposed => (1, width),
    };
    match w {
        Matrix::F32(data) => work(&Source { data, row, column }),
        Matrix::Bf16(data) => work(&Source { data, row, column }),
    }
}

#[inline(always)]
pub(crate) fn from_bf16(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// One dot product per output, the weight's rows split among threads. The order of a sum depends on `inputs` alone.
fn few_rows(y: &mut [f32], write: Write, x: &[f32], w: Matrix<'_>, sizes: Sizes, scale: f32) {
    let Sizes { rows, inputs, outputs } = sizes;
    // Transposed, so that each task owns a run of it: [outputs, rows].
    let mut columns = vec![0_f32; outputs * rows];
    let per_task = (DOT_TASK / inputs.max(1)).clamp(1, outputs.max(1));
    let task = |(i, part): (usize, &mut [f32])| {
        let range = i * per_task * inputs..(i * per_task + part.len() / rows) * inputs;
        match w {
            Matrix::F32(w) => dots(part, x, &w[range], inputs),
            Matrix::Bf16(w) => dots_bf16(part, x, &w[range], inputs),
        }
    };
    if outputs <= per_task {
        columns.chunks_mut((per_task * rows).max(1)).enumerate().for_each(task);
    } else {
        columns.par_chunks_mut((per_task * rows).max(1)).enumerate().for_each(task);
    }
    for (row, y) in y.chunks_mut(outputs.max(1)).enumerate() {
        for (output, y) in y.iter_mut().enumerate() {
            let value = scale * columns[output * rows + row];
            *y = if write == Write::Add { *y + value } else { value };
        }
    }
}

dispatch! {
    fn dots(columns: &mut [f32], x: &[f32], w: &[f32], inputs: usize) {
        let rows = x.len() / inputs;
        for (columns, w) in columns.chunks_exact_mut(rows).zip(w.chunks_exact(inputs)) {
            for (column, x) in columns.iter_mut().zip(x.chunks_exact(inputs)) {
                *column = dot::<FMA>(x, w);
            }
        }
    }
}

dispatch! {
    fn dots_bf16(columns: &mut [f32], x: &[f32], w: &[bf16], inputs: usize) {
        let rows = x.len() / inputs;
        for (columns, w) in columns.chunks_exact_mut(rows).zip(w.chunks_exact(inputs)) {
            for (column, x) in columns.iter_mut().zip(x.chunks_exact(inputs)) {
                let mut lanes = [0_f32; LANES];
                let (x_blocks, x_rest) = x.as_chunks::<LANES>();
                let (w_blocks, w_rest) = w.as_chunks::<LANES>();
                for (x, w) in x_blocks.iter().zip(w_blocks) {
                    for lane in 0..LANES {
                        lanes[lane] = madd::<FMA>(x[lane], from_bf16(w[lane]), lanes[lane]);
                    }
                }
                for (lane, (x, w)) in x_rest.iter().zip(w_rest).enumerate() {
                    lanes[lane] = madd::<FMA>(*x, from_bf16(*w), lanes[lane]);
                }
                *column = sum_lanes(lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};

    const SHAPES: [(usize, usize, usize); 7] =
        [(0, 3, 2), (1, 1, 1), (1, 65, 33), (4, 31, 7), (5, 31, 7), (67, 129, 35), (9, 700, 900)];

    fn numbers(seed: u64, n: usize) -> Vec<f32> {
        flat(&normal(seed, n))
    }

    /// Triple loop in f64.
    fn reference(m: usize, n: usize, k: usize, product: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
        (0..m * n).map(|i| (0..k).map(|l| product(i / n, i % n, l)).sum()).collect()
    }

    #[track_caller]
    fn close(found: &[f32], expected: &[f64]) {
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 2e-4, "{a} instead of {b}");
        }
    }

    #[test]
    fn the_three_products_of_a_linear_map_agree_with_triple_loops() {
        for (rows, inputs, outputs) in SHAPES {
            let sizes = Sizes { rows, inputs, outputs };
            let (x, w, dy) =
                (numbers(1, rows * inputs), numbers(2, outputs * inputs), numbers(3, rows * outputs));
            let at = |m: &[f32], width: usize, i: usize, j: usize| f64::from(m[i * width + j]);

            let mut y = vec![7.0; rows * outputs];
            forward(&mut y, Write::Set, &x, Matrix::F32(&w), sizes, 1.0);
            let expected =
                reference(rows, outputs, inputs, |i, j, l| at(&x, inputs, i, l) * at(&w, inputs, j, l));
            close(&y, &expected);

            let mut dx = vec![1.0; rows * inputs];
            input_gradient(&mut dx, Write::Add, &dy, Matrix::F32(&w), sizes, 0.5);
            let expected =
                reference(rows, inputs, outputs, |i, j, l| at(&dy, outputs, i, l) * at(&w, inputs, l, j));
            close(&dx, &expected.iter().map(|v| 1.0 + 0.5 * v).collect::<Vec<_>>());

            let mut dw = vec![7.0; outputs * inputs];
            weight_gradient(&mut dw, Write::Set, &dy, &x, sizes, 1.0);
            let expected =
                reference(outputs, inputs, rows, |i, j, l| at(&dy, outputs, l, i) * at(&x, inputs, l, j));
            close(&dw, &expected);
        }
    }

    #[test]
    fn a_bf16_weight_gives_what_its_widened_copy_gives() {
        for (rows, inputs, outputs) in SHAPES {
            let sizes = Sizes { rows, inputs, outputs };
            let (x, dy) = (numbers(1, rows * inputs), numbers(3, rows * outputs));
            let narrow: Vec<bf16> = numbers(2, outputs * inputs).into_iter().map(bf16::from_f32).collect();
            let wide: Vec<f32> = narrow.iter().map(|v| v.to_f32()).collect();
            let run = |w: Matrix<'_>| {
                let (mut y, mut dx) = (vec![1.0; rows * outputs], vec![1.0; rows * inputs]);
                forward(&mut y, Write::Add, &x, w, sizes, 2.0);
                input_gradient(&mut dx, Write::Set, &dy, w, sizes, 1.0);
                (y, dx)
            };
            let (y, dx) = run(Matrix::Bf16(&narrow));
            let (wide_y, wide_dx) = run(Matrix::F32(&wide));
            close(&y, &wide_y.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
            close(&dx, &wide_dx.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_row_is_the_same_among_any_others() {
        let (inputs, outputs) = (300, 50);
        let (x, w) = (numbers(1, 500 * inputs), numbers(2, inputs * outputs));
        let run = |rows: usize| {
            let mut y = vec![0.0; rows * outputs];
            forward(
                &mut y,
                Write::Set,
                &x[..rows * inputs],
                Matrix::F32(&w),
                Sizes { rows, inputs, outputs },
                1.0,
            );
            y.truncate(outputs);
            y
        };
        assert_eq!(run(1), run(2));
        assert_eq!(run(1), run(4));
        assert_eq!(run(5), run(6));
        assert_eq!(run(5), run(500));
    }
}
