//! What all optimizers share: a step over named parameters, and a state that is read and restored by name.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, ops::Range};

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Shape, Tensor, Var, bail};

use crate::{
    Gradient,
    composed::has_kernels,
    cpu::{floats, slice_mut, tensor},
    team,
};

/// Numbers updated by one task.
const TASK: usize = 16 * 1024;

/// What may differ between parameters at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRates {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay; each rule says how it decays.
    pub weight_decay: f64,
}

/// One parameter at one step.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The parameter's shape.
    pub shape: &'a Shape,
    /// Its rates.
    pub rates: StepRates,
    /// The step's number, from 1.
    pub step: u64,
}

/// Gives the numbers of a gradient that have these places in the parameter.
pub type Read<'a> = dyn Fn(Range<usize>) -> Cow<'a, [f32]> + Sync + 'a;

/// How an optimizer changes one parameter.
pub trait Rule {
    /// What messages call it.
    fn name(&self) -> &'static str;

    /// What it keeps of a parameter of this shape from step to step, f32 and zeros at first: names as in torch's state, and shapes.
    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)>;

    /// Changes a parameter and what is kept of it; all are row-major, and `kept` is in the order of [`Rule::keeps`].
    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>);
}

impl<R: Rule + ?Sized> Rule for Box<R> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)> {
        (**self).keeps(shape)
    }

    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>) {
        (**self).update(parameter, gradient, kept, at);
    }
}

/// A rule, what it keeps by parameter name, and one count of steps for all.
#[derive(Debug)]
pub struct Optimizer<R> {
    rule: R,
    steps: u64,
    kept: BTreeMap<String, Kept>,
}

#[derive(Debug)]
struct Kept {
    shape: Shape,
    slots: Vec<(&'static str, Shape)>,
    numbers: Vec<Vec<f32>>,
}

impl<R: Rule> Optimizer<R> {
    /// An optimizer that has made no step.
    pub fn new(rule: R) -> Self {
        Self { rule, steps: 0, kept: BTreeMap::new() }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Updates every parameter that has a gradient, in place; `rates` gives each name its learning rate and decay. Rows that a
    /// gradient lacks are updated too, as with zeros: what is kept of them fades, and moves them on until it has.
    ///
    /// # Errors
    /// When a gradient has another shape than its parameter, or a parameter is not f32; parameters before it in the list are
    /// updated then.
    pub fn step(
        &mut self,
        parameters: &[(String, Var)],
        gradients: &BTreeMap<String, Gradient>,
        rates: impl Fn(&str) -> StepRates,
    ) -> Result<()> {
        self.step_begun(parameters, gradients, rates, |_| 0)
    }

    /// [`Optimizer::step`] for parameters that were not all trained from the beginning: `begun` says after how many steps each one's
    /// first was made, from which its own are counted.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_begun(
        &mut self,
        parameters: &[(String, Var)],
        gradients: &BTreeMap<String, Gradient>,
        rates: impl Fn(&str) -> StepRates,
        begun: impl Fn(&str) -> u64,
    ) -> Result<()> {
        self.steps += 1;
        for (name, parameter) in parameters {
            let Some(gradient) = gradients.get(name) else { continue };
            let (rule, shape) = (&self.rule, parameter.shape());
            if gradient.shape() != *shape {
                bail!("{}: {name} is {shape:?}, its gradient {:?}", rule.name(), gradient.shape());
            }
            let kept = self.kept.entry(name.clone()).or_insert_with(|| Kept::zeros(rule, shape));
            if kept.shape != *shape {
                bail!("{}: {name} was {:?} and is {shape:?}", rule.name(), kept.shape);
            }
            let step = self.steps.saturating_sub(begun(name)).max(1);
            let at = At { shape, rates: rates(name), step };
            update(rule, parameter, gradient, &mut kept.numbers, at)?;
        }
        Ok(())
    }

    /// Whether anything is kept of a parameter.
    pub fn keeps(&self, name: &str) -> bool {
        self.kept.contains_key(name)
    }

    /// Forgets what is kept of the parameters whose names aren't told to be: they begin anew.
    pub fn keep(&mut self, name: impl Fn(&str) -> bool) {
        self.kept.retain(|kept, _| name(kept));
    }

    /// What is kept, f32, named `{parameter}.{name in torch's state}` and sorted by parameter.
    ///
    /// # Errors
    /// When memory for the copies is not to be had.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let slots: Vec<_> = self
            .kept
            .iter()
            .flat_map(|(name, kept)| kept.slots.iter().zip(&kept.numbers).map(move |slot| (name, slot)))
            .collect();
        let copies = team::map(slots.len(), |i| {
            let (name, ((slot, shape), numbers)) = &slots[i];
            Ok((format!("{name}.{slot}"), tensor(numbers.to_vec(), shape)?))
        });
        copies.into_iter().collect()
    }

    /// Goes on from what [`Optimizer::state`] and [`Optimizer::steps`] gave, with the same parameters.
    ///
    /// # Errors
    /// Names the tensor that no parameter has or that has another shape, or the parameter of which only some are there; nothing
    /// is changed then.
    pub fn restore(
        &mut self,
        steps: u64,
        parameters: &[(String, Var)],
        state: &[(String, Tensor)],
    ) -> Result<()> {
        let mut left: BTreeMap<&str, &Tensor> = state.iter().map(|(key, t)| (key.as_str(), t)).collect();
        let mut restored = BTreeMap::new();
        for (name, parameter) in parameters {
            let mut kept = Kept::zeros(&self.rule, parameter.shape());
            let found = kept.fill(name, &mut left)?;
            if found == kept.slots.len() {
                restored.insert(name.clone(), kept);
            } else if found > 0 {
                let all = kept.slots.len();
                bail!("{}: the state has {found} of {all} tensors of {name}", self.rule.name());
            }
        }
        if let Some(key) = left.keys().next() {
            bail!("{}: no parameter has the state tensor {key}", self.rule.name());
        }
        (self.steps, self.kept) = (steps, restored);
        Ok(())
    }
}

impl Kept {
    fn zeros(rule: &impl Rule, shape: &Shape) -> Self {
        let slots = rule.keeps(shape);
        let numbers = slots.iter().map(|(_, shape)| vec![0.0; shape.elem_count()]).collect();
        Self { shape: shape.clone(), slots, numbers }
    }

    /// Takes what there is of the parameter `name` out of a state; gives its number of tensors.
    fn fill(&mut self, name: &str, state: &mut BTreeMap<&str, &Tensor>) -> Result<usize> {
        let mut found = 0;
        for ((slot, shape), numbers) in self.slots.iter().zip(&mut self.numbers) {
            let key = format!("{name}.{slot}");
            let Some(tensor) = state.remove(key.as_str()) else { continue };
            if tensor.shape() != shape {
                bail!("the state tensor {key} is {:?}, but must be {shape:?}", tensor.shape());
            }
            *numbers = floats(&host(tensor)?)?.to_vec();
            found += 1;
        }
        Ok(found)
    }
}

fn update<R: Rule>(
    rule: &R,
    parameter: &Var,
    gradient: &Gradient,
    kept: &mut [Vec<f32>],
    at: At<'_>,
) -> Result<()> {
    let gradient = gradient.host()?;
    let numbers = gradient.numbers()?;
    let gradient = |range| numbers.read(range);
    if has_kernels(parameter.device()) {
        return parameter.inplace_op1(&Update { rule, at, gradient: &gradient, kept: RefCell::new(kept) });
    }
    // Elsewhere what is kept still lives in main memory; the parameter makes the round trip.
    let mut values = floats(&host(parameter)?)?.to_vec();
    rule.update(&mut values, &gradient, kept, at);
    parameter.set(&tensor(values, parameter.shape())?.to_device(parameter.device())?)
}

fn host(tensor: &Tensor) -> Result<Tensor> {
    tensor.detach().to_device(&Device::Cpu)?.contiguous()
}

struct Update<'a, R> {
    rule: &'a R,
    at: At<'a>,
    gradient: &'a Read<'a>,
    kept: RefCell<&'a mut [Vec<f32>]>,
}

impl<R: Rule> InplaceOp1 for Update<'_, R> {
    fn name(&self) -> &'static str {
        self.rule.name()
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let parameter = slice_mut(storage, layout)?;
        self.rule.update(parameter, self.gradient, &mut self.kept.borrow_mut(), self.at);
        Ok(())
    }
}

/// Calls `work` with equal pieces of a parameter, its gradient and `N` that are kept of it, each number of which changes on its own.
pub(crate) fn in_tasks<const N: usize>(
    parameter: &mut [f32],
    gradient: &Read<'_>,
    kept: &mut [Vec<f32>],
    work: impl Fn(&mut [f32], &[f32], [&mut [f32]; N]) + Sync,
) {
    let mut kept = kept.iter_mut().map(Vec::as_mut_slice);
    let kept: [&mut [f32]; N] = std::array::from_fn(|_| kept.next().unwrap_or_default());
    let mut kept = kept.map(|numbers| numbers.chunks_mut(TASK));
    let mut parts: Vec<_> = parameter
        .chunks_mut(TASK)
        .map(|p| (p, kept.each_mut().map(|chunks| chunks.next().unwrap_or_default())))
        .collect();
    team::chunks_mut(&mut parts, 1, |task, part| {
        for (p, kept) in part {
            let g = gradient(task * TASK..task * TASK + p.len());
            work(p, &g, kept.each_mut().map(|numbers| &mut **numbers));
        }
    });
}

#[cfg(test)]
mod tests;
