//! The linear map `y = x W^T` in Hugging Face's layout (W is [out, in]): a frozen weight costs no gradient.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use crate::{
    LinearWeight,
    cpu::{floats, matrix, rows_and_width, slice, tensor},
    gemm::{Format, Write},
    matmul::{self, Operand, Sizes},
};

/// `x [.., in] W^T` for a weight [out, in], giving [.., out] f32. With a bf16 weight the input is rounded to bf16 too; products are
/// exact and sums f32. Differentiable in `x`, and in the weight when it is made of a variable; the tape computes and keeps nothing
/// for a frozen one.
///
/// # Errors
/// When the widths differ or a dtype is not supported.
pub fn linear(x: &Tensor, weight: &LinearWeight) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return plain(x, &weight.tensor()?);
    }
    let x = x.contiguous()?;
    match weight.as_tensor() {
        Some(tensor) => x.apply_op2(tensor, Trained(weight.format())),
        None => x.apply_op1(Frozen(weight.clone())),
    }
}

/// The gradient of the weight [out, in] of [`linear`] from the output gradient [.., out] and the input [.., in], multiplied in the
/// weight's format.
///
/// # Errors
/// When the rows differ.
pub fn linear_weight_gradient(dy: &Tensor, x: &Tensor, format: Format) -> Result<Tensor> {
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
    matmul::weight_gradient(&mut dw, Write::Set, &floats(dy)?, &floats(x)?, sizes, (1.0, format));
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
    pub fn add_linear(&mut self, dy: &Tensor, w: &LinearWeight) -> Result<()> {
        let sizes = sizes(&self.shape, w.dims()?)?;
        if dy.elem_count() != sizes.rows * sizes.outputs {
            bail!("linear: gradient {:?} does not fit weight {:?}", dy.shape(), w.dims()?);
        }
        if !w.is_cpu() {
            let dy = dy.reshape((sizes.rows, sizes.outputs))?;
            let product = dy.matmul(&w.tensor()?.to_dtype(DType::F32)?)?.reshape(&self.shape)?;
            return self.add_tensor(product);
        }
        let (weight, dy) = (w.read()?, floats(dy)?);
        let (sum, write) = self.host();
        matmul::input_gradient(sum, write, &dy, weight.operand(), sizes, 1.0);
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

pub(crate) fn sizes(input: &Shape, (outputs, width): (usize, usize)) -> Result<Sizes> {
    let (rows, inputs) = rows_and_width(input)?;
    if inputs != width {
        bail!("linear: input {input:?} does not fit weight [{outputs}, {width}]");
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
    let Sizes { rows, inputs, outputs } = sizes(x.shape(), weight.dims2()?)?;
    let y = x.reshape((rows, inputs))?.matmul(&weight.to_dtype(DType::F32)?.t()?)?;
    y.reshape(output_shape(x.shape(), outputs))
}

/// `x W^T` as numbers.
pub(crate) fn forward(
    x: &[f32],
    shape: &Shape,
    w: Operand<'_>,
    dims: (usize, usize),
) -> Result<(Vec<f32>, Shape)> {
    let sizes = sizes(shape, dims)?;
    let mut y = vec![0_f32; sizes.rows * sizes.outputs];
    matmul::forward(&mut y, Write::Set, x, w, sizes, 1.0);
    Ok((y, output_shape(shape, sizes.outputs)))
}

/// A linear map whose weight gets no gradient.
struct Frozen(LinearWeight);

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let weight = self.0.read()?;
        let (y, shape) = forward(slice(storage, layout)?, layout.shape(), weight.operand(), self.0.dims()?)?;
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = InputGradient::new(x);
        dx.add_linear(&dy.contiguous()?, &self.0)?;
        dx.finish().map(Some)
    }
}

/// A linear map whose weight is a tensor, multiplied in this format.
struct Trained(Format);

impl CustomOp2 for Trained {
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
        let weight = Operand::Rows(matrix(s2, l2)?, self.0);
        let (y, shape) = forward(slice(s1, l1)?, l1.shape(), weight, l2.shape().dims2()?)?;
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
        dx.add_linear(&dy, &LinearWeight::trained(w.detach(), self.0))?;
        let dw = w.track_op().then(|| linear_weight_gradient(&dy, &x.contiguous()?, self.0)).transpose()?;
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
                |t| linear(&t[0], &t[1].clone().into()),
                |t| plain(&t[0], &t[1]),
            );
        }
    }

    #[test]
    fn a_frozen_weight_gets_no_gradient_but_passes_the_inputs_on() {
        let (x, w) = (variable(1, (3, 4)), normal(2, (5, 4)));
        let expected =
            plain(&Tensor::ones((3, 5), DType::F32, x.device()).unwrap(), &w.t().unwrap()).unwrap();
        for weight in [LinearWeight::from(w.clone()), LinearWeight::frozen(&w).unwrap()] {
            let gradients = linear(&x, &weight).unwrap().sum_all().unwrap().backward().unwrap();
            assert!(gradients.get(&w).is_none());
            assert_close(gradients.get(&x).unwrap(), &expected, 1e-5);
        }
    }

    #[test]
    fn a_bf16_weight_multiplies_the_rounded_input_exactly() {
        let x = Var::from_tensor(&normal(1, (7, 40))).unwrap();
        let narrow = normal(2, (9, 40)).to_dtype(DType::BF16).unwrap();
        let rounded = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        let y = plain(&rounded(x.as_tensor()), &rounded(&narrow)).unwrap();
        let dx = plain(&rounded(&y), &rounded(&narrow).t().unwrap().contiguous().unwrap()).unwrap();
        for weight in [LinearWeight::from(narrow.clone()), LinearWeight::frozen(&narrow).unwrap()] {
            let found = linear(&x, &weight).unwrap();
            assert_close(&found, &y, 1e-6);
            let gradients = (found * y.detach()).unwrap().sum_all().unwrap().backward().unwrap();
            assert_close(gradients.get(&x).unwrap(), &dx, 1e-5);
        }
    }

    #[test]
    fn a_trained_f32_weight_can_be_multiplied_as_bf16() {
        let (x, w) = (variable(1, (20, 33)), variable(2, (9, 33)));
        let weight = LinearWeight::trained(w.as_tensor().clone(), Format::Bf16);
        let run = |y: Tensor| y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let found = run(linear(&x, &weight).unwrap());
        let expected = run(plain(&x, &w).unwrap());
        for variable in [&x, &w] {
            assert_close(found.get(variable).unwrap(), expected.get(variable).unwrap(), 0.02);
        }
    }

    #[test]
    fn leading_dimensions_are_kept_and_an_empty_batch_stays_empty() {
        let w = normal(2, (5, 4));
        let weight = LinearWeight::frozen(&w).unwrap();
        assert_eq!(linear(&normal(1, (2, 3, 4)), &weight).unwrap().dims(), &[2, 3, 5]);
        assert_eq!(linear(&normal(1, (0, 4)), &weight).unwrap().dims(), &[0, 5]);
        let dw = linear_weight_gradient(&normal(1, (0, 5)), &normal(1, (0, 4)), Format::F32).unwrap();
        assert_close(&dw, &w.zeros_like().unwrap(), 0.0);
    }

    #[test]
    fn widths_that_differ_are_refused() {
        let error = linear(&normal(1, (2, 3)), &normal(2, (5, 4)).into()).unwrap_err().to_string();
        assert!(error.contains("does not fit weight"), "{error}");
    }
}
