//! Matrix products on slices, the one place that decides how they are computed: `gemm` for many rows, dot products for few.
//!
//! All matrices are row-major. Weights may be bf16; they are widened block by block, so no f32 copy of a whole one exists.

use gemm::Parallelism;
use half::bf16;
use rayon::prelude::*;

use crate::{
    cpu::Matrix,
    simd::{LANES, dispatch, dot, madd, sum_lanes},
};

/// Up to this many rows, a product reads the weight once and takes dot products.
const FEW_ROWS: usize = 4;
/// Weight numbers per task of such a product.
const DOT_TASK: usize = 64 * 1024;
/// Numbers of a bf16 weight widened at a time: 1 MiB of f32.
const WIDENED: usize = 256 * 1024;

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
    let lhs = View { data: x, row: inputs, column: 1 };
    for_widened_rows(w, inputs, |first, part| {
        let rhs = View { data: part, row: 1, column: inputs };
        let n = part.len() / inputs.max(1);
        let output = Output { data: &mut y[first.min(outputs)..], row: outputs, write };
        product(output, (rows, n, inputs), lhs, rhs, scale);
    });
    if inputs == 0 && write == Write::Set {
        y.fill(0.0);
    }
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
    let mut write = write;
    for_widened_rows(w, inputs, |first, part| {
        let n = part.len() / inputs.max(1);
        let lhs = View { data: &dy[first.min(dy.len())..], row: outputs, column: 1 };
        let rhs = View { data: part, row: inputs, column: 1 };
        product(Output { data: dx, row: inputs, write }, (rows, inputs, n), lhs, rhs, scale);
        write = Write::Add;
    });
    if outputs == 0 && write == Write::Set {
        dx.fill(0.0);
    }
}

/// `dw [outputs, inputs] = scale * dy [rows, outputs]^T x [rows, inputs]`.
pub(crate) fn weight_gradient(dw: &mut [f32], write: Write, dy: &[f32], x: &[f32], sizes: Sizes, scale: f32) {
    let Sizes { rows, inputs, outputs } = sizes;
    let lhs = View { data: dy, row: 1, column: outputs };
    let rhs = View { data: x, row: inputs, column: 1 };
    product(Output { data: dw, row: inputs, write }, (outputs, inputs, rows), lhs, rhs, scale);
}

/// A matrix to read: element (i, j) lies at `i * row + j * column`.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl View<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// A matrix to write, with neighbouring columns.
struct Output<'a> {
    data: &'a mut [f32],
    row: usize,
    write: Write,
}

/// `output [m, n] = scale * lhs [m, k] rhs [k, n]`.
fn product(output: Output<'_>, (m, n, k): (usize, usize, usize), lhs: View<'_>, rhs: View<'_>, scale: f32) {
    if m == 0 || n == 0 {
        return;
    }
    let Output { data, row, write } = output;
    assert!(lhs.holds(m, k) && rhs.holds(k, n), "matrix product reads past its inputs");
    assert!((m - 1) * row + n <= data.len() && n <= row, "matrix product writes past its output");
    let threads = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    // SAFETY: the assertions above keep every element that is read or written inside its slice (indices grow with row and
    // column), the rows of the output don't overlap because n <= row, and the slices can't alias because `data` is borrowed
    // mutably. All strides fit isize, as the slices do.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            data.as_mut_ptr(),
            1,
            row as isize,
            write == Write::Add,
            lhs.data.as_ptr(),
            lhs.column as isize,
            lhs.row as isize,
            rhs.data.as_ptr(),
            rhs.column as isize,
            rhs.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            threads,
        );
    }
}

/// Calls `work(first row, rows)` on the weight's rows in order: once for f32, on widened blocks for bf16.
fn for_widened_rows(w: Matrix<'_>, width: usize, mut work: impl FnMut(usize, &[f32])) {
    match w {
        Matrix::F32(w) => work(0, w),
        Matrix::Bf16(w) => {
            let rows = (WIDENED / width.max(1)).max(1);
            let mut wide = vec![0_f32; w.len().min(rows * width)];
            for (block, part) in w.chunks((rows * width).max(1)).enumerate() {
                let wide = &mut wide[..part.len()];
                wide.par_chunks_mut(DOT_TASK).zip(part.par_chunks(DOT_TASK)).for_each(|(a, b)| widen(a, b));
                work(block * rows, wide);
            }
        }
    }
}

dispatch! {
    fn widen(wide: &mut [f32], narrow: &[bf16]) {
        for (wide, narrow) in wide.iter_mut().zip(narrow) {
            *wide = from_bf16(*narrow);
        }
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
    fn a_row_is_the_same_among_any_few_others() {
        let (inputs, outputs) = (300, 50);
        let (x, w) = (numbers(1, 4 * inputs), numbers(2, inputs * outputs));
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
    }
}
