//! A weight of the decoder: a tensor out of any tape's reach, and the variable it shows while it is trained.

use candle_core::{DType, Tensor, Var};

use crate::ModelError;

/// One named weight.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    name: String,
    tensor: Tensor,
    variable: Option<Var>,
}

impl Weight {
    pub(crate) fn new(name: String, tensor: Tensor) -> Self {
        Self { name, tensor, variable: None }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The numbers, which the optimizer changes in place while the weight is trained.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    pub(crate) fn variable(&self) -> Option<&Var> {
        self.variable.as_ref()
    }

    /// Makes the weight an f32 variable, once.
    pub(crate) fn train(&mut self) -> Result<Var, ModelError> {
        if let Some(variable) = &self.variable {
            return Ok(variable.clone());
        }
        let variable = Var::from_tensor(&self.tensor.to_dtype(DType::F32)?)?;
        self.tensor = variable.as_detached_tensor();
        self.variable = Some(variable.clone());
        Ok(variable)
    }
}
