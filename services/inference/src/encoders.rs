//! What encoders are asked: to sort texts, and to fill masks.

mod compute;
mod rank;

use std::sync::Arc;

use rootstock_artifacts::{ArtifactName, Digest};
use rootstock_runtime::Tasks;

use crate::{bind::Binder, error::Error, models::EncoderModel, turns::Turns};

/// Bytes of a message that labels may take, below what a message holds.
const MAX_ANSWER_BYTES: usize = 3 << 20;
/// What a label takes beside its name.
const LABEL_BYTES: usize = 16;

/// Texts to sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classify {
    pub(crate) model: ArtifactName,
    /// At least one.
    pub(crate) texts: Vec<String>,
}

/// A text with masks to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FillMask {
    pub(crate) model: ArtifactName,
    pub(crate) text: String,
    /// Tokens for each mask; at least one.
    pub(crate) top_k: usize,
}

/// What answered a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) base: Digest,
    pub(crate) tokenizer: String,
    /// What the weights are in memory.
    pub(crate) weights: &'static str,
}

/// An answer, and what it is from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer<T> {
    pub(crate) binding: Binding,
    pub(crate) said: T,
}

/// A text's labels, most likely first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Classified {
    pub(crate) labels: Vec<(String, f64)>,
    pub(crate) tokens: usize,
}

/// A text's masks, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filled {
    pub(crate) masks: Vec<Mask>,
    pub(crate) tokens: usize,
}

/// What may stand in place of a mask, most likely first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mask {
    pub(crate) position: usize,
    pub(crate) tokens: Vec<Likely>,
}

/// A token and how likely it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Likely {
    pub(crate) id: u32,
    pub(crate) text: String,
    pub(crate) probability: f64,
}

/// What the handlers call; clones share the turns.
#[derive(Clone, Debug)]
pub(crate) struct Encoders {
    binder: Binder,
    turns: Turns,
}

impl Encoders {
    pub(crate) fn new(binder: Binder, tasks: Tasks) -> Self {
        // A pass takes all cores by itself.
        Self { binder, turns: Turns::new(tasks, 1, "encoders") }
    }

    /// Sorts texts. Dropping the future ends the work after the texts under way.
    pub(crate) async fn classify(&self, request: Classify) -> Result<Answer<Vec<Classified>>, Error> {
        let model = self.model(&request.model).await?;
        check_answer(request.texts.len(), model.labels()?)?;
        let binding = Binding::of(&model);
        let work = move |turn: &_| compute::classify(&model, &request.texts, turn);
        Ok(Answer { binding, said: self.turns.run(work).await? })
    }

    /// Fills the masks of a text.
    pub(crate) async fn fill_mask(&self, request: FillMask) -> Result<Answer<Filled>, Error> {
        let model = self.model(&request.model).await?;
        let mask = model.mask()?;
        let binding = Binding::of(&model);
        let work = move |turn: &_| compute::fill_mask(&model, mask, (&request.text, request.top_k), turn);
        Ok(Answer { binding, said: self.turns.run(work).await? })
    }

    async fn model(&self, name: &ArtifactName) -> Result<Arc<EncoderModel>, Error> {
        self.binder.models.encoder(self.binder.model(name, "model").await?).await
    }
}

impl Binding {
    fn of(model: &EncoderModel) -> Self {
        Self {
            base: *model.digest(),
            tokenizer: format!("sha256:{}", model.tokenizer().digest()),
            weights: model.encoder().format().name(),
        }
    }
}

/// Refuses more texts than one answer holds the labels of.
fn check_answer(texts: usize, labels: &[String]) -> Result<(), Error> {
    let each: usize = labels.iter().map(|label| label.len() + LABEL_BYTES).sum();
    let most = MAX_ANSWER_BYTES / each;
    if texts <= most {
        return Ok(());
    }
    let count = labels.len();
    let message =
        format!("has {texts} entries; an answer holds the model's {count} labels for at most {most}");
    Err(Error::invalid("texts", message))
}

#[cfg(test)]
mod tests;
