//! The three products of a linear map on slices, and which form of the weight each of them reads.

use crate::{
    cpu::Matrix,
    gemm::{COLUMNS, Format, Left, Leftward, Packed, Panels, Rows, Tiles, Turned, Unpacked, Write, product},
};

/// The weight [outputs, inputs] of a linear map.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// Packed once, because it is frozen.
    Packed(&'a Packed),
    /// Row-major and packed as it is used, to be multiplied in this format.
    Rows(Matrix<'a>, Format),
}

impl<'a> From<Matrix<'a>> for Operand<'a> {
    /// f32 numbers are multiplied as f32, bf16 ones as bf16.
    fn from(matrix: Matrix<'a>) -> Self {
        let format = if matches!(matrix, Matrix::Bf16(_)) { Format::Bf16 } else { Format::F32 };
        Self::Rows(matrix, format)
    }
}

impl Operand<'_> {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Packed(packed) => packed.format(),
            Self::Rows(_, format) => *format,
        }
    }
}

/// The sizes of a linear map's product: `rows` inputs of width `inputs` become rows of width `outputs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// `y [rows, outputs] = scale * x [rows, inputs] w [outputs, inputs]^T`.
pub(crate) fn forward(y: &mut [f32], write: Write, x: &[f32], w: Operand<'_>, sizes: Sizes, scale: f32) {
    let factor =
        Factor { left: Left::Rows(x), rows: sizes.rows, depth: sizes.inputs, columns: sizes.outputs, scale };
    factor.with(w.format(), &mut |x| forward_packed(y, write, x, w, sizes.outputs));
}

/// [`forward`] for an input that several weights share.
pub(crate) fn forward_packed(y: &mut [f32], write: Write, x: &dyn Leftward, w: Operand<'_>, outputs: usize) {
    match w {
        Operand::Packed(packed) => product(y, write, x, packed),
        Operand::Rows(data, format) => {
            let w = Rows { data, across: outputs, along: x.depth(), format, turned: true };
            product(y, write, x, &w);
        }
    }
}

/// `dx [rows, inputs] = scale * dy [rows, outputs] w [outputs, inputs]`.
pub(crate) fn input_gradient(
    dx: &mut [f32],
    write: Write,
    dy: &[f32],
    w: Operand<'_>,
    sizes: Sizes,
    scale: f32,
) {
    let Sizes { rows, inputs, outputs } = sizes;
    let factor = Factor { left: Left::Rows(dy), rows, depth: outputs, columns: inputs, scale };
    factor.with(w.format(), &mut |dy| match w {
        Operand::Packed(packed) => product(dx, write, dy, &Turned(packed)),
        Operand::Rows(data, format) => {
            let w = Rows { data, across: inputs, along: outputs, format, turned: false };
            product(dx, write, dy, &w);
        }
    });
}

/// `dw [outputs, inputs] = scale * dy [rows, outputs]^T x [rows, inputs]`, summed over the rows in order.
pub(crate) fn weight_gradient(
    dw: &mut [f32],
    write: Write,
    dy: &[f32],
    x: &[f32],
    sizes: Sizes,
    (scale, format): (f32, Format),
) {
    let Sizes { rows, inputs, outputs } = sizes;
    let x = Rows { data: Matrix::F32(x), across: inputs, along: rows, format, turned: false };
    let factor = Factor { left: Left::Columns(dy), rows: outputs, depth: rows, columns: inputs, scale };
    factor.with(format, &mut |dy| product(dw, write, dy, &x));
}

/// `scale` times a matrix [rows, depth], to be multiplied by one of so many columns.
struct Factor<'a> {
    left: Left<'a>,
    rows: usize,
    depth: usize,
    columns: usize,
    scale: f32,
}

impl Factor<'_> {
    /// Packs the factor, unless it meets so few columns that it is better read as it lies: both give the same bits.
    fn with(&self, format: Format, work: &mut dyn FnMut(&dyn Leftward)) {
        let Self { left, rows, depth, columns, scale } = *self;
        if format == Format::F32 && scale == 1.0 && columns <= COLUMNS {
            work(&Unpacked { left, rows, depth });
        } else {
            work(&Tiles::pack(left, rows, depth, format, scale));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flat, normal};

    const SHAPES: [(usize, usize, usize); 6] =
        [(0, 3, 2), (1, 1, 1), (1, 65, 33), (5, 31, 7), (67, 129, 35), (9, 700, 900)];

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
    fn the_three_products_agree_with_triple_loops_for_packed_and_for_plain_weights() {
        for (rows, inputs, outputs) in SHAPES {
            let sizes = Sizes { rows, inputs, outputs };
            let (x, w, dy) =
                (numbers(1, rows * inputs), numbers(2, outputs * inputs), numbers(3, rows * outputs));
            let at = |m: &[f32], width: usize, i: usize, j: usize| f64::from(m[i * width + j]);
            let packed = Packed::new(Matrix::F32(&w), outputs, inputs, Format::F32);
            for operand in [Operand::Packed(&packed), Operand::Rows(Matrix::F32(&w), Format::F32)] {
                let mut y = vec![7.0; rows * outputs];
                forward(&mut y, Write::Set, &x, operand, sizes, 1.0);
                close(
                    &y,
                    &reference(rows, outputs, inputs, |i, j, l| at(&x, inputs, i, l) * at(&w, inputs, j, l)),
                );

                let mut dx = vec![1.0; rows * inputs];
                input_gradient(&mut dx, Write::Add, &dy, operand, sizes, 0.5);
                let expected =
                    reference(rows, inputs, outputs, |i, j, l| at(&dy, outputs, i, l) * at(&w, inputs, l, j));
                close(&dx, &expected.iter().map(|v| 1.0 + 0.5 * v).collect::<Vec<_>>());
            }
            let mut dw = vec![7.0; outputs * inputs];
            weight_gradient(&mut dw, Write::Set, &dy, &x, sizes, (1.0, Format::F32));
            close(
                &dw,
                &reference(outputs, inputs, rows, |i, j, l| at(&dy, outputs, l, i) * at(&x, inputs, l, j)),
            );
        }
    }
}
