//! A bottleneck beside or behind a block of a layer (Houlsby et al., 2019; Pfeiffer et al., 2021; He et al., 2022): a narrow linear map,
//! a non-linearity and a wide map, whose output is added to the block's.

use candle_core::{DType, Tensor};
use rootstock_kernels::{
    Format, InputGradient, LinearInput, LinearWeight, OutputGradient, add, add_bias, bias_gradient, gelu,
    gelu_backward, linear, linear_weight_gradient, swiglu, swiglu_backward,
};

use crate::{ModelError, gradients::Sink};

/// The block of a layer that a bottleneck belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Attention, with its output projection.
    Attention,
    /// The gated feed-forward block.
    FeedForward,
}

impl Place {
    /// Both, in forward order.
    pub const ALL: [Self; 2] = [Self::Attention, Self::FeedForward];
}

/// `scale * (U f(D x + d) + u)`, added to the output of a block.
#[derive(Clone, Debug)]
pub struct Bottleneck {
    /// D [r, H].
    pub down: LinearWeight,
    /// d [r], f32.
    pub down_bias: Tensor,
    /// U [H, r].
    pub up: LinearWeight,
    /// u [H], f32.
    pub up_bias: Tensor,
    /// f.
    pub non_linearity: NonLinearity,
    /// Multiplies what is added.
    pub scale: f64,
    /// x.
    pub reads: Reads,
}

/// What a bottleneck reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The block's output.
    Output,
    /// The residual stream behind the block: its output added to what it was before.
    After,
    /// The residual stream before the block and its norm: the bottleneck is beside it.
    Before,
}

/// The functions between the two maps, by their names in transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonLinearity {
    /// `relu`
    Relu,
    /// `gelu`, by the error function.
    Gelu,
    /// `swish`, or `silu`
    Swish,
}

/// The activations of a bottleneck, which its backward pass needs.
pub(crate) struct Narrow {
    /// [T, H]
    input: Tensor,
    /// [T, r], before the non-linearity.
    before: Tensor,
    /// [T, r]
    after: Tensor,
}

impl NonLinearity {
    /// The function of a name, whatever its case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "relu" => Some(Self::Relu),
            "gelu" => Some(Self::Gelu),
            "swish" | "silu" => Some(Self::Swish),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Swish => "swish",
        }
    }

    fn forward(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Relu => x.relu(),
            Self::Gelu => gelu(x),
            Self::Swish => swiglu(x, &x.ones_like()?),
        }
    }

    fn backward(self, x: &Tensor, dy: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Relu => dy * x.gt(0.0)?.to_dtype(DType::F32)?,
            Self::Gelu => gelu_backward(x, dy),
            Self::Swish => Ok(swiglu_backward(x, &x.ones_like()?, dy)?.0),
        }
    }
}

impl Bottleneck {
    /// Whether a gradient is wanted of one of its weights.
    pub(crate) fn is_trained(&self, sink: &Sink<'_>) -> bool {
        let maps = [self.down.tensor_id(), self.up.tensor_id()].into_iter().flatten();
        let mut ids = maps.chain([self.down_bias.id(), self.up_bias.id()]);
        ids.any(|id| sink.wants_tensor(id).is_some())
    }

    /// What is added [T, H] to a block's `output` [T, H], whose residual stream was `before` [T, H].
    pub(crate) fn forward(&self, output: &Tensor, before: &Tensor) -> Result<(Tensor, Narrow), ModelError> {
        let input = match self.reads {
            Reads::Output => output.clone(),
            Reads::After => add(output, before)?,
            Reads::Before => before.clone(),
        };
        let narrow = linear(&LinearInput::from(&input), &self.down.detach().packed()?)?;
        let narrow = add_bias(&narrow, &self.down_bias.detach())?; // [T, r]
        let after = self.non_linearity.forward(&narrow)?;
        let wide = linear(&LinearInput::from(&after), &self.up.detach().packed()?)?;
        let added = (add_bias(&wide, &self.up_bias.detach())? * self.scale)?; // [T, H]
        Ok((added, Narrow { input, before: narrow, after }))
    }

    /// Takes the gradient `dy` [T, H] of the residual stream behind the block to those of the block's output and of the stream before
    /// it, both with `dy` itself in them, leaving those of the weights in the sink.
    pub(crate) fn backward(
        &self,
        narrow: &Narrow,
        dy: &Tensor,
        sink: &mut Sink<'_>,
    ) -> Result<(Tensor, Tensor), ModelError> {
        let dwide = (dy * self.scale)?;
        let dafter = back((&self.up, &self.up_bias), &narrow.after, &dwide, sink)?; // [T, r]
        let dbefore = self.non_linearity.backward(&narrow.before, &dafter)?;
        let dinput = back((&self.down, &self.down_bias), &narrow.input, &dbefore, sink)?; // [T, H]
        let with = add(dy, &dinput)?;
        Ok(match self.reads {
            Reads::Output => (with, dy.clone()),
            Reads::After => (with.clone(), with),
            Reads::Before => (dy.clone(), with),
        })
    }
}

/// Through a linear map of `x` with a bias.
fn back(
    (weight, bias): (&LinearWeight, &Tensor),
    x: &Tensor,
    dy: &Tensor,
    sink: &mut Sink<'_>,
) -> Result<Tensor, ModelError> {
    let gradient = OutputGradient::from(dy);
    if let Some(name) = weight.tensor_id().and_then(|id| sink.wants_tensor(id)) {
        sink.put(name, linear_weight_gradient(&gradient, &LinearInput::from(x), Format::F32)?);
    }
    if let Some(name) = sink.wants_tensor(bias.id()) {
        sink.put(name, bias_gradient(dy)?);
    }
    let mut dx = InputGradient::new(x);
    dx.add_linear(&gradient, &weight.detach().packed()?)?;
    Ok(dx.finish()?)
}
