//! Loss and gradients of an encoder's batch, by a written backward pass.

use candle_core::{Tensor, Var};
use rootstock_kernels::{DropoutKey, Format, IGNORE_INDEX, LossSum, Segments, cross_entropy_of_logits};

use super::{Encoder, heads::Target};
use crate::{ConfigError, Gradients, ModelError, Task, gradients::Sink};

/// One sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderRow {
    /// Token ids, with their special tokens.
    pub ids: Vec<u32>,
    /// Each token's kind (transformers' `token_type_ids`).
    pub types: Vec<u32>,
}

/// Sequences and what the head shall say of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderBatch {
    /// The sequences; nothing is padded, and none sees another.
    pub rows: Vec<EncoderRow>,
    /// For masked tokens one for each token of all rows, in order; for classification one for each row. -100 is ignored.
    pub labels: Vec<i64>,
}

/// The rows of the head's input whose labels count.
struct Counted {
    rows: Vec<u32>,
    labels: Vec<i64>,
}

impl Encoder {
    /// The summed loss of a batch and the gradients of `parameters` for `loss sum / denominator`. Parameters are variables of this
    /// encoder ([`Encoder::set_trainable`]), recognised by identity; all else is frozen. Dropout draws its masks from the key.
    ///
    /// # Errors
    /// When the model was loaded as int8, its configuration drops attention weights, the batch does not fit it, or a parameter is no
    /// variable of it.
    pub fn forward_backward(
        &self,
        parameters: &[(String, Var)],
        batch: &EncoderBatch,
        denominator: f64,
        dropout: DropoutKey,
    ) -> Result<(LossSum, Gradients), ModelError> {
        self.check_trainable()?;
        let mut sink = Sink::new(parameters);
        let loss = self.walk(batch, 1.0 / denominator, dropout, &mut sink)?;
        Ok((loss, sink.finish(parameters, loss.tokens > 0)?))
    }

    /// The summed loss of a batch, without dropout.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn evaluate(&self, batch: &EncoderBatch) -> Result<LossSum, ModelError> {
        let segments = self.check(&batch.rows)?;
        let counted = self.counted(batch, &segments)?;
        if counted.labels.is_empty() {
            return Ok(LossSum::default());
        }
        let logits = self.logits_of(&batch.rows, &counted.rows)?;
        Ok(cross_entropy_of_logits(&logits, &counted.labels)?)
    }

    fn walk(
        &self,
        batch: &EncoderBatch,
        scale: f64,
        dropout: DropoutKey,
        sink: &mut Sink<'_>,
    ) -> Result<LossSum, ModelError> {
        let segments = self.check(&batch.rows)?;
        let Counted { rows, labels } = self.counted(batch, &segments)?;
        if labels.is_empty() {
            return Ok(LossSum::default());
        }
        let pass = self.pass(&segments, Some(dropout));
        let (hidden, traces) = self.forward(&batch.rows, &pass)?;
        let rate = self.config.classifier_dropout.unwrap_or(self.config.hidden_dropout_prob);
        let mask = pass.mask_of(1 + 2 * self.layers.len(), rate);
        let target = Target { words: &self.words, labels: &labels, scale, mask };
        let rows = self.index(&self.places(&rows, &segments))?;
        let (loss, dinput) = self.head.loss(&hidden.index_select(&rows, 0)?, &target, sink)?;
        // Below a head that is trained alone nobody asks for gradients.
        if !self.trains_layers() {
            return Ok(loss);
        }
        let dhidden = hidden.zeros_like()?.index_add(&rows, &dinput, 0)?;
        self.backward(&batch.rows, &traces, dhidden, &pass, sink)?;
        Ok(loss)
    }

    fn counted(&self, batch: &EncoderBatch, segments: &Segments) -> Result<Counted, ModelError> {
        let (expected, classes) = match &self.config.task {
            Task::MaskedLm => (segments.tokens(), self.config.vocab_size),
            Task::Classification(labels) => (batch.rows.len(), labels.len()),
        };
        if batch.labels.len() != expected {
            return Err(ModelError::Batch(format!(
                "{} labels, but {expected} are needed",
                batch.labels.len()
            )));
        }
        let mut counted = Counted { rows: Vec::new(), labels: Vec::new() };
        for (row, label) in batch.labels.iter().enumerate().filter(|(_, label)| **label != IGNORE_INDEX) {
            if !usize::try_from(*label).is_ok_and(|label| label < classes) {
                let problem = format!("label {label} at {row} is neither -100 nor below {classes}");
                return Err(ModelError::Batch(problem));
            }
            counted.rows.push(row as u32);
            counted.labels.push(*label);
        }
        Ok(counted)
    }

    /// Where rows of the head's input lie among all tokens.
    fn places(&self, rows: &[u32], segments: &Segments) -> Vec<u32> {
        match self.config.task {
            Task::MaskedLm => rows.to_vec(),
            Task::Classification(_) => {
                rows.iter().map(|row| segments.ranges()[*row as usize].start as u32).collect()
            }
        }
    }

    fn index(&self, rows: &[u32]) -> Result<Tensor, ModelError> {
        Ok(Tensor::new(rows, &self.device)?)
    }

    fn check_trainable(&self) -> Result<(), ModelError> {
        if self.format() == Format::Int8 {
            return Err(ModelError::AnswersAlone);
        }
        let rate = self.config.attention_probs_dropout_prob;
        if rate == 0.0 {
            return Ok(());
        }
        let problem = format!("is {rate}, but attention weights can't be dropped; set it to 0 to train");
        Err(ConfigError::Invalid { field: "attention_probs_dropout_prob".to_owned(), problem }.into())
    }
}
