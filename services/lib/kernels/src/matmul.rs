//! The three products of a linear map on slices, and which forms of their factors they are made from.

use std::ops::Range;

use crate::{
    cpu::Matrix,
    gemm::{
        COLUMNS, Format, Left, LeftPart, Leftward, Line, Packed, Panels, RightPart, Rows, Term, Tiles,
        Turned, Unpacked, Write, product, products,
    },
};

/// The weight [outputs, inputs] of a linear map.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// Packed once, because it is frozen.
    Packed(&'a Packed),
    /// Row-major and packed as it is used, to be multiplied in this format.
    Rows(Matrix<'a>, Format),
}

impl<'a> Operand<'a> {
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Packed(packed) => packed.format(),
            Self::Rows(_, format) => *format,
        }
    }

    /// The right factor of `x W^T`.
    pub(crate) fn forward(self, sizes: Sizes) -> Right<'a> {
        let (across, along) = (sizes.outputs, sizes.inputs);
        match self {
            Self::Packed(packed) => Right::Packed(packed),
            Self::Rows(data, format) => Right::Rows(Rows { data, across, along, format, turned: true }),
        }
    }

    /// The right factor of `dy W`.
    pub(crate) fn backward(self, sizes: Sizes) -> Right<'a> {
        let (across, along) = (sizes.inputs, sizes.outputs);
        match self {
            Self::Packed(packed) => Right::Turned(Turned(packed)),
            Self::Rows(data, format) => Right::Rows(Rows { data, across, along, format, turned: false }),
        }
    }
}

/// A right factor in one of its forms.
pub(crate) enum Right<'a> {
    Packed(&'a Packed),
    Turned(Turned<'a>),
    Rows(Rows<'a>),
    /// Packed for the occasion.
    Made(Packed),
}

impl<'a> Right<'a> {
    /// Activations [along, across], the sum running down their rows.
    pub(crate) fn activations(x: &'a [f32], along: usize, across: usize, format: Format) -> Self {
        match format {
            Format::Bf16 => Self::Made(Packed::across(x, along, across)),
            Format::F32 | Format::F16 | Format::Int8 => {
                Self::Rows(Rows { data: Matrix::F32(x), across, along, format, turned: false })
            }
        }
    }

    fn panels(&self) -> &dyn Panels {
        match self {
            Self::Packed(packed) => *packed,
            Self::Turned(turned) => turned,
            Self::Rows(rows) => rows,
            Self::Made(packed) => packed,
        }
    }
}

impl Panels for Right<'_> {
    fn format(&self) -> Format {
        self.panels().format()
    }

    fn size(&self) -> (usize, usize) {
        self.panels().size()
    }

    fn panel<'a>(&'a self, index: usize, range: Range<usize>, scratch: &'a mut Vec<Line>) -> RightPart<'a> {
        self.panels().panel(index, range, scratch)
    }

    fn ready(&self, index: usize) -> Option<&[u32]> {
        self.panels().ready(index)
    }

    fn run(&self, panels: Range<usize>) -> Option<&[u32]> {
        self.panels().run(panels)
    }
}

/// A left factor in one of its forms.
pub(crate) enum Factor<'a> {
    Tiles(Tiles),
    Unpacked(Unpacked<'a>),
}

impl<'a> Factor<'a> {
    /// A matrix [rows, depth] that meets so many columns. It is packed, unless they are so few that it is better read as it lies:
    /// both give the same bits.
    pub(crate) fn new(left: Left<'a>, (rows, depth): (usize, usize), format: Format, columns: usize) -> Self {
        if format == Format::F32 && columns <= COLUMNS {
            Self::Unpacked(Unpacked { left, rows, depth })
        } else {
            Self::Tiles(Tiles::pack(left, rows, depth, format, 1.0))
        }
    }

    fn leftward(&self) -> &dyn Leftward {
        match self {
            Self::Tiles(tiles) => tiles,
            Self::Unpacked(unpacked) => unpacked,
        }
    }
}

impl Leftward for Factor<'_> {
    fn format(&self) -> Format {
        self.leftward().format()
    }

    fn rows(&self) -> usize {
        self.leftward().rows()
    }

    fn depth(&self) -> usize {
        self.leftward().depth()
    }

    fn tile(&self, row: usize, rows: usize, range: Range<usize>) -> LeftPart<'_> {
        self.leftward().tile(row, rows, range)
    }
}

/// The sizes of a linear map's product: `rows` inputs of width `inputs` become rows of width `outputs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Sizes {
    /// Those of the map the other way.
    pub(crate) fn turned(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs, ..self }
    }
}

/// `x [rows, inputs] w [outputs, inputs]^T`, which is [rows, outputs].
pub(crate) fn forward(x: &[f32], w: Operand<'_>, sizes: Sizes) -> Vec<f32> {
    let x = Factor::new(Left::Rows(x), (sizes.rows, sizes.inputs), w.format(), sizes.outputs);
    products(vec![Term { a: &x, b: &w.forward(sizes) }])
}

/// `dy [rows, outputs] w [outputs, inputs]`, which is [rows, inputs].
pub(crate) fn input_gradient(dy: &[f32], w: Operand<'_>, sizes: Sizes) -> Vec<f32> {
    let dy = Factor::new(Left::Rows(dy), (sizes.rows, sizes.outputs), w.format(), sizes.inputs);
    products(vec![Term { a: &dy, b: &w.backward(sizes) }])
}

/// `dy [rows, outputs]^T x [rows, inputs]`, which is [outputs, inputs], summed over the rows in order.
pub(crate) fn weight_gradient(dy: &[f32], x: &Right<'_>, sizes: Sizes) -> Vec<f32> {
    products(vec![Term { a: &columns(dy, sizes, x.format()), b: x }])
}

/// Adds [`weight_gradient`] to `dw`.
pub(crate) fn add_weight_gradient(dw: &mut [f32], dy: &[f32], x: &Right<'_>, sizes: Sizes) {
    product(dw, Write::Add, &columns(dy, sizes, x.format()), x);
}

fn columns(dy: &[f32], sizes: Sizes, format: Format) -> Factor<'_> {
    Factor::new(Left::Columns(dy), (sizes.outputs, sizes.rows), format, sizes.inputs)
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
                close(
                    &forward(&x, operand, sizes),
                    &reference(rows, outputs, inputs, |i, j, l| at(&x, inputs, i, l) * at(&w, inputs, j, l)),
                );

                let expected =
                    reference(rows, inputs, outputs, |i, j, l| at(&dy, outputs, i, l) * at(&w, inputs, l, j));
                close(&input_gradient(&dy, operand, sizes), &expected);
            }
            let expected =
                reference(outputs, inputs, rows, |i, j, l| at(&dy, outputs, l, i) * at(&x, inputs, l, j));
            let x = Right::activations(&x, rows, inputs, Format::F32);
            let mut dw = weight_gradient(&dy, &x, sizes);
            close(&dw, &expected);
            add_weight_gradient(&mut dw, &dy, &x, sizes);
            close(&dw, &expected.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
        }
    }
}
