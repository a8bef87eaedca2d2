//! The weights of the decoder: matrices as the kernels multiply them, vectors as tensors, each with the variable it shows while it is
//! trained.

use candle_core::{DType, Tensor, Var};
use rootstock_kernels::{Format, LinearWeight, WeightArena};

use crate::ModelError;

/// One named weight.
#[derive(Clone, Debug)]
pub(crate) struct Weight<N> {
    name: String,
    numbers: N,
    variable: Option<Var>,
}

/// A matrix [out, in].
pub(crate) type Matrix = Weight<LinearWeight>;
/// A vector [H], f32.
pub(crate) type Vector = Weight<Tensor>;

impl<N> Weight<N> {
    pub(crate) fn new(name: String, numbers: N) -> Self {
        Self { name, numbers, variable: None }
    }

    /// The numbers, which the optimizer changes in place while the weight is trained.
    pub(crate) fn numbers(&self) -> &N {
        &self.numbers
    }
}

/// What matrices and vectors have in common.
pub(crate) trait Named {
    fn name(&self) -> &str;
    /// The numbers, row-major.
    fn tensor(&self) -> Result<Tensor, ModelError>;
    fn bytes(&self) -> usize;
    fn variable(&self) -> Option<&Var>;
    /// Makes the weight an f32 variable, once; a matrix goes on being multiplied in its format, or in the one given.
    fn train(&mut self, format: Option<Format>) -> Result<Var, ModelError>;
}

impl Named for Matrix {
    fn name(&self) -> &str {
        &self.name
    }

    fn tensor(&self) -> Result<Tensor, ModelError> {
        Ok(self.numbers.tensor()?)
    }

    fn bytes(&self) -> usize {
        self.numbers.bytes()
    }

    fn variable(&self) -> Option<&Var> {
        self.variable.as_ref()
    }

    fn train(&mut self, format: Option<Format>) -> Result<Var, ModelError> {
        if let Some(variable) = &self.variable {
            return Ok(variable.clone());
        }
        let format = format.unwrap_or_else(|| self.numbers.format());
        if Format::Int8 == self.numbers.format() || Format::Int8 == format {
            return Err(ModelError::AnswersAlone);
        }
        let variable = Var::from_tensor(&self.numbers.tensor()?.to_dtype(DType::F32)?)?;
        self.numbers = LinearWeight::trained(variable.as_detached_tensor(), format);
        self.variable = Some(variable.clone());
        Ok(variable)
    }
}

impl Named for Vector {
    fn name(&self) -> &str {
        &self.name
    }

    fn tensor(&self) -> Result<Tensor, ModelError> {
        Ok(self.numbers.clone())
    }

    fn bytes(&self) -> usize {
        self.numbers.elem_count() * self.numbers.dtype().size_in_bytes()
    }

    fn variable(&self) -> Option<&Var> {
        self.variable.as_ref()
    }

    fn train(&mut self, _: Option<Format>) -> Result<Var, ModelError> {
        if let Some(variable) = &self.variable {
            return Ok(variable.clone());
        }
        let variable = Var::from_tensor(&self.numbers.to_dtype(DType::F32)?)?;
        self.numbers = variable.as_detached_tensor();
        self.variable = Some(variable.clone());
        Ok(variable)
    }
}

/// A weight on its way into a decoder.
#[derive(Debug)]
pub(crate) enum Loaded {
    Matrix(LinearWeight),
    Vector(Tensor),
}

impl Loaded {
    /// Packs a matrix in this format; what a tape follows stays a tensor.
    pub(crate) fn new(tensor: Tensor, format: Format, arena: &mut WeightArena) -> Result<Self, ModelError> {
        match tensor.dims() {
            [_, _] if tensor.track_op() => Ok(Self::Matrix(LinearWeight::from(tensor))),
            [_, _] => Ok(Self::Matrix(LinearWeight::frozen_as(&tensor, format, arena)?)),
            _ => Ok(Self::Vector(tensor)),
        }
    }
}
