//! The linear map `y = x W^T` in Hugging Face's layout (W is [out, in]): a frozen weight costs no gradient.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::{
    LinearWeight,
    composed::{check_devices, has_kernels},
    cpu::{floats, for_rows, matrix, rows_and_width, tensor},
    gemm::{Format, Left, Leftward, Packed, Term, Tiles, products},
    matmul::{self, Operand, Right, Sizes},
    weight::rounded,
};

/// An input that several linear maps read: what they need of it is packed once.
#[derive(Debug)]
pub struct LinearInput {
    x: Tensor,
    /// For the products with weights, by format.
    tiles: [OnceLock<Arc<Tiles>>; 4],
    /// For the gradients of bf16 weights.
    across: OnceLock<Packed>,
}

impl From<&Tensor> for LinearInput {
    fn from(x: &Tensor) -> Self {
        Self { x: x.clone(), tiles: Default::default(), across: OnceLock::new() }
    }
}

impl LinearInput {
    /// The numbers, [.., in].
    pub fn tensor(&self) -> &Tensor {
        &self.x
    }

    /// The rows in tiles of this format.
    pub(crate) fn tiles(&self, format: Format) -> Result<Arc<Tiles>> {
        let slot = &self.tiles[format as usize];
        if let Some(tiles) = slot.get() {
            return Ok(tiles.clone());
        }
        let (rows, inputs) = rows_and_width(self.x.shape())?;
        let x = self.x.contiguous()?;
        let tiles = Tiles::of(&x, rows, inputs, format)?;
        Ok(slot.get_or_init(|| Arc::new(tiles)).clone())
    }
}

/// The gradient of a linear map's output.
#[derive(Debug)]
pub struct OutputGradient {
    dy: Tensor,
    /// Tiles of its rows, for the gradient of the input.
    rows: OnceLock<Arc<Tiles>>,
    /// Tiles of its columns, for the gradient of a bf16 weight.
    columns: OnceLock<Tiles>,
}

impl From<&Tensor> for OutputGradient {
    fn from(dy: &Tensor) -> Self {
        Self { dy: dy.clone(), rows: OnceLock::new(), columns: OnceLock::new() }
    }
}

impl OutputGradient {
    /// A gradient that is multiplied as bf16 both by the weight and by the input.
    ///
    /// # Errors
    /// When it is not f32.
    pub fn of_trained(dy: &Tensor) -> Result<Self> {
        let gradient = Self::from(dy);
        if has_kernels(dy.device()) {
            let (rows, outputs) = rows_and_width(dy.shape())?;
            let (by_row, by_column) = Tiles::pack_both(&floats(dy)?, rows, outputs);
            gradient.rows.get_or_init(|| Arc::new(by_row));
            gradient.columns.get_or_init(|| by_column);
        }
        Ok(gradient)
    }

    fn rows(&self, sizes: Sizes, format: Format) -> Result<Arc<Tiles>> {
        if let Some(rows) = self.rows.get().filter(|rows| Leftward::format(&***rows) == format) {
            return Ok(rows.clone());
        }
        Ok(Arc::new(Tiles::of(&self.dy, sizes.rows, sizes.outputs, format)?))
    }
}

/// `x [.., in] W^T` for a weight [out, in], giving [.., out] f32. With a bf16 weight the input is rounded to bf16 too; products are
/// exact and sums f32. With an int8 one the input is rounded to int8, each 64 numbers of a row with a scale of their own.
/// Differentiable in `x` unless the weight is int8, and in the weight when it is made of a variable; the tape computes and keeps
/// nothing for a frozen one.
///
/// # Errors
/// When the widths differ or a dtype is not supported.
pub fn linear(x: &LinearInput, weight: &LinearWeight) -> Result<Tensor> {
    if !has_kernels(x.x.device()) {
        return plain(&x.x, weight);
    }
    check_devices("linear", x.x.device(), &weight.device())?;
    sizes(x.x.shape(), weight.dims()?)?;
    let (values, tiles) = (x.x.contiguous()?, x.tiles(weight.format())?);
    match weight.as_tensor() {
        Some(tensor) => values.apply_op2(tensor, Trained { tiles, format: weight.format() }),
        None => values.apply_op1(Frozen { tiles, weight: weight.clone() }),
    }
}

/// The gradient of the weight [out, in] of [`linear`] from the output gradient [.., out] and the input [.., in], multiplied in the
/// weight's format.
///
/// # Errors
/// When the rows differ, or the format is int8.
pub fn linear_weight_gradient(dy: &OutputGradient, x: &LinearInput, format: Format) -> Result<Tensor> {
    let format = format.of_gradients()?;
    let (rows, inputs) = rows_and_width(x.x.shape())?;
    let (dy_rows, outputs) = rows_and_width(dy.dy.shape())?;
    if rows != dy_rows {
        bail!("linear: {dy_rows} gradient rows for {rows} input rows");
    }
    if !has_kernels(x.x.device()) {
        let (dy, x) = (dy.dy.reshape((rows, outputs))?, x.x.reshape((rows, inputs))?);
        return rounded(&dy, format)?.t()?.matmul(&rounded(&x, format)?);
    }
    let (values, sizes) = (floats(&x.x)?, Sizes { rows, inputs, outputs });
    let x = match format {
        Format::F32 | Format::F16 | Format::Int8 => Right::activations(&values, rows, inputs, format),
        Format::Bf16 => Right::Packed(x.across.get_or_init(|| Packed::across(&values, rows, inputs))),
    };
    let dw = match dy.columns.get().filter(|_| format == Format::Bf16) {
        Some(columns) => products(vec![Term { a: columns, b: &x }]),
        None => matmul::weight_gradient(&floats(&dy.dy)?, &x, sizes),
    };
    tensor(dw, (outputs, inputs))
}

/// The gradient [.., in] of an input that several linear maps read: a sum of products, made at once.
#[derive(Debug)]
pub struct InputGradient {
    shape: Shape,
    products: Vec<Product>,
    /// Added after them.
    apart: Vec<Vec<f32>>,
    elsewhere: Option<Tensor>,
}

/// A gradient of an output, to be multiplied by the weight that made it.
#[derive(Debug)]
struct Product {
    dy: Arc<Tiles>,
    weight: LinearWeight,
}

impl InputGradient {
    /// A gradient for an input of this shape, to which nothing is added yet.
    pub fn new(input: &Tensor) -> Self {
        Self { shape: input.shape().clone(), products: Vec::new(), apart: Vec::new(), elsewhere: None }
    }

    /// Adds `dy [.., out] W`.
    ///
    /// # Errors
    /// When the shapes don't fit, or the weight is int8.
    pub fn add_linear(&mut self, dy: &OutputGradient, w: &LinearWeight) -> Result<()> {
        let (sizes, format) = (sizes(&self.shape, w.dims()?)?, w.format().of_gradients()?);
        if dy.dy.elem_count() != sizes.rows * sizes.outputs {
            bail!("linear: gradient {:?} does not fit weight {:?}", dy.dy.shape(), w.dims()?);
        }
        if !has_kernels(&w.device()) {
            check_devices("linear", dy.dy.device(), &w.device())?;
            let dy = rounded(&dy.dy.reshape((sizes.rows, sizes.outputs))?, format)?;
            return self.add_tensor(dy.matmul(&w.rounded()?)?.reshape(&self.shape)?);
        }
        self.products.push(Product { dy: dy.rows(sizes, format)?, weight: w.clone() });
        Ok(())
    }

    pub(crate) fn add_product(&mut self, dy: &[f32], w: &LinearWeight, sizes: Sizes) {
        let dy = Tiles::pack(Left::Rows(dy), sizes.rows, sizes.outputs, w.format(), 1.0);
        self.products.push(Product { dy: Arc::new(dy), weight: w.clone() });
    }

    /// Adds numbers that were made otherwise.
    pub(crate) fn add_apart(&mut self, dx: Vec<f32>) {
        self.apart.push(dx);
    }

    /// Adds a gradient of the input's shape.
    pub(crate) fn add_made(&mut self, dx: &Tensor) -> Result<()> {
        if !has_kernels(dx.device()) {
            return self.add_tensor(dx.clone());
        }
        self.add_apart(floats(dx)?.to_vec());
        Ok(())
    }

    pub(crate) fn add_tensor(&mut self, product: Tensor) -> Result<()> {
        self.elsewhere = Some(match &self.elsewhere {
            Some(sum) => (sum + product)?,
            None => product,
        });
        Ok(())
    }

    /// The finished gradient.
    ///
    /// # Errors
    /// When nothing was added.
    pub fn finish(self) -> Result<Tensor> {
        if let Some(sum) = self.elsewhere {
            return Ok(sum);
        }
        let mut apart = self.apart.into_iter();
        let mut dx = match (self.products.first(), apart.len()) {
            (Some(first), _) => Product::sum(&self.products, sizes(&self.shape, first.weight.dims()?)?)?,
            (None, 0) => bail!("linear: an input gradient nothing was added to"),
            (None, _) => apart.next().unwrap_or_default(),
        };
        for more in apart {
            for_rows(&mut dx, 1, |first, part| {
                part.iter_mut().zip(&more[first..]).for_each(|(sum, more)| *sum += more);
            });
        }
        tensor(dx, self.shape)
    }
}

impl Product {
    fn outputs(&self) -> usize {
        Leftward::depth(&*self.dy)
    }

    /// The sum of products, [rows, inputs].
    fn sum(all: &[Self], sizes: Sizes) -> Result<Vec<f32>> {
        let weights = all.iter().map(|product| product.weight.read()).collect::<Result<Vec<_>>>()?;
        let factors = all.iter().zip(&weights).map(|(product, weight)| {
            weight.operand().backward(Sizes { outputs: product.outputs(), ..sizes })
        });
        let factors: Vec<Right<'_>> = factors.collect();
        Ok(products(all.iter().zip(&factors).map(|(product, b)| Term { a: &*product.dy, b }).collect()))
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
pub(crate) fn plain(x: &Tensor, weight: &LinearWeight) -> Result<Tensor> {
    check_devices("linear", x.device(), &weight.device())?;
    let Sizes { rows, inputs, outputs } = sizes(x.shape(), weight.dims()?)?;
    let flat = rounded(&x.reshape((rows, inputs))?, weight.format())?;
    flat.matmul(&weight.rounded()?.t()?)?.reshape(output_shape(x.shape(), outputs))
}

/// `x W^T` as numbers, for an input in tiles.
fn forward(x: &Tiles, shape: &Shape, w: Operand<'_>, dims: (usize, usize)) -> Result<(CpuStorage, Shape)> {
    let sizes = sizes(shape, dims)?;
    let y = products(vec![Term { a: x, b: &w.forward(sizes) }]);
    Ok((CpuStorage::F32(y), output_shape(shape, sizes.outputs)))
}

/// A linear map whose weight gets no gradient.
struct Frozen {
    tiles: Arc<Tiles>,
    weight: LinearWeight,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, _: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        forward(&self.tiles, layout.shape(), self.weight.read()?.operand(), self.weight.dims()?)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = InputGradient::new(x);
        dx.add_linear(&OutputGradient::from(&dy.contiguous()?), &self.weight)?;
        dx.finish().map(Some)
    }
}

/// A linear map whose weight is a tensor, multiplied in this format.
struct Trained {
    tiles: Arc<Tiles>,
    format: Format,
}

impl CustomOp2 for Trained {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let weight = Operand::Rows(matrix(s2, l2)?, self.format);
        forward(&self.tiles, l1.shape(), weight, l2.shape().dims2()?)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, dy) = (x.contiguous()?, OutputGradient::from(&dy.contiguous()?));
        let mut dx = InputGradient::new(&x);
        dx.add_linear(&dy, &LinearWeight::trained(w.detach(), self.format))?;
        let dw = w.track_op().then(|| linear_weight_gradient(&dy, &LinearInput::from(&x), self.format));
        Ok((Some(dx.finish()?), dw.transpose()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightArena;
    use crate::testing::{assert_close, normal, same_values_and_gradients, variable};
    use candle_core::{DType, Var};

    fn plain(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        super::plain(x, &weight.to_dtype(DType::F32)?.into())
    }

    fn input(x: &Tensor) -> LinearInput {
        LinearInput::from(x)
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for (rows, inputs, outputs) in [(1, 1, 1), (1, 37, 5), (6, 3, 70), (131, 65, 33)] {
            same_values_and_gradients(
                &[variable(1, (rows, inputs)), variable(2, (outputs, inputs))],
                |t| linear(&(&t[0]).into(), &t[1].clone().into()),
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
            let gradients = linear(&input(&x), &weight).unwrap().sum_all().unwrap().backward().unwrap();
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
            let found = linear(&input(&x), &weight).unwrap();
            assert_close(&found, &y, 1e-6);
            let gradients = (found * y.detach()).unwrap().sum_all().unwrap().backward().unwrap();
            assert_close(gradients.get(&x).unwrap(), &dx, 1e-5);
        }
    }

    #[test]
    fn an_int8_weight_multiplies_but_passes_no_gradient_on() {
        let (x, w) = (variable(1, (7, 40)), normal(2, (9, 40)));
        let weight = LinearWeight::frozen_as(&w, Format::Int8, &mut WeightArena::new(0)).unwrap();
        let y = linear(&input(&x), &weight).unwrap();
        assert_close(&y, &plain(&x, &w).unwrap(), 0.02);
        let refused = y.sum_all().unwrap().backward().unwrap_err().to_string();
        assert!(refused.contains("load the model as f32 or bf16 to train"), "{refused}");
        assert!(linear_weight_gradient(&(&y).into(), &input(&x), Format::Int8).is_err());
    }

    #[test]
    fn a_trained_f32_weight_can_be_multiplied_as_bf16() {
        let (x, w) = (variable(1, (20, 33)), variable(2, (9, 33)));
        let weight = LinearWeight::trained(w.as_tensor().clone(), Format::Bf16);
        let run = |y: Tensor| y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let found = run(linear(&input(&x), &weight).unwrap());
        let expected = run(plain(&x, &w).unwrap());
        for variable in [&x, &w] {
            assert_close(found.get(variable).unwrap(), expected.get(variable).unwrap(), 0.02);
        }
    }

    #[test]
    fn in_f16_the_factors_of_all_three_products_are_rounded() {
        let (x, w, dy) = (normal(1, (20, 33)), normal(2, (9, 33)), normal(3, (20, 9)));
        let rounded = |t: &Tensor| t.to_dtype(DType::F16).unwrap().to_dtype(DType::F32).unwrap();
        let turned = |t: &Tensor| rounded(t).t().unwrap().contiguous().unwrap();
        let frozen = LinearWeight::frozen_as(&w, Format::F16, &mut WeightArena::new(0)).unwrap();
        for weight in [LinearWeight::trained(w.clone(), Format::F16), frozen] {
            assert_close(
                &linear(&input(&x), &weight).unwrap(),
                &plain(&rounded(&x), &rounded(&w)).unwrap(),
                1e-6,
            );
            let mut dx = InputGradient::new(&x);
            dx.add_linear(&(&dy).into(), &weight).unwrap();
            assert_close(&dx.finish().unwrap(), &plain(&rounded(&dy), &turned(&w)).unwrap(), 1e-6);
        }
        let dw = linear_weight_gradient(&(&dy).into(), &input(&x), Format::F16).unwrap();
        assert_close(&dw, &plain(&turned(&dy), &turned(&x)).unwrap(), 1e-6);
    }

    #[test]
    fn a_gradient_packed_both_ways_gives_the_bits_of_one_packed_for_each_product() {
        for (rows, inputs, outputs) in [(1, 1, 1), (2, 37, 5), (23, 40, 33), (61, 70, 129), (0, 4, 5)] {
            let (x, dy) = (normal(1, (rows, inputs)), normal(2, (rows, outputs)));
            let w = normal(3, (outputs, inputs)).to_dtype(DType::BF16).unwrap();
            let weight = LinearWeight::frozen(&w).unwrap();
            let run = |dy: &OutputGradient| {
                let mut dx = InputGradient::new(&x);
                dx.add_linear(dy, &weight).unwrap();
                let dw = linear_weight_gradient(dy, &input(&x), Format::Bf16).unwrap();
                [dx.finish().unwrap(), dw]
            };
            let (both, each) = (run(&OutputGradient::of_trained(&dy).unwrap()), run(&(&dy).into()));
            for (both, each) in both.iter().zip(&each) {
                assert_close(both, each, 0.0);
            }
        }
    }

    #[test]
    fn leading_dimensions_are_kept_and_an_empty_batch_stays_empty() {
        let w = normal(2, (5, 4));
        let weight = LinearWeight::frozen(&w).unwrap();
        assert_eq!(linear(&input(&normal(1, (2, 3, 4))), &weight).unwrap().dims(), &[2, 3, 5]);
        assert_eq!(linear(&input(&normal(1, (0, 4))), &weight).unwrap().dims(), &[0, 5]);
        let dw = linear_weight_gradient(
            &OutputGradient::from(&normal(1, (0, 5))),
            &input(&normal(1, (0, 4))),
            Format::F32,
        )
        .unwrap();
        assert_close(&dw, &w.zeros_like().unwrap(), 0.0);
    }

    #[test]
    fn widths_that_differ_are_refused() {
        let error = linear(&input(&normal(1, (2, 3))), &normal(2, (5, 4)).into()).unwrap_err().to_string();
        assert!(error.contains("does not fit weight"), "{error}");
    }
}
