//! The linear map `y = x W^T` in Hugging Face's layout (W is [out, in]): a frozen weight costs no gradient.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use crate::{
    cpu::{Matrix, floats, matrix, rows_and_width, slice, tensor, weight},
    matmul::{self, Sizes, Write},
};

/// `x [.., in] W^T` for a weight [out, in], f32 or bf16, giving [.., out] f32. Differentiable in `x`, and in the weight when it
/// is a variable; the tape computes and keeps nothing for a frozen one.
///
/// # Errors
/// When the widths differ or a dtype is not supported.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op2(weight, Linear) } else { plain(x, weight) }
}

/// The gradient of the weight [out, in] of [`linear`] from the output gradient [.., out] and the input [.., in].
///
/// # Errors
/// When the rows differ.
pub fn linear_weight_gradient(dy: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (rows, inputs) = rows_and_width(x.shape())?;
    let (dy_rows, outputs) = rows_and_width(dy.shape())?;
    if rows != dy_rows {
        bail!("linear: {dy_rows} gradient rows for {rows} input rows");
    }
    if !x.device().is_cpu() {
        return dy.reshape((rows, outputs))?.t()?.matmul(&x.reshape((rows, inputs))?);
    }
    let mut dw = vec![0_f32; outputs * inputs];
    let sizes = Sizes { rows, inputs, outputs };
    matmul::weight_gradient(&mut dw, Write::Set, &floats(dy)?, &floats(x)?, sizes, 1.0);
    tensor(dw, (outputs, inputs))
}

/// A gradient [rows, width] that several linear maps of one input add to, without a tensor for each.
#[derive(Debug)]
pub struct InputGradient {
    shape: Shape,
    sum: Sum,
}

#[derive(Debug)]
enum Sum {
    Empty,
    Host(Vec<f32>),
    Device(Tensor),
}

impl InputGradient {
    /// A gradient of zeros for an input of this shape.
    pub fn new(input: &Tensor) -> Self {
        Self { shape: input.shape().clone(), sum: Sum::Empty }
    }

    /// Adds `dy [.., out] W`.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn add_linear(&mut self, dy: &Tensor, w: &Tensor) -> Result<()> {
        let sizes = sizes(&self.shape, w)?;
        if dy.elem_count() != sizes.rows * sizes.outputs {
            bail!("linear: gradient {:?} does not fit weight {:?}", dy.shape(), w.shape());
        }
        if !w.device().is_cpu() {
            let dy = dy.reshape((sizes.rows, sizes.outputs))?;
            let product = dy.matmul(&w.to_dtype(DType::F32)?)?.reshape(&self.shape)?;
            return self.add_tensor(product);
        }
        let (weight, dy) = (weight(w)?, floats(dy)?);
        let (sum, write) = self.host();
        matmul::input_gradient(sum, write, &dy, weight.matrix(), sizes, 1.0);
        Ok(())
    }

    /// The numbers so far, and whether they are to be added to.
    pub(crate) fn host(&mut self) -> (&mut [f32], Write) {
        let write = if matches!(self.sum, Sum::Host(_)) { Write::Add } else { Write::Set };
        if write == Write::Set {
            self.sum = Sum::Host(vec![0.0; self.shape.elem_count()]);
        }
        match &mut self.sum {
            Sum::Host(sum) => (sum, write),
            _ => unreachable!("it was just made"),
        }
    }

    pub(crate) fn add_tensor(&mut self, product: Tensor) -> Result<()> {
        self.sum = Sum::Device(match &self.sum {
            Sum::Device(sum) => (sum + product)?,
            _ => product,
        });
        Ok(())
    }

    /// The finished gradient.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn finish(self) -> Result<Tensor> {
        match self.sum {
            Sum::Host(sum) => tensor(sum, self.shape),
            Sum::Device(sum) => Ok(sum),
            Sum::Empty => bail!("linear: an input gradient nothing was added to"),
        }
    }
}

pub(crate) fn sizes(input: &Shape, weight: &Tensor) -> Result<Sizes> {
    let (rows, inputs) = rows_and_width(input)?;
    let (outputs, width) = weight.dims2()?;
    if inputs != width {
        bail!("linear: input {input:?} does not fit weight {:?}", weight.shape());
    }
    Ok(Sizes { rows, inputs, outputs })
}

pub(crate) fn output_shape(input: &Shape, outputs: usize) -> Shape {
    let mut dims = input.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = outputs;
    }
    Shape::from(dims)
}

/// The definition in candle's operations.
pub(crate) fn plain(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let Sizes { rows, inputs, outputs } = sizes(x.shape(), weight)?;
    let y = x.reshape((rows, inputs))?.matmul(&weight.to_dtype(DType::F32)?.t()?)?;
    y.reshape(output_shape(x.shape(), outputs))
}

/// `x W^T` as numbers.
pub(crate) fn forward(x: &[f32], shape: &Shape, w: Matrix<'_>, w_shape: &Shape) -> Result<(Vec<f32>, Shape)> {
    let (rows, inputs) = rows_and_width(shape)?;
    let (outputs, width) = w_shape.dims2()?;
    if inputs != width {
        bail!("linear: input {shape:?} does not fit weight {w_shape:?}");
    }
    let mut y = vec![0_f32; rows * outputs];
    matmul::forward(&mut y, Write::Set, x, w, Sizes { rows, inputs, outputs }, 1.0);
    Ok((y, output_shape(shape, outputs)))
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (y, shape) = forward(slice(s1, l1)?, l1.shape(), matrix(s2, l2)?, l2.shape())?;
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let mut dx = InputGradient::new(x);
        dx.add_linear(&dy, w)?;
        let dw = w.track_op().then(|| linear_weight_gradient(&dy, &x.contiguous()?)).transpose()?;
        Ok((Some(dx.finish()?), dw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, same_values_and_gradients, variable};
    use candle_core::Var;

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for (rows, inputs, outputs) in [(1, 1, 1), (1, 37, 5), (6, 3, 70), (131, 65, 33)] {
            same_values_and_gradients(
                &[variable(1, (rows, inputs)), variable(2, (outputs, inputs))],
                |t| linear(&t[0], &t[1]),
                |t| plain(&t[0], &t[1]),
            );
        }
    }

    #[test]
    fn a_frozen_weight_gets_no_gradient_but_passes_the_inputs_on() {
        let (x, w) = (variable(1, (3, 4)), normal(2, (5, 4)));
        let gradients = linear(&x, &w).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&w).is_none());
        let expected =
            plain(&Tensor::ones((3, 5), DType::F32, x.device()).unwrap(), &w.t().unwrap()).unwrap();
        assert_close(gradients.get(&x).unwrap(), &expected, 1e-5);
    }

    #[test]
    fn a_bf16_weight_gives_what_its_widened_copy_gives() {
        let x = Var::from_tensor(&normal(1, (7, 40))).unwrap();
        let narrow = normal(2, (9, 40)).to_dtype(DType::BF16).unwrap();
        let wide = narrow.to_dtype(DType::F32).unwrap();
        let run = |w: &Tensor| {
            let y = linear(&x, w).unwrap();
            let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            (y, gradients.get(&x).unwrap().clone())
        };
        let ((y, dx), (wide_y, wide_dx)) = (run(&narrow), run(&wide));
        assert_close(&y, &wide_y, 1e-6);
        assert_close(&dx, &wide_dx, 1e-6);
    }

    #[test]
    fn leading_dimensions_are_kept_and_an_empty_batch_stays_empty() {
        let w = normal(2, (5, 4));
        assert_eq!(linear(&normal(1, (2, 3, 4)), &w).unwrap().dims(), &[2, 3, 5]);
        assert_eq!(linear(&normal(1, (0, 4)), &w).unwrap().dims(), &[0, 5]);
        let dw = linear_weight_gradient(&normal(1, (0, 5)), &normal(1, (0, 4))).unwrap();
        assert_close(&dw, &w.zeros_like().unwrap(), 0.0);
    }

    #[test]
    fn widths_that_differ_are_refused() {
        let error = linear(&normal(1, (2, 3)), &normal(2, (5, 4))).unwrap_err().to_string();
        assert!(error.contains("does not fit weight"), "{error}");
    }
}
