//! A frozen linear map with a low-rank update (Hu et al., 2021, "LoRA"; PEFT's `lora.Linear`) as one operation.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use crate::{
    DropoutMask, LinearWeight,
    composed::{gradients, has_kernels},
    cpu::{floats, for_rows, matrix, slice, tensor},
    dropout,
    gemm::{Format, Left, Term, Tiles, products},
    linear::{self, InputGradient, LinearInput, linear, sizes},
    matmul::{self, Operand, Right, Sizes},
};

mod alone;
mod dora;
mod norms;
mod rows;

pub use dora::{DoraGradients, DoraPair, dora_backward, dora_linear};
pub use norms::lora_norms;
pub use rows::{FactorRows, LoraMap, LoraRows, lora_linear_rows};

/// A low-rank update: `scale * (dropout(x) A^T) B^T` is added to the output of a linear map.
#[derive(Clone, Debug)]
pub struct LoraPair {
    /// The down projection, [r, in].
    pub a: LinearWeight,
    /// The up projection, [out, r].
    pub b: LinearWeight,
    /// Multiplies the update: `lora_alpha / r`, or `lora_alpha / sqrt(r)` with rsLoRA.
    pub scale: f64,
    /// Probability with which an element of the input is dropped while training.
    pub dropout: f64,
}

impl LoraPair {
    /// Rank of the update.
    ///
    /// # Errors
    /// When A is not a matrix.
    pub fn rank(&self) -> Result<usize> {
        Ok(self.a.dims()?.0)
    }

    fn format_of_gradients(&self) -> Result<Format> {
        self.b.format().of_gradients()?;
        self.a.format().of_gradients()
    }

    /// The same numbers, out of reach of any tape.
    pub fn detach(&self) -> Self {
        Self { a: self.a.detach(), b: self.b.detach(), scale: self.scale, dropout: self.dropout }
    }

    fn check(&self, base: Sizes) -> Result<usize> {
        let ((rank, inputs), (outputs, columns)) = (self.a.dims()?, self.b.dims()?);
        if inputs != base.inputs || outputs != base.outputs || columns != rank {
            let (a, b) = ([rank, inputs], [outputs, columns]);
            bail!("lora: A {a:?} and B {b:?} do not fit a weight [{}, {}]", base.outputs, base.inputs);
        }
        Ok(rank)
    }
}

/// `x W^T + scale * (dropout(x) A^T) B^T` for `x` [.., in] f32 and a weight [out, in], giving [.., out] f32. Without a pair it
/// is [`linear`]. A pair in training is multiplied as f32 whatever the weight: rounded to bf16, gradients of a golden adapter
/// were off by more than twice what torch's are. Differentiable in `x`, A and B; the weight is taken as frozen when there is a pair.
///
/// # Errors
/// When shapes or dtypes don't fit.
pub fn lora_linear(
    x: &LinearInput,
    w: &LinearWeight,
    pair: Option<&LoraPair>,
    mask: Option<DropoutMask>,
) -> Result<Tensor> {
    let Some(pair) = pair else { return linear(x, w) };
    let values = x.tensor();
    pair.check(sizes(values.shape(), w.dims()?)?)?;
    let scale = pair.scale as f32;
    if !has_kernels(values.device()) {
        return linear::plain(values, w)? + update(values, pair, mask)?;
    }
    match (pair.a.as_tensor(), pair.b.as_tensor()) {
        (Some(a), Some(b)) => {
            let tiles = x.tiles(w.format())?;
            let (weight, formats) = (w.detach(), [pair.a.format(), pair.b.format()]);
            values.contiguous()?.apply_op3(a, b, LoraLinear { tiles, weight, formats, scale, mask })
        }
        _ => serve(x, w, pair, mask),
    }
}

/// [`lora_linear`] with a packed pair, for answers alone: no tape.
fn serve(x: &LinearInput, w: &LinearWeight, pair: &LoraPair, mask: Option<DropoutMask>) -> Result<Tensor> {
    let base = sizes(x.tensor().shape(), w.dims()?)?;
    let contiguous = x.tensor().contiguous()?;
    let (tiles, values) = (x.tiles(w.format())?, floats(&contiguous)?);
    let (weight, a, b) = (w.read()?, pair.a.read()?, pair.b.read()?);
    let update =
        Update { a: a.operand(), b: b.operand(), rank: pair.rank()?, scale: pair.scale as f32, mask };
    let y = forward(&tiles, &values, weight.operand(), base, &update);
    tensor(y, linear::output_shape(x.tensor().shape(), base.outputs))
}

/// A pair to multiply by.
struct Update<'a> {
    a: Operand<'a>,
    b: Operand<'a>,
    rank: usize,
    scale: f32,
    mask: Option<DropoutMask>,
}

/// The sum of both maps, for an input as numbers and in tiles of the weight's format. The output is written once.
fn forward(tiles: &Tiles, x: &[f32], w: Operand<'_>, sizes: Sizes, update: &Update<'_>) -> Vec<f32> {
    let low = down(tiles, x, w.format(), sizes, update);
    let up = Sizes { inputs: update.rank, ..sizes };
    let low = Tiles::pack(Left::Rows(&low), sizes.rows, update.rank, update.b.format(), update.scale);
    products(vec![Term { a: tiles, b: &w.forward(sizes) }, Term { a: &low, b: &update.b.forward(up) }])
}

/// `dropout(x) A^T`, [rows, r].
fn down(tiles: &Tiles, x: &[f32], format: Format, sizes: Sizes, update: &Update<'_>) -> Vec<f32> {
    let down = Sizes { outputs: update.rank, ..sizes };
    if update.mask.is_none() && update.a.format() == format && format == Format::Bf16 {
        return products(vec![Term { a: tiles, b: &update.a.forward(down) }]);
    }
    let dropped = update.mask.map(|mask| drop_out(x, sizes.inputs, mask));
    matmul::forward(dropped.as_deref().unwrap_or(x), update.a, down)
}

/// Gradients of the update in [`lora_linear`] for the output gradient `dy` [.., out]: those of A [r, in] and B [out, r] are
/// returned, that of `x` through the update is added to `dx`.
///
/// # Errors
/// When the shapes don't fit.
pub fn lora_backward(
    x: &Tensor,
    pair: &LoraPair,
    mask: Option<DropoutMask>,
    dy: &Tensor,
    dx: &mut InputGradient,
) -> Result<(Tensor, Tensor)> {
    let (inputs, outputs) = (pair.a.dims()?.1, pair.b.dims()?.0);
    let rows = x.elem_count() / inputs.max(1);
    let base = Sizes { rows, inputs, outputs };
    let rank = pair.check(base)?;
    if x.elem_count() != rows * inputs || dy.elem_count() != rows * outputs {
        bail!("lora: gradient {:?} does not fit input {:?}", dy.shape(), x.shape());
    }
    if !has_kernels(x.device()) {
        let (a, b) = (pair.a.tensor()?.to_dtype(DType::F32)?, pair.b.tensor()?.to_dtype(DType::F32)?);
        let [format_of_a, format_of_b] = [pair.a.format(), pair.b.format()];
        let grads = gradients(&[x, &a, &b], dy, |t| {
            let a = LinearWeight::trained(t[1].clone(), format_of_a);
            let b = LinearWeight::trained(t[2].clone(), format_of_b);
            update(&t[0], &LoraPair { a, b, ..*pair }, mask)
        })?;
        dx.add_tensor(grads[0].clone())?;
        return Ok((grads[1].clone(), grads[2].clone()));
    }
    let (a, b, dy, values) = (pair.a.read()?, pair.b.read()?, floats(dy)?, floats(x)?);
    let dropped = mask.map(|mask| drop_out(&values, inputs, mask));
    let dropped = dropped.as_deref().unwrap_or(&values);
    let (down, up) = (Sizes { rows, inputs, outputs: rank }, Sizes { rows, inputs: rank, outputs });
    let (scale, format) = (pair.scale as f32, pair.format_of_gradients()?);
    let low = matmul::forward(dropped, a.operand(), down); // [rows, r]
    let mut dlow = matmul::input_gradient(&dy, b.operand(), up); // [rows, r]
    dlow.iter_mut().for_each(|value| *value *= scale);
    // Few rows on the left: what is large is read once, as it lies.
    let db = matmul::weight_gradient(&low, &Right::activations(&dy, rows, outputs, format), up.turned());
    let da = matmul::weight_gradient(&dlow, &Right::activations(dropped, rows, inputs, format), down);
    match mask {
        None => dx.add_product(&dlow, &pair.a, down),
        Some(mask) => {
            let mut through = matmul::input_gradient(&dlow, a.operand(), down);
            for_rows(&mut through, even(inputs), |first, part| mask.apply(first * even(inputs), part));
            dx.add_apart(through);
        }
    }
    Ok((tensor(da, (rank, inputs))?, tensor(turned(&db, (rank, outputs), scale), (outputs, rank))?))
}

/// `scale` times a matrix [rows, columns], turned over.
fn turned(numbers: &[f32], (rows, columns): (usize, usize), scale: f32) -> Vec<f32> {
    (0..rows * columns).map(|i| numbers[i % rows * columns + i / rows] * scale).collect()
}

fn drop_out(x: &[f32], width: usize, mask: DropoutMask) -> Vec<f32> {
    let mut dropped = x.to_vec();
    for_rows(&mut dropped, even(width), |first, part| mask.apply(first * even(width), part));
    dropped
}

/// A row length with which every piece starts at an even element, as the mask asks for.
fn even(width: usize) -> usize {
    width + width % 2
}

/// The update alone, in candle's operations.
fn update(x: &Tensor, pair: &LoraPair, mask: Option<DropoutMask>) -> Result<Tensor> {
    let dropped = mask.map_or_else(|| Ok(x.clone()), |mask| dropout::plain(x, mask))?;
    linear::plain(&(linear::plain(&dropped, &pair.a)? * pair.scale)?, &pair.b)
}

struct LoraLinear {
    tiles: Arc<Tiles>,
    weight: LinearWeight,
    /// In which A and B are multiplied.
    formats: [Format; 2],
    scale: f32,
    mask: Option<DropoutMask>,
}

impl CustomOp3 for LoraLinear {
    fn name(&self) -> &'static str {
        "lora_linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let [a, b] = self.formats;
        let (a, b) = (Operand::Rows(matrix(s2, l2)?, a), Operand::Rows(matrix(s3, l3)?, b));
        let base = sizes(l1.shape(), self.weight.dims()?)?;
        let update = Update { a, b, rank: l2.shape().dims2()?.0, scale: self.scale, mask: self.mask };
        let y = forward(&self.tiles, slice(s1, l1)?, self.weight.read()?.operand(), base, &update);
        Ok((CpuStorage::F32(y), linear::output_shape(l1.shape(), base.outputs)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x, dy) = (x.contiguous()?.detach(), dy.contiguous()?);
        let [a_format, b_format] = self.formats;
        let a = LinearWeight::trained(a.detach(), a_format);
        let b = LinearWeight::trained(b.detach(), b_format);
        let pair = LoraPair { a, b, scale: f64::from(self.scale), dropout: 0.0 };
        let mut dx = InputGradient::new(&x);
        dx.add_linear(&(&dy).into(), &self.weight)?;
        let (da, db) = lora_backward(&x, &pair, self.mask, &dy, &mut dx)?;
        Ok((Some(dx.finish()?), Some(da), Some(db)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DropoutKey, WeightArena,
        testing::{assert_close, normal, same_values_and_gradients, variable},
    };

    fn pair(a: &Tensor, b: &Tensor) -> LoraPair {
        LoraPair { a: a.clone().into(), b: b.clone().into(), scale: 0.5, dropout: 0.0 }
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition_with_and_without_dropout() {
        for (rows, inputs, outputs, rank) in [(1, 3, 5, 1), (7, 33, 9, 4), (150, 65, 130, 8)] {
            for mask in [None, Some(DropoutKey::default().mask(3, 0.4))] {
                let w = normal(9, (outputs, inputs));
                same_values_and_gradients(
                    &[variable(1, (rows, inputs)), variable(2, (rank, inputs)), variable(3, (outputs, rank))],
                    |t| lora_linear(&(&t[0]).into(), &w.clone().into(), Some(&pair(&t[1], &t[2])), mask),
                    |t| linear::plain(&t[0], &w.clone().into())? + update(&t[0], &pair(&t[1], &t[2]), mask)?,
                );
            }
        }
    }

    #[test]
    fn without_a_pair_it_is_the_linear_map() {
        let (x, w) = (normal(1, (3, 4)), normal(2, (5, 4)));
        let w = w.into();
        assert_close(
            &lora_linear(&(&x).into(), &w, None, None).unwrap(),
            &linear(&(&x).into(), &w).unwrap(),
            0.0,
        );
    }

    #[test]
    fn a_packed_pair_gives_the_bits_of_its_tensors() {
        for dtype in [DType::F32, DType::BF16] {
            let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(dtype).unwrap();
            let (x, w, a, b) = (normal(1, (6, 40)), of(2, (35, 40)), of(3, (5, 40)), of(4, (35, 5)));
            let weight = LinearWeight::frozen(&w).unwrap();
            let packed = LoraPair {
                a: LinearWeight::frozen(&a).unwrap(),
                b: LinearWeight::frozen(&b).unwrap(),
                scale: 0.5,
                dropout: 0.0,
            };
            let found = lora_linear(&(&x).into(), &weight, Some(&packed), None).unwrap();
            assert_close(
                &found,
                &lora_linear(&(&x).into(), &weight, Some(&pair(&a, &b)), None).unwrap(),
                0.0,
            );
        }
    }

    #[test]
    fn beside_an_int8_weight_the_update_is_that_of_a_bf16_pair() {
        let of = |seed, shape: (usize, usize)| normal(seed, shape).to_dtype(DType::BF16).unwrap();
        let (x, w, a, b) = (normal(1, (6, 140)), of(2, (35, 140)), of(3, (5, 140)), of(4, (35, 5)));
        let weight = LinearWeight::frozen_as(&w, Format::Int8, &mut WeightArena::new(0)).unwrap();
        let frozen = |half| LinearWeight::frozen(half).unwrap();
        let pair = LoraPair { a: frozen(&a), b: frozen(&b), scale: 0.5, dropout: 0.0 };
        let found = lora_linear(&(&x).into(), &weight, Some(&pair), None).unwrap();
        let base = linear(&(&x).into(), &weight).unwrap();
        let low = linear::plain(&x, &a.clone().into()).unwrap();
        let update = linear::plain(&(low * 0.5).unwrap(), &b.clone().into()).unwrap();
        assert_close(&found, &(base + update).unwrap(), 1e-5);
    }

    #[test]
    fn an_empty_batch_gives_zero_gradients() {
        let pair = pair(&normal(3, (2, 4)), &normal(4, (5, 2)));
        let (x, dy) = (normal(1, (0, 4)), normal(1, (0, 5)));
        let mut dx = InputGradient::new(&x);
        let (da, db) = lora_backward(&x, &pair, None, &dy, &mut dx).unwrap();
        assert_close(&da, &normal(3, (2, 4)).zeros_like().unwrap(), 0.0);
        assert_close(&db, &normal(4, (5, 2)).zeros_like().unwrap(), 0.0);
        assert_eq!(dx.finish().unwrap().dims(), &[0, 4]);
    }

    #[test]
    fn a_pair_for_another_shape_is_refused() {
        let (x, w) = (normal(1, (3, 4)), normal(2, (5, 4)));
        let wrong = pair(&normal(3, (2, 3)), &normal(4, (5, 2)));
        let error = lora_linear(&(&x).into(), &w.into(), Some(&wrong), None).unwrap_err().to_string();
        assert!(error.contains("do not fit a weight [5, 4]"), "{error}");
    }
}
