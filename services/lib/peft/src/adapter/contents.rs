//! What an adapter holds: its tensors by name, their number and their size.

use candle_core::Tensor;
use rootstock_kernels::LinearWeight;
use rootstock_model::{EmbeddingPair, Projection};

use super::{Linear, LoraAdapter, PROJECTIONS};
use crate::{
    Half, Module, PeftError,
    biases::OwnBias,
    names::{Part, part_name},
};

impl LoraAdapter {
    /// Every tensor by PEFT name, in order of names: A [r, in] and B [out, r], magnitudes [out], weights [V, H].
    ///
    /// # Errors
    /// When memory for copies of packed ones is not to be had.
    pub fn named_tensors(&self) -> Result<Vec<(String, Tensor)>, PeftError> {
        let mut tensors = Vec::new();
        for (module, linear) in self.linears() {
            let mut put = |part, tensor| tensors.push((part_name(module, part), tensor));
            put(Part::Half(Half::A), linear.pair.a.tensor()?.detach());
            put(Part::Half(Half::B), linear.pair.b.tensor()?.detach());
            linear.dora.iter().for_each(|dora| put(Part::Magnitude, dora.magnitude.detach()));
        }
        let mut put = |module, part, tensor| tensors.push((part_name(module, part), tensor));
        if let Some(EmbeddingPair { a, b, .. }) = &self.embedding.pair {
            put(Module::Embedding, Part::Half(Half::A), a.tensor()?.detach().t()?.contiguous()?);
            put(Module::Embedding, Part::Half(Half::B), b.tensor()?.detach());
        }
        for (module, weight) in
            [(Module::Embedding, &self.embedding.table), (Module::Head, &self.head.weight)]
        {
            if let Some(weight) = weight {
                put(module, Part::Whole, weight.tensor()?.detach());
            }
        }
        tensors.extend(self.own_biases().map(|(own, bias)| (own.name(), bias.detach())));
        tensors.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(tensors)
    }

    /// Bytes the weights take in memory.
    pub fn bytes(&self) -> usize {
        let embedding = self.embedding.pair.as_ref().map_or(0, |pair| pair.a.bytes() + pair.b.bytes());
        let whole = self.whole().map(LinearWeight::bytes).sum::<usize>();
        let biases = self.own_biases().map(|(_, bias)| bias.elem_count() * size_of::<f32>()).sum::<usize>();
        self.linears().map(|(_, linear)| linear.bytes()).sum::<usize>() + embedding + whole + biases
    }

    /// Number of weights.
    pub fn num_parameters(&self) -> usize {
        let count = |weight: &LinearWeight| weight.dims().map_or(0, |(rows, columns)| rows * columns);
        let linear = |(_, linear): (_, &Linear)| {
            let magnitudes = linear.dora.as_ref().map_or(0, |dora| dora.magnitude.elem_count());
            count(&linear.pair.a) + count(&linear.pair.b) + magnitudes
        };
        let embedding = self.embedding.pair.as_ref().map_or(0, |pair| count(&pair.a) + count(&pair.b));
        let biases = self.own_biases().map(|(_, bias)| bias.elem_count()).sum::<usize>();
        let whole = self.whole().map(count).sum::<usize>();
        self.linears().map(linear).sum::<usize>() + embedding + whole + biases
    }

    /// What is done to linear modules.
    fn linears(&self) -> impl Iterator<Item = (Module, &Linear)> {
        let module = |index| Module::Layer(index / PROJECTIONS, Projection::ALL[index % PROJECTIONS]);
        let layers = self.slots.iter().enumerate();
        let layers = layers.filter_map(move |(index, linear)| Some((module(index), linear.as_ref()?)));
        layers.chain(self.head.linear.iter().map(|linear| (Module::Head, linear)))
    }

    /// The biases it brings in place of the base's.
    pub(super) fn own_biases(&self) -> impl Iterator<Item = (OwnBias, &Tensor)> {
        let own = |index: usize| OwnBias {
            layer: index / PROJECTIONS,
            projection: Projection::ALL[index % PROJECTIONS],
            adapted: self.slots[index].is_some(),
        };
        let biases = self.biases.iter().enumerate();
        biases.filter_map(move |(index, bias)| Some((own(index), bias.as_ref()?)))
    }

    /// The weights it brings in place of the base's.
    fn whole(&self) -> impl Iterator<Item = &LinearWeight> {
        self.embedding.table.iter().chain(&self.head.weight)
    }
}
