//! Gradients by parameter name, and the sink in which a backward pass leaves them.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Tensor, TensorId, Var};
use rootstock_kernels::{Gradient, clip_by_global_norm, global_norm, scale_gradients};

use crate::{ModelError, weight::Named};

/// Gradients by parameter name (Hugging Face's for weights, PEFT's for adapters), f32, of their parameters' shapes. That of an
/// embedding which is no output projection too has the rows of the batch's tokens alone.
#[derive(Clone, Debug, Default)]
pub struct Gradients(pub BTreeMap<String, Gradient>);

impl Gradients {
    /// Adds another micro-batch's gradients; a name that is only there is taken over.
    ///
    /// # Errors
    /// When two gradients of one name differ in shape.
    pub fn accumulate(&mut self, other: Self) -> Result<(), ModelError> {
        other.0.into_iter().try_for_each(|(name, gradient)| add(&mut self.0, name, gradient))
    }

    /// The Euclidean norm over all gradients.
    ///
    /// # Errors
    /// When a gradient is not f32.
    pub fn global_norm(&self) -> Result<f64, ModelError> {
        Ok(global_norm(self.0.values())?)
    }

    /// Shortens the gradients to `max_norm` where their norm is larger; returns the norm before.
    ///
    /// # Errors
    /// When a gradient is not f32.
    pub fn clip(&mut self, max_norm: f64) -> Result<f64, ModelError> {
        Ok(clip_by_global_norm(&mut self.0, max_norm)?)
    }

    /// Multiplies the gradients by a number.
    ///
    /// # Errors
    /// When a gradient is not f32.
    pub fn scale(&mut self, factor: f64) -> Result<(), ModelError> {
        if factor == 1.0 {
            return Ok(());
        }
        Ok(scale_gradients(&mut self.0, factor)?)
    }
}

fn add(sums: &mut BTreeMap<String, Gradient>, name: String, gradient: Gradient) -> Result<(), ModelError> {
    let sum = match sums.remove(&name) {
        Some(sum) => sum.plus(gradient)?,
        None => gradient,
    };
    sums.insert(name, sum);
    Ok(())
}

/// Collects the gradients of the parameters that were asked for.
pub(crate) struct Sink<'a> {
    wanted: HashMap<TensorId, &'a str>,
    gradients: BTreeMap<String, Gradient>,
    /// Those of some columns of a parameter, by the place among all of its.
    columns: BTreeMap<(String, usize), Tensor>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(parameters: &'a [(String, Var)]) -> Self {
        let wanted = parameters.iter().map(|(name, var)| (var.as_tensor().id(), name.as_str())).collect();
        Self { wanted, gradients: BTreeMap::new(), columns: BTreeMap::new() }
    }

    /// The name under which a weight's gradient is wanted.
    pub(crate) fn wants(&self, weight: &dyn Named) -> Option<&'a str> {
        weight.variable().and_then(|variable| self.wants_tensor(variable.as_tensor().id()))
    }

    pub(crate) fn wants_tensor(&self, id: TensorId) -> Option<&'a str> {
        self.wanted.get(&id).copied()
    }

    /// Takes the gradient of the variable that this tensor is, if it is wanted.
    pub(crate) fn put_wanted(&mut self, id: Option<TensorId>, gradient: impl Into<Gradient>) {
        if let Some(name) = id.and_then(|id| self.wants_tensor(id)) {
            self.put(name, gradient);
        }
    }

    pub(crate) fn put(&mut self, name: &str, gradient: impl Into<Gradient>) {
        self.gradients.insert(name.to_owned(), gradient.into());
    }

    /// The gradient of some columns; those of a parameter stand beside each other in the order of their places.
    pub(crate) fn put_columns(&mut self, name: &str, place: usize, gradient: Tensor) {
        self.columns.insert((name.to_owned(), place), gradient);
    }

    /// Adds to what was put under a name, if anything.
    pub(crate) fn add(&mut self, name: &str, gradient: Gradient) -> Result<(), ModelError> {
        add(&mut self.gradients, name.to_owned(), gradient)
    }

    /// The gradients, one for each parameter; those that a backward pass has not `reached` are zeros.
    pub(crate) fn finish(
        mut self,
        parameters: &[(String, Var)],
        reached: bool,
    ) -> Result<Gradients, ModelError> {
        let mut columns: BTreeMap<String, Vec<Tensor>> = BTreeMap::new();
        for ((name, _), gradient) in std::mem::take(&mut self.columns) {
            columns.entry(name).or_default().push(gradient);
        }
        for (name, columns) in columns {
            self.put(&name, Tensor::cat(&columns, 1)?);
        }
        for (name, parameter) in parameters {
            if self.gradients.contains_key(name) {
                continue;
            }
            if reached {
                let problem = "is a variable of neither the decoder nor the adapter".to_owned();
                return Err(ModelError::Parameter { name: name.clone(), problem });
            }
            self.gradients.insert(name.clone(), Gradient::zeros(parameter)?);
        }
        Ok(Gradients(self.gradients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn gradients(name: &str, values: &[f32]) -> Gradients {
        let gradient = Tensor::new(values, &Device::Cpu).unwrap();
        Gradients(BTreeMap::from([(name.to_owned(), gradient.into())]))
    }

    #[test]
    fn micro_batches_add_up_and_new_names_are_taken_over() {
        let mut sum = gradients("a", &[1.0, 2.0]);
        sum.accumulate(gradients("a", &[10.0, 20.0])).unwrap();
        sum.accumulate(gradients("b", &[2.0])).unwrap();
        assert_eq!(sum.0["a"].values().to_vec1::<f32>().unwrap(), [11.0, 22.0]);
        assert_eq!(sum.0["b"].values().to_vec1::<f32>().unwrap(), [2.0]);
        assert!(sum.accumulate(gradients("a", &[1.0])).is_err());
    }

    #[test]
    fn clipping_returns_the_norm_before_and_leaves_the_allowed_one() {
        let mut sum = gradients("a", &[3.0, 4.0]);
        assert_eq!(sum.clip(1.0).unwrap(), 5.0);
        assert!((sum.global_norm().unwrap() - 1.0).abs() < 1e-6);
    }
}
