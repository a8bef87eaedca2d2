//! Elastic weight consolidation (Kirkpatrick et al., 2017, "Overcoming catastrophic forgetting in neural networks"): how much each number
//! matters for some data, and a penalty that holds those which do where they are.

use std::collections::BTreeMap;

use candle_core::{Result, Shape, Tensor, Var, bail};

use crate::{
    Gradient,
    composed::has_kernels,
    cpu::{floats, for_rows, tensor},
    team,
};

/// Numbers whose penalty one task sums; fixed, so that the threads don't decide the rounding.
const BLOCK: usize = 16 * 1024;

/// The diagonal of the empirical Fisher information: of each number of some parameters the mean square of the gradients of rows'
/// log-likelihoods.
#[derive(Debug, Default)]
pub struct Fisher {
    rows: u64,
    sums: BTreeMap<String, (Shape, Vec<f32>)>,
}

impl Fisher {
    /// Takes in one row: its gradients, f32 and of the same parameters for every row, times `factor` are those of its log-likelihood,
    /// but for the sign.
    ///
    /// # Errors
    /// When a gradient is not f32.
    pub fn add_row(&mut self, gradients: &BTreeMap<String, Gradient>, factor: f64) -> Result<()> {
        self.rows += 1;
        for (name, gradient) in gradients {
            let shape = gradient.shape();
            let zeros = || (shape.clone(), vec![0.0; shape.elem_count()]);
            let (_, sums) = self.sums.entry(name.clone()).or_insert_with(zeros);
            add_squares(sums, gradient, factor as f32)?;
        }
        Ok(())
    }

    /// The means over the rows: f32, in main memory, of the parameters' shapes and by their names.
    ///
    /// # Errors
    /// When memory for the tensors is not to be had.
    pub fn mean(self) -> Result<Vec<(String, Tensor)>> {
        let rows = self.rows.max(1) as f32;
        let mean = |(name, (shape, mut sums)): (String, (Shape, Vec<f32>))| {
            for_rows(&mut sums, 1, |_, part| part.iter_mut().for_each(|sum| *sum /= rows));
            Ok((name, tensor(sums, shape)?))
        };
        self.sums.into_iter().map(mean).collect()
    }
}

fn add_squares(sums: &mut [f32], gradient: &Gradient, factor: f32) -> Result<()> {
    let gradient = gradient.host()?;
    let numbers = gradient.numbers()?;
    for_rows(sums, 1, |first, part| {
        for (start, piece) in numbers.pieces(first..first + part.len()) {
            let sums = part[start..].iter_mut().zip(piece);
            sums.for_each(|(sum, number)| *sum += (factor * number) * (factor * number));
        }
    });
    Ok(())
}

/// What holds parameters w close to their anchors w*: the penalty `strength / 2 * sum F (w - w*)^2`.
#[derive(Debug)]
pub struct ElasticPenalty {
    strength: f32,
    held: BTreeMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    fisher: Tensor,
    anchor: Tensor,
}

impl ElasticPenalty {
    /// Anchors those of the f32 parameters, as they are now, that there is Fisher information for; the others are free.
    ///
    /// # Errors
    /// Names the parameter whose Fisher information has another shape.
    pub fn new(
        strength: f64,
        mut fisher: BTreeMap<String, Tensor>,
        parameters: &[(String, Var)],
    ) -> Result<Self> {
        let mut held = BTreeMap::new();
        for (name, parameter) in parameters {
            let Some(fisher) = fisher.remove(name) else { continue };
            if fisher.shape() != parameter.shape() {
                bail!("{name} is {:?}, its Fisher information {:?}", parameter.shape(), fisher.shape());
            }
            let fisher = fisher.to_device(parameter.device())?;
            held.insert(name.clone(), Held { fisher, anchor: parameter.as_detached_tensor().copy()? });
        }
        Ok(Self { strength: strength as f32, held })
    }

    /// Adds the penalty's gradients to those of some parameters; returns the penalty of these parameters, summed in f64.
    ///
    /// # Errors
    /// When a gradient has another shape than its parameter.
    pub fn pull(
        &self,
        parameters: &[(String, Var)],
        gradients: &mut BTreeMap<String, Gradient>,
    ) -> Result<f64> {
        let mut penalty = 0.0;
        for (name, parameter) in parameters {
            let Some(held) = self.held.get(name) else { continue };
            let Some(gradient) = gradients.remove(name) else { continue };
            let (pull, part) = held.pull(&parameter.as_detached_tensor(), self.strength)?;
            gradients.insert(name.clone(), gradient.plus(pull.into())?);
            penalty += part;
        }
        Ok(penalty)
    }
}

impl Held {
    /// The penalty's gradient, of the parameter's shape, and the penalty.
    fn pull(&self, parameter: &Tensor, strength: f32) -> Result<(Tensor, f64)> {
        if !has_kernels(parameter.device()) {
            let away = (parameter - &self.anchor)?;
            let pull = ((&self.fisher * &away)? * f64::from(strength))?;
            let penalty = (&pull * &away)?.sum_all()?.to_scalar::<f32>()?;
            return Ok((pull, 0.5 * f64::from(penalty)));
        }
        let (w, anchor, fisher) = (floats(parameter)?, floats(&self.anchor)?, floats(&self.fisher)?);
        let away = |i: usize| w[i] - anchor[i];
        let mut pull = vec![0.0; w.len()];
        for_rows(&mut pull, 1, |first, part| {
            part.iter_mut().enumerate().for_each(|(i, pull)| {
                *pull = strength * fisher[first + i] * away(first + i);
            });
        });
        let block = |n: usize| {
            let numbers = n * BLOCK..w.len().min((n + 1) * BLOCK);
            numbers.map(|i| f64::from(pull[i]) * f64::from(away(i))).sum::<f64>()
        };
        let penalty: f64 = team::map(w.len().div_ceil(BLOCK), block).iter().sum();
        Ok((tensor(pull, parameter.shape())?, 0.5 * penalty))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{
        embedding_backward,
        testing::{assert_close, finite_differences, flat, normal, variable},
        with_threads,
    };

    /// More than one task, and no whole number of them.
    const SHAPE: (usize, usize) = (210, 97);

    fn one(gradient: impl Into<Gradient>) -> BTreeMap<String, Gradient> {
        BTreeMap::from([("w".to_owned(), gradient.into())])
    }

    #[test]
    fn the_fisher_information_is_the_mean_square_of_the_rows_gradients() {
        let row = |numbers: &[f32]| one(Tensor::new(numbers, &Device::Cpu).unwrap());
        let mut fisher = Fisher::default();
        fisher.add_row(&row(&[1.0, -2.0, 0.0]), 1.0).unwrap();
        fisher.add_row(&row(&[2.0, 1.0, 0.5]), 2.0).unwrap();
        let mean = fisher.mean().unwrap();
        assert_eq!((mean[0].0.as_str(), flat(&mean[0].1)), ("w", vec![8.5, 4.0, 0.5]));
    }

    #[test]
    fn rows_of_a_table_count_as_a_tensor_with_zeros_in_all_others() {
        let ids = [209, 3, 3, 70];
        let rows = embedding_backward(SHAPE, &ids, &normal(1, (ids.len(), SHAPE.1))).unwrap();
        let of = |gradient: Gradient| {
            let mut fisher = Fisher::default();
            fisher.add_row(&one(gradient), 0.5).unwrap();
            flat(&fisher.mean().unwrap()[0].1)
        };
        assert_eq!(of(rows.clone()), of(rows.dense().unwrap().into()));
    }

    fn penalty(w: &Tensor, fisher: &Tensor, anchor: &Tensor) -> (f64, Tensor) {
        let parameter = |w: &Tensor| vec![("w".to_owned(), Var::from_tensor(w).unwrap())];
        let held = BTreeMap::from([("w".to_owned(), fisher.clone())]);
        let penalty = ElasticPenalty::new(3.0, held, &parameter(anchor)).unwrap();
        let mut gradients = one(w.zeros_like().unwrap());
        let value = penalty.pull(&parameter(w), &mut gradients).unwrap();
        (value, gradients["w"].dense().unwrap())
    }

    #[test]
    fn the_gradient_of_the_penalty_is_its_slope() {
        let (w, anchor, fisher) = (normal(1, (3, 5)), normal(2, (3, 5)), normal(3, (3, 5)).sqr().unwrap());
        let (value, gradient) = penalty(&w, &fisher, &anchor);
        let away = (&w - &anchor).unwrap().sqr().unwrap();
        let expected = (away * &fisher).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() * 1.5;
        assert!((value - f64::from(expected)).abs() < 1e-4, "{value} {expected}");
        let slope = finite_differences(&w, 1e-2, |w| penalty(w, &fisher, &anchor).0);
        assert_close(&gradient, &slope, 1e-2);
    }

    #[test]
    fn a_pull_has_the_same_bits_on_any_number_of_threads_and_adds_to_rows_too() {
        let (w, anchor, fisher) = (normal(1, SHAPE), normal(2, SHAPE), normal(3, SHAPE).sqr().unwrap());
        let run = |threads| with_threads(threads, || penalty(&w, &fisher, &anchor));
        let ((value, pull), (other, again)) = (run(1), run(2));
        assert_eq!((value.to_bits(), flat(&pull)), (other.to_bits(), flat(&again)));
        let rows = embedding_backward(SHAPE, &[5, 9], &normal(4, (2, SHAPE.1))).unwrap();
        let parameters = vec![("w".to_owned(), Var::from_tensor(&anchor).unwrap())];
        let held = ElasticPenalty::new(3.0, [("w".to_owned(), fisher)].into(), &parameters).unwrap();
        parameters[0].1.set(&w).unwrap();
        let mut gradients = one(rows.clone());
        held.pull(&parameters, &mut gradients).unwrap();
        assert_close(gradients["w"].values(), &(rows.dense().unwrap() + pull).unwrap(), 1e-6);
    }

    #[test]
    fn what_fisher_information_lacks_is_free_and_another_shape_is_refused() {
        let parameters = vec![("w".to_owned(), variable(1, SHAPE))];
        let free = ElasticPenalty::new(1.0, BTreeMap::new(), &parameters).unwrap();
        let mut gradients = one(normal(2, SHAPE));
        assert_eq!(free.pull(&parameters, &mut gradients).unwrap(), 0.0);
        assert_eq!(flat(gradients["w"].values()), flat(&normal(2, SHAPE)));
        let other = [("w".to_owned(), normal(3, 4))].into();
        assert!(ElasticPenalty::new(1.0, other, &parameters).unwrap_err().to_string().contains('w'));
    }
}
