//! BERT (Devlin et al., 2019): an encoder whose tokens see each other in both directions, with a head for masked tokens or for whole
//! sequences.

use std::path::PathBuf;

use candle_core::{Device, Tensor, Var};
use rootstock_kernels::{
    DropoutKey, DropoutMask, Format, Heads, Segments, add, embedding, embedding_backward,
};

use crate::{
    AnyConfig, EncoderConfig, Interrupt, ModelError, Task,
    gradients::Sink,
    load::{self, Take},
    weight::{Matrix, Named},
};
use config::{CLASSIFIER, EMBEDDING_NORM, POSITIONS, TYPES, WORDS};
use heads::Head;
use layer::{EncoderLayer, Trace, dropped};
use parts::Norm;

pub(crate) mod config;
mod heads;
mod layer;
mod parts;
mod train;

pub use train::{EncoderBatch, EncoderRow};

/// A BERT in memory, shared by all who use it.
#[derive(Debug)]
pub struct Encoder {
    config: EncoderConfig,
    device: Device,
    interrupt: Interrupt,
    /// [V, H]
    words: Matrix,
    /// [P, H]
    positions: Matrix,
    /// [K, H], of K kinds.
    types: Matrix,
    norm: Norm,
    layers: Vec<EncoderLayer>,
    head: Head,
}

/// What all layers of one pass have in common.
struct Pass<'a> {
    heads: Heads,
    segments: &'a Segments,
    /// Present while training.
    dropout: Option<DropoutKey>,
    /// Share of the numbers that are dropped then.
    rate: f64,
}

impl Pass<'_> {
    /// The mask of the module with this number.
    fn mask(&self, module: usize) -> Option<DropoutMask> {
        self.mask_of(module, self.rate)
    }

    fn mask_of(&self, module: usize, rate: f64) -> Option<DropoutMask> {
        self.dropout.filter(|_| rate > 0.0).map(|key| key.mask(module as u64, rate))
    }
}

/// What is left of a forward pass for the way back.
struct Traces {
    /// [T, H], before the norm.
    embedded: Tensor,
    layers: Vec<Trace>,
}

impl Encoder {
    /// A model with fresh weights: matrices from N(0, `initializer_range`^2) as in transformers, norms 1, biases 0; f32. Each weight's
    /// numbers depend on the seed and its name alone.
    ///
    /// # Errors
    /// When the configuration does not fit together or the device can't take the tensors.
    pub fn init(config: EncoderConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let drawn = load::draw(config.tensors(), config.initializer_range, seed, device)?;
        Self::from_loaded(config, drawn, device)
    }

    /// Loads a model from memory-mapped safetensors files; matrices are packed in this format, or in that of a dtype.
    ///
    /// # Errors
    /// As [`Decoder::load`](crate::Decoder::load).
    pub fn load(
        config: EncoderConfig,
        files: &[PathBuf],
        format: impl Into<Format>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        let any = AnyConfig::Encoder(config.clone());
        let loaded = load::read(&any, files, format.into(), device)?;
        Self::from_loaded(config, loaded, device)
    }

    /// Loads a model whose task is another than that of the files, of which `stored` is the configuration: weights that both have are
    /// read, and the others, among them always the classifier, are drawn as in [`init`](Self::init). f32.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`init`](Self::init).
    pub fn load_for(
        config: EncoderConfig,
        stored: &EncoderConfig,
        files: &[PathBuf],
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        let mut take = load::draw(config.tensors(), config.initializer_range, seed, device)?;
        let read = load::read(&AnyConfig::Encoder(stored.clone()), files, Format::F32, device)?;
        for (name, weight) in read.0.into_iter().filter(|(name, _)| !name.starts_with(CLASSIFIER)) {
            take.0.entry(name).and_modify(|drawn| *drawn = weight);
        }
        Self::from_loaded(config, take, device)
    }

    fn from_loaded(config: EncoderConfig, mut take: Take, device: &Device) -> Result<Self, ModelError> {
        let [words, positions, types] = [WORDS, POSITIONS, TYPES].map(|name| take.matrix(name.to_owned()));
        let norm = Norm::take(&mut take, EMBEDDING_NORM, config.layer_norm_eps)?;
        let layers = (0..config.num_hidden_layers).map(|index| EncoderLayer::take(&config, index, &mut take));
        let layers = layers.collect::<Result<_, _>>()?;
        let head = Head::take(&config, &mut take)?;
        Ok(Self {
            config,
            device: device.clone(),
            interrupt: Interrupt::default(),
            words: words?,
            positions: positions?,
            types: types?,
            norm,
            layers,
            head,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Where its weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Lets training and evaluation end where this asks for it.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// In which format the matrices are multiplied.
    pub fn format(&self) -> Format {
        self.words.numbers().format()
    }

    /// Every weight by its Hugging Face name, in the order of `EncoderConfig::tensors`; packed ones are unpacked into copies.
    ///
    /// # Errors
    /// When memory for the copies is not to be had.
    pub fn named_tensors(&self) -> Result<Vec<(String, Tensor)>, ModelError> {
        let named = |weight: &dyn Named| Ok((weight.name().to_owned(), weight.tensor()?));
        self.weights().into_iter().map(named).collect()
    }

    /// Bytes of all weights.
    pub fn bytes(&self) -> usize {
        self.weights().into_iter().map(Named::bytes).sum()
    }

    /// Makes every weight an f32 variable and returns them by name. Matrices are multiplied in the format given, or in the one they
    /// were loaded in.
    ///
    /// # Errors
    /// When memory for the variables is not to be had, or the model was loaded as int8 or shall be trained so.
    pub fn set_trainable(&mut self, format: Option<Format>) -> Result<Vec<(String, Var)>, ModelError> {
        let train = |weight: &mut dyn Named| {
            let variable = weight.train(format)?;
            Ok((weight.name().to_owned(), variable))
        };
        self.weights_mut().into_iter().map(train).collect()
    }

    /// The same for the head alone; all else stays as it is.
    ///
    /// # Errors
    /// As [`set_trainable`](Self::set_trainable).
    pub fn set_head_trainable(&mut self, format: Option<Format>) -> Result<Vec<(String, Var)>, ModelError> {
        let train = |weight: &mut dyn Named| Ok((weight.name().to_owned(), weight.train(format)?));
        self.head.weights_mut().into_iter().map(train).collect()
    }

    /// What the head says: logits [T, V] f32 of every token of all rows, or [rows, labels] of every row. A row has the bits that it
    /// has alone.
    ///
    /// # Errors
    /// When there are no rows, or one is empty, too long, or of ids or kinds that the model has not.
    pub fn logits(&self, rows: &[EncoderRow]) -> Result<Tensor, ModelError> {
        self.logits_where(rows, Ok)
    }

    /// The rows of [`logits`](Self::logits) with these numbers alone, in their order; no others are computed.
    ///
    /// # Errors
    /// As [`logits`](Self::logits); when a number is too large.
    pub fn logits_of(&self, rows: &[EncoderRow], numbers: &[u32]) -> Result<Tensor, ModelError> {
        let numbers = Tensor::new(numbers, &self.device)?;
        self.logits_where(rows, |input| Ok(input.index_select(&numbers, 0)?))
    }

    fn logits_where(
        &self,
        rows: &[EncoderRow],
        wanted: impl FnOnce(Tensor) -> Result<Tensor, ModelError>,
    ) -> Result<Tensor, ModelError> {
        let segments = self.check(rows)?;
        let (hidden, _) = self.forward(rows, &self.pass(&segments, None))?;
        self.head.logits(&wanted(self.head_input(&hidden, &segments)?)?, self.words.numbers())
    }

    fn pass<'a>(&self, segments: &'a Segments, dropout: Option<DropoutKey>) -> Pass<'a> {
        Pass { heads: self.config.heads(), segments, dropout, rate: self.config.hidden_dropout_prob }
    }

    /// Whether more than the head is trained.
    fn trains_layers(&self) -> bool {
        self.words.variable().is_some()
    }

    /// Hidden states [T, H] of all rows, one after the other; traces while layers are trained.
    fn forward(&self, rows: &[EncoderRow], pass: &Pass<'_>) -> Result<(Tensor, Traces), ModelError> {
        let ids = rows.iter().flat_map(|row| row.ids.iter().copied()).collect::<Vec<_>>();
        let kinds = rows.iter().flat_map(|row| row.types.iter().copied()).collect::<Vec<_>>();
        let words = add(&embedding(self.words.numbers(), &ids)?, &embedding(self.types.numbers(), &kinds)?)?;
        let positions = embedding(self.positions.numbers(), &pass.segments.positions())?;
        let embedded = add(&words, &positions)?; // [T, H]
        let mut x = dropped(self.norm.forward(&embedded)?, pass.mask(0))?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            self.interrupt.check()?;
            let (output, trace) = layer.forward(&x, pass)?;
            layers.extend(pass.dropout.filter(|_| self.trains_layers()).map(|_| trace));
            x = output;
        }
        Ok((x, Traces { embedded, layers }))
    }

    /// The way back from the gradient `dx` [T, H] of the hidden states.
    fn backward(
        &self,
        rows: &[EncoderRow],
        traces: &Traces,
        mut dx: Tensor,
        pass: &Pass<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), ModelError> {
        for (layer, trace) in self.layers.iter().zip(&traces.layers).rev() {
            self.interrupt.check()?;
            dx = layer.backward(trace, &dx, pass, sink)?;
        }
        let dx = self.norm.back(&traces.embedded, &dropped(dx, pass.mask(0))?, sink)?;
        let ids: Vec<u32> = rows.iter().flat_map(|row| row.ids.iter().copied()).collect();
        let kinds: Vec<u32> = rows.iter().flat_map(|row| row.types.iter().copied()).collect();
        let tables = [(&self.words, ids), (&self.types, kinds), (&self.positions, pass.segments.positions())];
        for (table, rows) in tables {
            if let Some(name) = sink.wants(table) {
                sink.add(name, embedding_backward(table.numbers().dims()?, &rows, &dx)?)?;
            }
        }
        Ok(())
    }

    /// What the head reads: all tokens, or the first one of each row.
    fn head_input(&self, hidden: &Tensor, segments: &Segments) -> Result<Tensor, ModelError> {
        if self.config.task == Task::MaskedLm {
            return Ok(hidden.clone());
        }
        let first: Vec<u32> = segments.ranges().iter().map(|range| range.start as u32).collect();
        let count = first.len();
        Ok(hidden.index_select(&Tensor::from_vec(first, count, &self.device)?, 0)?)
    }

    /// Where the rows lie, if the model can compute them.
    fn check(&self, rows: &[EncoderRow]) -> Result<Segments, ModelError> {
        let config = &self.config;
        if rows.is_empty() || rows.iter().any(|row| row.ids.is_empty()) {
            return Err(ModelError::EmptyInput);
        }
        for (number, EncoderRow { ids, types }) in rows.iter().enumerate() {
            if let Some(position) = ids.iter().position(|id| *id as usize >= config.vocab_size) {
                let (id, vocab_size) = (ids[position], config.vocab_size);
                return Err(ModelError::TokenOutOfRange { id, position, vocab_size });
            }
            let most = config.max_position_embeddings;
            if ids.len() > most {
                return Err(ModelError::Batch(format!(
                    "row {number} has {} tokens, at most {most} fit",
                    ids.len()
                )));
            }
            if types.len() != ids.len() || types.iter().any(|kind| *kind as usize >= config.type_vocab_size) {
                let problem =
                    format!("row {number} needs a kind below {} for each token", config.type_vocab_size);
                return Err(ModelError::Batch(problem));
            }
        }
        Ok(Segments::new(&rows.iter().map(|row| row.ids.len()).collect::<Vec<_>>()))
    }

    fn weights(&self) -> Vec<&dyn Named> {
        let mut weights: Vec<&dyn Named> = vec![&self.words, &self.positions, &self.types];
        weights.extend(self.norm.weights());
        weights.extend(self.layers.iter().flat_map(EncoderLayer::weights));
        weights.extend(self.head.weights());
        weights
    }

    fn weights_mut(&mut self) -> Vec<&mut dyn Named> {
        let mut weights: Vec<&mut dyn Named> = vec![&mut self.words, &mut self.positions, &mut self.types];
        weights.extend(self.norm.weights_mut());
        weights.extend(self.layers.iter_mut().flat_map(EncoderLayer::weights_mut));
        weights.extend(self.head.weights_mut());
        weights
    }
}

#[cfg(test)]
mod tests;
