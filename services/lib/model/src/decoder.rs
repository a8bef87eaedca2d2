//! The decoder: embedding, layers, norm, output projection; one definition for all families, for training and inference.

use std::path::PathBuf;

use candle_core::{Device, Tensor, Var};
use rootstock_kernels::{Format, LinearWeight, RotaryTable, Segments, rms_norm};

use crate::{
    Adapter, AnyConfig, Config, EMBEDDING, FINAL_NORM, HEAD, Interrupt, KvCache, ModelError, Projection,
    layer::{Context, Continued, Layer, Pass, Wanted},
    load::{self, Take},
    recompute::Recompute,
    weight::{Matrix, Named, Vector},
};

mod begin;
mod ends;
mod vocabulary;
mod wanted;

pub(crate) use ends::Owner;

/// A model in memory, shared by all who use it.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    device: Device,
    recompute: Recompute,
    interrupt: Interrupt,
    rotary: RotaryTable,
    /// [V, H]
    embedding: Matrix,
    layers: Vec<Layer>,
    /// [H]
    norm: Vector,
    /// [V, H]; absent when tied to the embedding.
    head: Option<Matrix>,
}

impl Decoder {
    /// A model with fresh weights: matrices from N(0, `initializer_range`^2) as in transformers, norms 1, biases 0; f32. Each weight's
    /// numbers depend on the seed and its name alone.
    ///
    /// # Errors
    /// When the configuration does not fit together or the device can't take the tensors.
    pub fn init(config: Config, seed: u64, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let drawn = load::draw(config.tensors(), config.initializer_range, seed, device)?;
        Self::from_loaded(config, drawn, device)
    }

    /// Loads a model from memory-mapped safetensors files. Matrices are packed in this format, or in that of a dtype, one by one, so
    /// that no second copy of the model is in memory; norms and biases are always f32. As int8 the model is for answers alone.
    ///
    /// # Errors
    /// Names the tensor that is missing, unexpected, doubled, of the wrong shape or of a dtype that is not read, or the file that
    /// can't be read. A stored output projection is passed over when the configuration ties it to the embedding.
    pub fn load(
        config: Config,
        files: &[PathBuf],
        format: impl Into<Format>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        let any = AnyConfig::Decoder(config.clone());
        let loaded = load::read(&any, files, format.into(), device)?;
        Self::from_loaded(config, loaded, device)
    }

    /// A model of these weights, whose shapes have been checked.
    pub(crate) fn from_loaded(config: Config, mut take: Take, device: &Device) -> Result<Self, ModelError> {
        let embedding = take.matrix(EMBEDDING.to_owned())?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            layers.push(Layer::take(&config, index, &mut take)?);
        }
        let norm = take.vector(FINAL_NORM.to_owned())?;
        let head = if config.tie_word_embeddings { None } else { Some(take.matrix(HEAD.to_owned())?) };
        let rotary = RotaryTable::new(config.head_dim, config.rope_theta, &config.rope_scaling);
        let (recompute, interrupt) = (Recompute::default(), Interrupt::default());
        Ok(Self {
            config,
            device: device.clone(),
            recompute,
            interrupt,
            rotary,
            embedding,
            layers,
            norm,
            head,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where its weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Every weight by its Hugging Face name, in the order of `Config::tensors`; packed ones are unpacked into copies.
    ///
    /// # Errors
    /// When memory for the copies is not to be had.
    pub fn named_tensors(&self) -> Result<Vec<(String, Tensor)>, ModelError> {
        self.weights().map(|weight| Ok((weight.name().to_owned(), weight.tensor()?))).collect()
    }

    /// Bytes of all weights.
    pub fn bytes(&self) -> usize {
        self.weights().map(Named::bytes).sum()
    }

    /// In which format the matrices are multiplied.
    pub fn format(&self) -> Format {
        self.embedding.numbers().format()
    }

    /// Makes every weight an f32 variable and returns them by name: the parameters of full training. Matrices are multiplied in the
    /// format given, or in the one they were loaded in.
    ///
    /// # Errors
    /// When memory for the variables is not to be had, or the model was loaded as int8 or shall be trained so.
    pub fn set_trainable(&mut self, format: Option<Format>) -> Result<Vec<(String, Var)>, ModelError> {
        self.set_trainable_where(format, |_| true)
    }

    /// [`Decoder::set_trainable`] of the weights whose names are wanted; the others stay frozen, in the format they were loaded in.
    ///
    /// # Errors
    /// As [`Decoder::set_trainable`].
    pub fn set_trainable_where(
        &mut self,
        format: Option<Format>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Var)>, ModelError> {
        let mut variables = Vec::new();
        let mut train = |weight: &mut dyn Named| {
            if !wanted(weight.name()) {
                return Ok(());
            }
            let variable = weight.train(format)?;
            variables.push((weight.name().to_owned(), variable));
            Ok::<_, ModelError>(())
        };
        train(&mut self.embedding)?;
        for layer in &mut self.layers {
            layer.weights_mut().into_iter().try_for_each(&mut train)?;
        }
        train(&mut self.norm)?;
        self.head.as_mut().map_or(Ok(()), |head| train(head))?;
        Ok(variables)
    }

    /// A projection's weight [out, in]: what an adapter is measured against.
    pub fn projection(&self, layer: usize, projection: Projection) -> Option<&LinearWeight> {
        self.layers.get(layer).map(|layer| layer.weight(projection).numbers())
    }

    /// A projection's bias [out] f32, where it has one.
    pub fn projection_bias(&self, layer: usize, projection: Projection) -> Option<&Tensor> {
        self.layers.get(layer)?.bias(projection).map(super::weight::Weight::numbers)
    }

    /// The token embedding [V, H].
    pub fn embedding_weight(&self) -> &LinearWeight {
        self.embedding.numbers()
    }

    /// The output projection [V, H], which may be the embedding.
    pub fn head_weight(&self) -> &LinearWeight {
        self.head().numbers()
    }

    /// Chooses between keeping activations and computing them again.
    pub fn set_recompute(&mut self, recompute: Recompute) {
        self.recompute = recompute;
    }

    /// Lets training and evaluation end where this asks for it.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// Refuses a model that no gradient can go through.
    pub(crate) fn check_trainable(&self) -> Result<(), ModelError> {
        if self.format() == Format::Int8 { Err(ModelError::AnswersAlone) } else { Ok(()) }
    }

    pub(crate) fn recompute(&self) -> Recompute {
        self.recompute
    }

    /// Logits [V] f32 of the position after `ids`, which follow the tokens in the cache and are appended to it.
    ///
    /// # Errors
    /// When there are no ids, one is not below the vocabulary size, or the cache is too small; the cache keeps its tokens then.
    pub fn forward(
        &self,
        ids: &[u32],
        cache: &mut KvCache,
        adapter: Option<&dyn Adapter>,
    ) -> Result<Tensor, ModelError> {
        Ok(self.forward_batch(&mut [Continued { ids, cache, adapter, wants: Wanted::Last }])?.squeeze(0)?)
    }

    /// Logits [n, V] f32 of the position after the last token of each of the n sequences that want them so, computed together with
    /// all the others: one reading of the weights serves them all. Each row has the bits it has alone. Who wants more than the last
    /// is shown them in blocks, so that never more than a few rows of V numbers are in memory beside these.
    ///
    /// # Errors
    /// When a sequence brings no ids, one is not below the vocabulary size, or a cache is too small; all caches keep their tokens
    /// then.
    pub fn forward_batch(&self, sequences: &mut [Continued<'_>]) -> Result<Tensor, ModelError> {
        self.forward_in_slices(sequences, &mut || ())
    }

    /// [`Decoder::forward_batch`] which calls `between` before each layer, for who makes room for others now and then.
    ///
    /// # Errors
    /// Those of [`Decoder::forward_batch`].
    pub fn forward_in_slices(
        &self,
        sequences: &mut [Continued<'_>],
        between: &mut dyn FnMut(),
    ) -> Result<Tensor, ModelError> {
        let mut ids = Vec::new();
        for sequence in sequences.iter_mut() {
            self.check_ids(sequence.ids)?;
            self.check_begun(sequence)?;
            sequence.cache.prepare(sequence.ids.len())?;
            ids.extend_from_slice(sequence.ids);
        }
        let owners: Vec<Owner<'_>> = sequences.iter().map(Owner::of).collect();
        let x = self.go_on(self.embed(&ids, &owners)?, sequences, between)?; // [T, H]
        self.show_each(&x, sequences)?;
        let logits = self.last_logits(&x, sequences)?; // [n, V]
        sequences.iter_mut().for_each(|sequence| sequence.cache.advance(sequence.ids.len()));
        Ok(logits)
    }

    /// Takes rows `x` [T, H], which go on from what caches hold, through all layers; calls `between` before each.
    fn go_on(
        &self,
        mut x: Tensor,
        sequences: &mut [Continued<'_>],
        between: &mut dyn FnMut(),
    ) -> Result<Tensor, ModelError> {
        let positions = sequences.iter().flat_map(|sequence| {
            let start = sequence.cache.len() as u32;
            start..start + sequence.ids.len() as u32
        });
        let pass = self.pass(&positions.collect::<Vec<_>>(), None);
        for layer in &self.layers {
            between();
            (x, _) = layer.forward(&x, &pass, &mut Context::Cached(sequences))?;
        }
        Ok(x)
    }

    fn index(&self, rows: Vec<u32>) -> Result<Tensor, ModelError> {
        let count = rows.len();
        Ok(Tensor::from_vec(rows, count, &self.device)?)
    }

    /// Logits [S, V] f32 after each of `ids`, which begin a sequence.
    ///
    /// # Errors
    /// When there are no ids or one is not below the vocabulary size.
    pub fn forward_all(&self, ids: &[u32], adapter: Option<&dyn Adapter>) -> Result<Tensor, ModelError> {
        self.check_ids(ids)?;
        let segments = Segments::new(&[ids.len()]);
        let hidden = self.hidden(ids, &segments, adapter)?; // [S, H]
        self.logits(&hidden, &[Owner { rows: ids.len(), adapter }]) // [S, V]
    }

    /// Normed hidden states [T, H] of packed sequences.
    pub(crate) fn hidden(
        &self,
        ids: &[u32],
        segments: &Segments,
        adapter: Option<&dyn Adapter>,
    ) -> Result<Tensor, ModelError> {
        let before = self.rows_before(segments, adapter)?;
        let segments = before.as_ref().map_or(segments, |(_, lead)| lead.segments());
        let pass = self.packed_pass(segments, adapter)?;
        let mut x = self.embed(ids, &[Owner { rows: ids.len(), adapter }])?; // [T, H]
        if let Some((rows, lead)) = &before {
            x = lead.put_before(rows, &x)?;
        }
        for layer in &self.layers {
            self.interrupt.check()?;
            (x, _) = layer.forward(&x, &pass, &mut Context::Packed(segments))?;
        }
        if let Some((_, lead)) = &before {
            x = lead.own(&x)?;
        }
        Ok(rms_norm(&x, self.norm.numbers(), self.config.rms_norm_eps)?)
    }

    pub(crate) fn pass<'a>(&self, positions: &[u32], adapter: Option<&'a dyn Adapter>) -> Pass<'a> {
        let (eps, rotation) = (self.config.rms_norm_eps, self.rotary.at(positions));
        Pass { eps, rotation, adapter, states: None, dropout: None }
    }

    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn embedding(&self) -> &Matrix {
        &self.embedding
    }

    pub(crate) fn norm(&self) -> &Vector {
        &self.norm
    }

    /// The output projection, which may be the embedding table.
    pub(crate) fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    fn weights(&self) -> impl Iterator<Item = &dyn Named> {
        let head = self.head.iter().map(|head| head as &dyn Named);
        let layers = self.layers.iter().flat_map(Layer::weights);
        std::iter::once(&self.embedding as &dyn Named)
            .chain(layers)
            .chain([&self.norm as &dyn Named])
            .chain(head)
    }

    fn check_ids(&self, ids: &[u32]) -> Result<(), ModelError> {
        let vocab_size = self.config.vocab_size;
        if ids.is_empty() {
            return Err(ModelError::EmptyInput);
        }
        match ids.iter().position(|id| *id as usize >= vocab_size) {
            Some(position) => Err(ModelError::TokenOutOfRange { id: ids[position], position, vocab_size }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
