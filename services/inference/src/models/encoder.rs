//! An encoder in memory, with its tokenizer.

use candle_core::Device;
use rootstock_artifacts::Digest;
use rootstock_model::{Encoder, EncoderConfig, Task};
use rootstock_text::TextTokenizer;

use super::{TOKENIZER, WEIGHTS, check_rows, format, load_tokenizer};
use crate::{
    config::WeightDtype,
    error::Error,
    residents::{Reservation, Weigh},
    store::Fetched,
};

/// An encoder in memory; it never changes.
#[derive(Debug)]
pub(crate) struct EncoderModel {
    digest: Digest,
    encoder: Encoder,
    tokenizer: TextTokenizer,
    _reservation: Reservation,
    /// Keeps the mapped files from eviction.
    _files: Fetched,
}

impl Weigh for EncoderModel {
    /// Encoders are counted.
    fn weight(&self) -> u64 {
        1
    }
}

impl EncoderModel {
    /// Maps the weights and builds the tokenizer; blocks.
    pub(super) fn load(
        fetched: Fetched,
        config: EncoderConfig,
        dtype: WeightDtype,
        reservation: Reservation,
    ) -> Result<Self, Error> {
        let digest = fetched.artifact.digest;
        let missing = || Error::InvalidFile(format!("{digest} has no {TOKENIZER}, which encoders need"));
        let tokenizer = load_tokenizer(&fetched)?.ok_or_else(missing)?;
        check_rows(&tokenizer, config.vocab_size)?;
        let weights = fetched.paths_ending(WEIGHTS);
        let encoder = Encoder::load(config, &weights, format(dtype, &weights)?, &Device::Cpu)?;
        Ok(Self { digest, encoder, tokenizer, _reservation: reservation, _files: fetched })
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(crate) fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// The names of the labels that it sorts texts by.
    pub(crate) fn labels(&self) -> Result<&[String], Error> {
        match &self.encoder.config().task {
            Task::Classification(labels) => Ok(labels),
            Task::MaskedLm => Err(self.without("labels; ask FillMask, or train a classifier from it")),
        }
    }

    /// The id of the mask that it fills.
    pub(crate) fn mask(&self) -> Result<u32, Error> {
        if self.encoder.config().task != Task::MaskedLm {
            return Err(self.without("head for masked tokens; ask Classify"));
        }
        let mask = self.tokenizer.special_tokens().mask.as_ref().map(|token| token.id);
        mask.ok_or_else(|| self.without("mask_token in tokenizer_config.json"))
    }

    fn without(&self, what: &str) -> Error {
        Error::invalid("model", format!("{} has no {what}", self.digest))
    }
}
