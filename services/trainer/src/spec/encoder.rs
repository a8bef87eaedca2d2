//! What jobs of encoders shall do, checked.

use rootstock_artifacts::ArtifactName;
use rootstock_model::{AnyConfig, Task};

use super::Objective;

/// Shortest row of an encoder: the tokens that stand around a text, one that is hidden, and some that tell of it.
pub(crate) const MIN_ENCODER_TOKENS: usize = 8;

/// The shape of an encoder to be made; its vocabulary is its tokenizer's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewEncoder {
    pub(crate) tokenizer: ArtifactName,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    pub(crate) hidden_dropout_prob: f64,
    pub(crate) initializer_range: f64,
    pub(crate) layer_norm_eps: f64,
}

/// How tokens are hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Masked {
    pub(crate) mlm_probability: f64,
    pub(crate) whole_word_mask: bool,
    pub(crate) block_size: usize,
}

/// How texts are classified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Classification {
    pub(crate) max_length: usize,
    pub(crate) freeze_encoder: bool,
}

impl Objective {
    /// Why a model can't learn this, if it can't.
    pub(crate) fn refusal(&self, config: &AnyConfig) -> Option<String> {
        match (self, config) {
            (Self::Classification(_), AnyConfig::Decoder(_)) => {
                Some("is a decoder, but only encoders classify; take an encoder, or supervised".to_owned())
            }
            (Self::Classification(_), AnyConfig::Encoder(config)) => {
                undroppable(config.attention_probs_dropout_prob)
            }
            (Self::Masked(_), AnyConfig::Decoder(_)) => Some(
                "is a decoder, which doesn't see what comes after a mask; take an encoder, or causal"
                    .to_owned(),
            ),
            (Self::Masked(_), AnyConfig::Encoder(config)) => match config.task {
                Task::MaskedLm => undroppable(config.attention_probs_dropout_prob),
                Task::Classification(_) => {
                    Some("has no head for masked tokens, but one for labels".to_owned())
                }
            },
            (_, AnyConfig::Encoder(_)) => Some(format!(
                "is an encoder, whose tokens see what comes after them; {} needs a decoder, so set masked or classification",
                self.name()
            )),
            (_, AnyConfig::Decoder(_)) => None,
        }
    }

    /// Whether encoders alone can learn it.
    pub(crate) fn is_of_encoders(&self) -> bool {
        matches!(self, Self::Masked(_) | Self::Classification(_))
    }
}

fn undroppable(attention_probs_dropout_prob: f64) -> Option<String> {
    (attention_probs_dropout_prob > 0.0).then(|| {
        format!(
            "has attention_probs_dropout_prob = {attention_probs_dropout_prob}, but attention weights can't be dropped; \
             set it to 0 in its config.json and import it again"
        )
    })
}
