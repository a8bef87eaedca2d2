//! Cross-entropy fused with the output projection: logits exist for a chunk of tokens at a time, and their gradient in the same
//! place. Sum reduction, ignore index -100, as torch's `cross_entropy`.

use candle_core::{CpuStorage, CustomOp2, D, DType, Device, Layout, Result, Shape, Tensor, bail};

use crate::{
    LinearWeight,
    composed::{gradients, has_kernels},
    cpu::{floats, matrix, slice, tensor},
    gemm::{Format, Left, Tiles, Write, product},
    linear,
    matmul::{self, Operand, Right, Sizes},
    simd::{dispatch, exp, greatest, sum_lanes},
    team,
};

/// A label that does not count.
pub const IGNORE_INDEX: i64 = -100;
/// Logits in memory at a time: 32 MiB, so that a large head is read from memory few times.
const CHUNK: usize = 8 * 1024 * 1024;
/// Bounds of the tokens in a chunk.
const CHUNK_ROWS: (usize, usize) = (16, 512);
/// Rows of logits that one task goes through.
const ROWS_TOGETHER: usize = 4;
const LANES: usize = 16;

/// A sum of losses and what it was summed over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSum {
    /// Sum of the counted tokens' losses, in nats.
    pub sum: f64,
    /// Tokens whose label is not ignored.
    pub tokens: u64,
}

impl std::ops::AddAssign for LossSum {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.tokens += other.tokens;
    }
}

/// How a row's loss is made, named as in torch's `CrossEntropyLoss`.
#[derive(Clone, Debug, Default)]
pub struct LossOptions {
    /// Share of the target spread evenly over the vocabulary.
    pub label_smoothing: f64,
    /// Multiplies each row's loss, [T]; ones if absent.
    pub weights: Option<Vec<f32>>,
}

/// The gradients of `scale * loss sum`.
#[derive(Clone, Debug)]
pub struct HeadGradients {
    /// For the hidden states, [T, H]; zeros where the label is ignored.
    pub hidden: Tensor,
    /// For the output projection, [V, H], if asked for.
    pub head: Option<Tensor>,
}

/// The cross-entropy of `softmax(hidden head^T)` against labels, summed: `hidden` [T, H] f32, `head` [V, H], one label
/// per row, -100 ignored. No tape.
///
/// # Errors
/// When shapes don't fit or a label is neither -100 nor below V.
pub fn cross_entropy(
    hidden: &Tensor,
    head: &LinearWeight,
    labels: &[i64],
    options: &LossOptions,
) -> Result<LossSum> {
    let counted = counted(hidden, head.dims()?, labels, options)?;
    if !has_kernels(hidden.device()) {
        return on_device(hidden, head, &counted, options);
    }
    let (hidden, weight, (vocab, width)) = (floats(hidden)?, head.read()?, head.dims()?);
    let smoothing = options.label_smoothing as f32;
    let mut pass = Pass { head: weight.operand(), width, vocab, smoothing, gradients: None };
    Ok(pass.run(&hidden, &counted))
}

/// [`cross_entropy`] of logits [T, V] f32 that were made otherwise.
///
/// # Errors
/// As [`cross_entropy`].
pub fn cross_entropy_of_logits(logits: &Tensor, labels: &[i64]) -> Result<LossSum> {
    let vocab = logits.dim(D::Minus1)?;
    let counted = counted(logits, (vocab, vocab), labels, &LossOptions::default())?;
    let sum = losses(&mut gathered(logits, &counted, vocab)?, &counted, (vocab, 0.0), None);
    Ok(LossSum { sum, tokens: counted.len() as u64 })
}

/// [`cross_entropy_of_logits`] with the gradient [T, V] of `scale * sum`; zeros where the label is ignored.
///
/// # Errors
/// As [`cross_entropy`].
pub fn cross_entropy_of_logits_with_gradient(
    logits: &Tensor,
    labels: &[i64],
    scale: f64,
) -> Result<(LossSum, Tensor)> {
    let vocab = logits.dim(D::Minus1)?;
    let counted = counted(logits, (vocab, vocab), labels, &LossOptions::default())?;
    let mut rows = gathered(logits, &counted, vocab)?;
    let sum = losses(&mut rows, &counted, (vocab, 0.0), Some(scale as f32));
    let mut gradient = vec![0_f32; logits.elem_count()];
    for (row, counted) in rows.chunks_exact(vocab).zip(&counted) {
        gradient[counted.row * vocab..][..vocab].copy_from_slice(row);
    }
    let gradient = tensor(gradient, logits.shape())?.to_device(logits.device())?;
    Ok((LossSum { sum, tokens: counted.len() as u64 }, gradient))
}

/// The rows of logits whose labels count.
fn gathered(logits: &Tensor, counted: &[Counted], vocab: usize) -> Result<Vec<f32>> {
    let logits = logits.to_device(&Device::Cpu)?.contiguous()?;
    let numbers = floats(&logits)?;
    let mut rows = Vec::with_capacity(counted.len() * vocab);
    counted.iter().for_each(|counted| rows.extend_from_slice(&numbers[counted.row * vocab..][..vocab]));
    Ok(rows)
}

/// [`cross_entropy`] with the gradients of `scale * sum`, which cost one pass over the logits together.
///
/// # Errors
/// As [`cross_entropy`], and when the head is int8.
pub fn cross_entropy_with_gradients(
    hidden: &Tensor,
    head: &LinearWeight,
    labels: &[i64],
    (scale, options): (f64, &LossOptions),
    wants_head: bool,
) -> Result<(LossSum, HeadGradients)> {
    head.format().of_gradients()?;
    let counted = counted(hidden, head.dims()?, labels, options)?;
    if !has_kernels(hidden.device()) {
        return gradients_on_device(hidden, head, &counted, (scale, options), wants_head);
    }
    let (vocab, width) = head.dims()?;
    let (values, weight) = (floats(hidden)?, head.read()?);
    let buffers = Buffers {
        scale: scale as f32,
        hidden: vec![0.0; values.len()],
        head: wants_head.then(|| vec![0.0; vocab * width]),
    };
    let smoothing = options.label_smoothing as f32;
    let mut pass = Pass { head: weight.operand(), width, vocab, smoothing, gradients: Some(buffers) };
    let loss = pass.run(&values, &counted);
    let Some(buffers) = pass.gradients else { bail!("cross_entropy: gradients were asked for") };
    let hidden = tensor(buffers.hidden, hidden.shape())?;
    let head = buffers.head.map(|head| tensor(head, (vocab, width))).transpose()?;
    Ok((loss, HeadGradients { hidden, head }))
}

/// The sum of [`cross_entropy`] as a scalar tensor, differentiable in the hidden states and in the head if it is a variable.
///
/// # Errors
/// As [`cross_entropy`].
pub fn cross_entropy_sum(
    hidden: &Tensor,
    head: &LinearWeight,
    labels: &[i64],
    options: &LossOptions,
) -> Result<Tensor> {
    let counted = counted(hidden, head.dims()?, labels, options)?;
    if !has_kernels(hidden.device()) {
        return plain(hidden, head, &counted, options);
    }
    let op =
        CrossEntropy { labels: labels.to_vec(), options: options.clone(), counted, format: head.format() };
    hidden.contiguous()?.apply_op2(&head.tensor()?, op)
}

/// A row whose label counts.
#[derive(Clone, Copy)]
struct Counted {
    row: usize,
    label: usize,
    weight: f32,
}

fn counted(
    hidden: &Tensor,
    head: (usize, usize),
    labels: &[i64],
    options: &LossOptions,
) -> Result<Vec<Counted>> {
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        bail!("cross_entropy: label smoothing {} is not between 0 and 1", options.label_smoothing);
    }
    if options.weights.as_ref().is_some_and(|weights| weights.len() != labels.len()) {
        bail!("cross_entropy: {} labels, but another number of weights", labels.len());
    }
    let ((rows, width), (vocab, head_width)) = (hidden.dims2()?, head);
    if rows != labels.len() || width != head_width {
        bail!("cross_entropy: hidden {:?}, head {head:?}, {} labels", hidden.shape(), labels.len());
    }
    let mut counted = Vec::with_capacity(rows);
    for (row, label) in labels.iter().enumerate().filter(|(_, label)| **label != IGNORE_INDEX) {
        match usize::try_from(*label) {
            Ok(label) if label < vocab => {
                let weight = options.weights.as_ref().map_or(1.0, |weights| weights[row]);
                counted.push(Counted { row, label, weight });
            }
            _ => bail!("cross_entropy: label {label} of row {row} is neither -100 nor below {vocab}"),
        }
    }
    Ok(counted)
}

struct Pass<'a> {
    head: Operand<'a>,
    width: usize,
    vocab: usize,
    smoothing: f32,
    gradients: Option<Buffers>,
}

struct Buffers {
    scale: f32,
    hidden: Vec<f32>,
    head: Option<Vec<f32>>,
}

impl Pass<'_> {
    fn run(&mut self, hidden: &[f32], counted: &[Counted]) -> LossSum {
        let rows = (CHUNK / self.vocab).clamp(CHUNK_ROWS.0, CHUNK_ROWS.1).min(counted.len());
        let mut inputs = vec![0_f32; rows * self.width];
        let mut logits = vec![0_f32; rows * self.vocab];
        let mut loss = LossSum { sum: 0.0, tokens: counted.len() as u64 };
        for chunk in counted.chunks(rows.max(1)) {
            for (input, counted) in inputs.chunks_exact_mut(self.width).zip(chunk) {
                input.copy_from_slice(&hidden[counted.row * self.width..][..self.width]);
            }
            let (inputs, logits) =
                (&inputs[..chunk.len() * self.width], &mut logits[..chunk.len() * self.vocab]);
            self.logits(logits, inputs, chunk.len());
            let scale = self.gradients.as_ref().map(|gradients| gradients.scale);
            loss.sum += losses(logits, chunk, (self.vocab, self.smoothing), scale);
            self.add_gradients(logits, inputs, chunk);
        }
        loss
    }

    fn add_gradients(&mut self, slopes: &[f32], inputs: &[f32], chunk: &[Counted]) {
        let sizes = self.sizes(chunk.len());
        let Some(gradients) = &mut self.gradients else { return };
        let rows = matmul::input_gradient(slopes, self.head, sizes);
        for (row, counted) in rows.chunks_exact(self.width).zip(chunk) {
            gradients.hidden[counted.row * self.width..][..self.width].copy_from_slice(row);
        }
        if let Some(head) = &mut gradients.head {
            let inputs = Right::activations(inputs, sizes.rows, sizes.inputs, self.head.format());
            matmul::add_weight_gradient(head, slopes, &inputs, sizes);
        }
    }

    fn logits(&self, logits: &mut [f32], inputs: &[f32], rows: usize) {
        let tiles = Tiles::pack(Left::Rows(inputs), rows, self.width, self.head.format(), 1.0);
        product(logits, Write::Set, &tiles, &self.head.forward(self.sizes(rows)));
    }

    fn sizes(&self, rows: usize) -> Sizes {
        Sizes { rows, inputs: self.width, outputs: self.vocab }
    }
}

/// The summed loss of a chunk; with a scale, the logits become their own gradients.
fn losses(
    logits: &mut [f32],
    chunk: &[Counted],
    (vocab, smoothing): (usize, f32),
    scale: Option<f32>,
) -> f64 {
    let mut rows: Vec<_> = logits.chunks_exact_mut(vocab).zip(chunk).map(|row| (row, 0.0)).collect();
    team::chunks_mut(&mut rows, ROWS_TOGETHER, |_, rows| {
        for ((logits, counted), loss) in rows {
            *loss = row_loss(logits, **counted, smoothing, scale);
        }
    });
    rows.iter().map(|(_, loss)| loss).sum()
}

dispatch! {
    fn row_loss(logits: &mut [f32], counted: Counted, smoothing: f32, scale: Option<f32>) -> f64 {
        let Counted { label, weight, .. } = counted;
        let picked = logits[label];
        let mean = if smoothing > 0.0 { mean(logits) } else { 0.0 };
        let maximum = greatest(logits);
        let mut lanes = [0_f32; LANES];
        let (blocks, rest) = logits.as_chunks_mut::<LANES>();
        for block in blocks {
            for (value, lane) in block.iter_mut().zip(&mut lanes) {
                *value = exp::<FMA>(*value - maximum);
                *lane += *value;
            }
        }
        for (value, lane) in rest.iter_mut().zip(&mut lanes) {
            *value = exp::<FMA>(*value - maximum);
            *lane += *value;
        }
        let sum = sum_lanes(lanes);
        if let Some(scale) = scale {
            let scale = scale * weight;
            let (factor, even) = (scale / sum, scale * smoothing / logits.len() as f32);
            logits.iter_mut().for_each(|value| *value = *value * factor - even);
            logits[label] -= scale * (1.0 - smoothing);
        }
        let target = f64::from(1.0 - smoothing) * f64::from(picked) + f64::from(smoothing) * f64::from(mean);
        f64::from(weight) * (f64::from(maximum) - target + f64::from(sum).ln())
    }
}

/// The mean of logits, summed in lanes.
#[inline(always)]
fn mean(logits: &[f32]) -> f32 {
    let mut lanes = [0_f32; LANES];
    let (blocks, rest) = logits.as_chunks::<LANES>();
    for block in blocks {
        for (value, lane) in block.iter().zip(&mut lanes) {
            *lane += *value;
        }
    }
    for (value, lane) in rest.iter().zip(&mut lanes) {
        *lane += *value;
    }
    sum_lanes(lanes) / logits.len() as f32
}

/// The definition in candle's operations.
fn plain(hidden: &Tensor, head: &LinearWeight, counted: &[Counted], options: &LossOptions) -> Result<Tensor> {
    if counted.is_empty() {
        return (hidden.sum_all()? * 0.0)? + (head.rounded()?.sum_all()? * 0.0)?;
    }
    let index = |f: fn(&Counted) -> usize| {
        let index: Vec<u32> = counted.iter().map(|c| f(c) as u32).collect();
        Tensor::from_vec(index, counted.len(), hidden.device())
    };
    let hidden = hidden.index_select(&index(|c| c.row)?, 0)?;
    let logits = linear::plain(&hidden, head)?; // [n, V]
    let maximum = logits.max_keepdim(D::Minus1)?.detach();
    let log_sum =
        logits.broadcast_sub(&maximum)?.exp()?.sum_keepdim(D::Minus1)?.log()?.broadcast_add(&maximum)?;
    let picked = (logits.gather(&index(|c| c.label)?.unsqueeze(1)?, 1)? * (1.0 - options.label_smoothing))?;
    let target = (picked + (logits.mean_keepdim(D::Minus1)? * options.label_smoothing)?)?;
    let weights: Vec<f32> = counted.iter().map(|c| c.weight).collect();
    let weights = Tensor::from_vec(weights, (counted.len(), 1), hidden.device())?;
    ((log_sum - target)? * weights)?.sum_all()
}

fn on_device(
    hidden: &Tensor,
    head: &LinearWeight,
    counted: &[Counted],
    options: &LossOptions,
) -> Result<LossSum> {
    let sum = f64::from(plain(hidden, head, counted, options)?.to_scalar::<f32>()?);
    Ok(LossSum { sum, tokens: counted.len() as u64 })
}

fn gradients_on_device(
    hidden: &Tensor,
    head: &LinearWeight,
    counted: &[Counted],
    (scale, options): (f64, &LossOptions),
    wants_head: bool,
) -> Result<(LossSum, HeadGradients)> {
    let seed = Tensor::new(scale as f32, hidden.device())?;
    let loss = on_device(hidden, head, counted, options)?;
    if !wants_head {
        let mut grads = gradients(&[hidden], &seed, |t| plain(&t[0], head, counted, options))?;
        return Ok((loss, HeadGradients { hidden: grads.swap_remove(0), head: None }));
    }
    let wide = head.tensor()?.to_dtype(DType::F32)?;
    let mut grads = gradients(&[hidden, &wide], &seed, |t| {
        plain(&t[0], &LinearWeight::trained(t[1].clone(), head.format()), counted, options)
    })?;
    let head = grads.pop();
    Ok((loss, HeadGradients { hidden: grads.swap_remove(0), head }))
}

struct CrossEntropy {
    labels: Vec<i64>,
    options: LossOptions,
    counted: Vec<Counted>,
    format: Format,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (vocab, width) = l2.shape().dims2()?;
        let head = Operand::Rows(matrix(s2, l2)?, self.format);
        let smoothing = self.options.label_smoothing as f32;
        let mut pass = Pass { head, width, vocab, smoothing, gradients: None };
        let loss = pass.run(slice(s1, l1)?, &self.counted);
        Ok((CpuStorage::F32(vec![loss.sum as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        head: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = f64::from(dy.to_scalar::<f32>()?);
        let hidden = hidden.contiguous()?.detach();
        let wants_head = head.track_op();
        let head = LinearWeight::trained(head.detach(), self.format);
        let how = (scale, &self.options);
        let (_, grads) = cross_entropy_with_gradients(&hidden, &head, &self.labels, how, wants_head)?;
        Ok((Some(grads.hidden), grads.head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        assert_close, finite_differences, flat, normal, same_values_and_gradients, variable,
    };

    #[test]
    fn values_and_gradients_agree_with_the_definition_at_odd_sizes() {
        for (rows, width, vocab) in [(1, 3, 2), (7, 33, 19), (530, 5, 100)] {
            let labels: Vec<i64> = (0..rows as i64)
                .map(|i| if i % 3 == 1 { IGNORE_INDEX } else { i * 7 % vocab as i64 })
                .collect();
            let weights = Some((0..rows).map(|i| 0.5 + i as f32 / rows as f32).collect());
            for options in [LossOptions::default(), LossOptions { label_smoothing: 0.1, weights }] {
                same_values_and_gradients(
                    &[variable(1, (rows, width)), variable(2, (vocab, width))],
                    |t| cross_entropy_sum(&t[0], &t[1].clone().into(), &labels, &options),
                    |t| {
                        let counted = counted(&t[0], t[1].dims2()?, &labels, &options)?;
                        plain(&t[0], &t[1].clone().into(), &counted, &options)
                    },
                );
            }
        }
    }

    #[test]
    fn the_loss_of_logits_is_that_of_their_factors() {
        let (hidden, head, labels) = (normal(1, (6, 4)), normal(2, (5, 4)), [4, -100, 0, 3, -100, 1]);
        let logits = linear::plain(&hidden, &head.clone().into()).unwrap();
        let (found, expected) = (
            cross_entropy_of_logits(&logits, &labels).unwrap(),
            cross_entropy(&hidden, &head.into(), &labels, &LossOptions::default()).unwrap(),
        );
        assert_eq!(found.tokens, expected.tokens);
        assert!((found.sum - expected.sum).abs() < 1e-5, "{found:?}, expected {expected:?}");
        assert!(cross_entropy_of_logits(&logits, &[5, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (hidden, head, labels) = (normal(1, (3, 4)), normal(2, (5, 4)), [4, IGNORE_INDEX, 0]);
        let weight = head.clone().into();
        let smoothed = LossOptions { label_smoothing: 0.2, weights: Some(vec![1.0, 1.0, 0.3]) };
        let (_, grads) =
            cross_entropy_with_gradients(&hidden, &weight, &labels, (0.5, &smoothed), true).unwrap();
        let loss = |hidden: &Tensor, head: &Tensor| {
            0.5 * cross_entropy(hidden, &head.clone().into(), &labels, &smoothed).unwrap().sum
        };
        assert_close(&grads.hidden, &finite_differences(&hidden, 1e-2, |x| loss(x, &head)), 1e-3);
        assert_close(&grads.head.unwrap(), &finite_differences(&head, 1e-2, |w| loss(&hidden, w)), 1e-3);
    }

    #[test]
    fn ignored_labels_and_empty_batches_give_nothing() {
        let head = normal(2, (5, 4)).into();
        for rows in [0, 3] {
            let hidden = normal(1, (rows, 4));
            let labels = vec![IGNORE_INDEX; rows];
            let (loss, grads) =
                cross_entropy_with_gradients(&hidden, &head, &labels, (1.0, &LossOptions::default()), true)
                    .unwrap();
            assert_eq!(loss, LossSum::default());
            assert!(flat(&grads.hidden).iter().chain(&flat(&grads.head.unwrap())).all(|v| *v == 0.0));
        }
    }

    #[test]
    fn extreme_logits_give_exact_losses() {
        let hidden = Tensor::new(&[[1e4_f32], [-1e4]], &Device::Cpu).unwrap();
        let head = Tensor::new(&[[1_f32], [-1.0], [0.0]], &Device::Cpu).unwrap().into();
        let loss =
            |labels: &[i64]| cross_entropy(&hidden, &head, labels, &LossOptions::default()).unwrap().sum;
        assert_eq!(loss(&[0, 1]), 0.0);
        assert_eq!(loss(&[1, 0]), 4e4);
        let (_, grads) =
            cross_entropy_with_gradients(&hidden, &head, &[1, 0], (1.0, &LossOptions::default()), true)
                .unwrap();
        assert!(flat(&grads.hidden).iter().all(|v| v.is_finite()));
    }

    #[test]
    fn a_label_outside_the_vocabulary_is_refused_with_its_row() {
        let (hidden, head) = (normal(1, (2, 4)), normal(2, (5, 4)).into());
        for label in [5, -1] {
            let error =
                cross_entropy(&hidden, &head, &[0, label], &LossOptions::default()).unwrap_err().to_string();
            assert!(error.contains(&format!("label {label} of row 1")), "{error}");
        }
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let (hidden, head) = (normal(1, (2, 4)), normal(2, (5, 4)).into());
        let refused = |options| cross_entropy(&hidden, &head, &[0, 1], &options).unwrap_err().to_string();
        assert!(refused(LossOptions { label_smoothing: 1.5, weights: None }).contains("label smoothing 1.5"));
        let short = LossOptions { label_smoothing: 0.0, weights: Some(vec![1.0]) };
        assert!(refused(short).contains("another number of weights"));
    }

    #[test]
    fn a_packed_head_gives_the_bits_of_its_tensor() {
        for dtype in [DType::F32, DType::BF16] {
            let (hidden, head) = (normal(1, (6, 40)), normal(2, (90, 40)).to_dtype(dtype).unwrap());
            let run = |head: &LinearWeight| {
                let how = (1.0, &LossOptions::default());
                cross_entropy_with_gradients(&hidden, head, &[1, 2, 3, 4, 5, 6], how, false).unwrap()
            };
            let ((loss, grads), (packed_loss, packed_grads)) =
                (run(&head.clone().into()), run(&LinearWeight::frozen(&head).unwrap()));
            assert_eq!(loss, packed_loss);
            assert_close(&packed_grads.hidden, &grads.hidden, 0.0);
        }
    }

    #[test]
    fn the_gradient_of_logits_is_that_of_a_head_that_changes_nothing() {
        let logits = normal(1, (5, 7));
        let identity = Tensor::eye(7, DType::F32, &Device::Cpu).unwrap().into();
        let labels = [3, -100, 0, 6, 6];
        let (found, gradient) = cross_entropy_of_logits_with_gradient(&logits, &labels, 0.5).unwrap();
        let how = (0.5, &LossOptions::default());
        let (loss, expected) = cross_entropy_with_gradients(&logits, &identity, &labels, how, false).unwrap();
        assert!((found.sum - loss.sum).abs() < 1e-6 && found.tokens == 4, "{found:?} {loss:?}");
        assert_close(&gradient, &expected.hidden, 1e-6);
    }
}
