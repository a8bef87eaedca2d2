//! What stands on the encoder: the head that tells masked tokens (transformers' `BertOnlyMLMHead`), and the one that sorts sequences
//! (`BertPooler` and a classifier).

use candle_core::Tensor;
use rootstock_kernels::{
    DropoutMask, InputGradient, LinearInput, LinearWeight, LossSum, OutputGradient, add_bias, bias_gradient,
    cross_entropy_of_logits_with_gradient, gelu, gelu_backward, linear, linear_weight_gradient,
};

use super::{
    config::{CLASSIFIER, POOLER, TRANSFORM, TRANSFORM_NORM, VOCABULARY_BIAS},
    layer::dropped,
    parts::{Affine, Norm},
};
use crate::{
    EncoderConfig, ModelError, Task,
    gradients::Sink,
    load::Take,
    weight::{Matrix, Named, Vector},
};

/// Tokens whose logits over the vocabulary are in memory at a time.
const LOSS_ROWS: usize = 256;

#[derive(Clone, Debug)]
pub(super) enum Head {
    /// Logits are products with the embedding of words, plus a bias [V].
    MaskedLm {
        transform: Affine,
        norm: Norm,
        bias: Vector,
    },
    Classification {
        pooler: Affine,
        classifier: Affine,
    },
}

/// What a head's loss is made of, beside the head.
pub(super) struct Target<'a> {
    /// The embedding of words, [V, H].
    pub(super) words: &'a Matrix,
    /// One for each row of the head's input, none of them ignored.
    pub(super) labels: &'a [i64],
    /// What the gradients are multiplied by.
    pub(super) scale: f64,
    /// Before the classifier.
    pub(super) mask: Option<DropoutMask>,
}

impl Head {
    pub(super) fn take(config: &EncoderConfig, take: &mut Take) -> Result<Self, ModelError> {
        Ok(match config.task {
            Task::MaskedLm => Self::MaskedLm {
                transform: Affine::take(take, TRANSFORM)?,
                norm: Norm::take(take, TRANSFORM_NORM, config.layer_norm_eps)?,
                bias: take.vector(VOCABULARY_BIAS.to_owned())?,
            },
            Task::Classification(_) => Self::Classification {
                pooler: Affine::take(take, POOLER)?,
                classifier: Affine::take(take, CLASSIFIER)?,
            },
        })
    }

    /// Logits [n, V] or [n, labels] of `x` [n, H].
    pub(super) fn logits(&self, x: &Tensor, words: &LinearWeight) -> Result<Tensor, ModelError> {
        match self {
            Self::MaskedLm { transform, norm, bias } => {
                let activated = gelu(&transform.forward(&x.into())?)?;
                let normed = norm.forward(&activated)?;
                Ok(add_bias(&linear(&LinearInput::from(&normed), words)?, bias.numbers())?)
            }
            Self::Classification { pooler, classifier } => {
                classifier.forward(&LinearInput::from(&pooler.forward(&x.into())?.tanh()?))
            }
        }
    }

    /// The summed loss of `x` [n, H] against the labels, and the gradient of `x`.
    pub(super) fn loss(
        &self,
        x: &Tensor,
        target: &Target<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(LossSum, Tensor), ModelError> {
        match self {
            Self::MaskedLm { transform, norm, bias } => {
                let transformed = transform.forward(&x.into())?;
                let activated = gelu(&transformed)?;
                let (loss, dnormed) = words_loss(&norm.forward(&activated)?, bias, target, sink)?;
                let dactivated = norm.back(&activated, &dnormed, sink)?;
                let dtransformed = gelu_backward(&transformed, &dactivated)?;
                Ok((loss, transform.back(x, &dtransformed, sink)?))
            }
            Self::Classification { pooler, classifier } => {
                let pooled = pooler.forward(&x.into())?.tanh()?; // [n, H]
                let input = dropped(pooled.clone(), target.mask)?;
                let logits = classifier.forward(&LinearInput::from(&input))?;
                let (loss, dlogits) =
                    cross_entropy_of_logits_with_gradient(&logits, target.labels, target.scale)?;
                let dpooled = dropped(classifier.back(&input, &dlogits, sink)?, target.mask)?;
                // d tanh = 1 - tanh^2
                let dtanh = (dpooled * pooled.sqr()?.affine(-1.0, 1.0)?)?;
                Ok((loss, pooler.back(x, &dtanh, sink)?))
            }
        }
    }

    pub(super) fn weights(&self) -> Vec<&dyn Named> {
        match self {
            Self::MaskedLm { transform, norm, bias } => {
                let mut weights: Vec<&dyn Named> = vec![bias];
                weights.extend(transform.weights().into_iter().chain(norm.weights()));
                weights
            }
            Self::Classification { pooler, classifier } => {
                pooler.weights().into_iter().chain(classifier.weights()).collect()
            }
        }
    }

    pub(super) fn weights_mut(&mut self) -> Vec<&mut dyn Named> {
        match self {
            Self::MaskedLm { transform, norm, bias } => {
                let mut weights: Vec<&mut dyn Named> = vec![bias];
                weights.extend(transform.weights_mut().into_iter().chain(norm.weights_mut()));
                weights
            }
            Self::Classification { pooler, classifier } => {
                pooler.weights_mut().into_iter().chain(classifier.weights_mut()).collect()
            }
        }
    }
}

/// The loss of the logits of `x` [n, H] over the vocabulary, some rows at a time, and the gradient of `x`.
fn words_loss(
    x: &Tensor,
    bias: &Vector,
    target: &Target<'_>,
    sink: &mut Sink<'_>,
) -> Result<(LossSum, Tensor), ModelError> {
    let weight = target.words.numbers().packed()?;
    let (mut loss, mut gradients) = (LossSum::default(), Vec::new());
    for (chunk, labels) in target.labels.chunks(LOSS_ROWS).enumerate() {
        let x = x.narrow(0, chunk * LOSS_ROWS, labels.len())?.contiguous()?;
        let input = LinearInput::from(&x);
        let logits = add_bias(&linear(&input, &weight)?, bias.numbers())?;
        let (part, dlogits) = cross_entropy_of_logits_with_gradient(&logits, labels, target.scale)?;
        loss += part;
        let (dy, mut dx) = (OutputGradient::from(&dlogits), InputGradient::new(&x));
        dx.add_linear(&dy, &weight)?;
        gradients.push(dx.finish()?);
        if let Some(name) = sink.wants(target.words) {
            sink.add(name, linear_weight_gradient(&dy, &input, weight.format())?.into())?;
        }
        if let Some(name) = sink.wants(bias) {
            sink.add(name, bias_gradient(&dlogits)?.into())?;
        }
    }
    Ok((loss, Tensor::cat(&gradients, 0)?))
}
