//! Virtual tokens before each sequence, as rows in the place of embeddings (prompt tuning) or as keys and values (prefix tuning), either
//! frozen (serving) or made of variables (training).

use std::io::Read;

use candle_core::{DType, Device, Tensor, Var};
use rootstock_kernels::{Random, embedding};
use rootstock_model::{Adapter, Beginning, Config, Decoder, Gradients, Projection, Update};

use crate::{
    PeftError,
    files::{Stored, tensor_file},
};
use config::{EMBEDDINGS, key_width};
pub use config::{MAX_ENCODER_WIDTH, MAX_VIRTUAL_TOKENS, VirtualTokensConfig, VirtualTokensKind};
use encoder::Encoder;

mod config;
mod encoder;

/// Virtual tokens for one base model.
#[derive(Debug)]
pub struct VirtualTokens {
    config: VirtualTokensConfig,
    base: Config,
    /// [n, H], or [n, layers * 2 * Hkv * D] for keys and values; f32.
    embeddings: Tensor,
    /// The variable behind the embeddings, where there is something to train.
    variable: Option<Var>,
    /// What makes the embeddings while training, where they are not trained themselves.
    encoder: Option<Encoder>,
}

impl VirtualTokens {
    /// Trainable virtual tokens, as PEFT starts them: drawn from N(0, 1), or those of a prompt with the embeddings of `init_ids`, over
    /// and over; f32. The same seed gives the same bits.
    ///
    /// # Errors
    /// When the settings are out of range or leave the base model no positions, or `init_ids` are not in its vocabulary.
    pub fn init(
        config: &VirtualTokensConfig,
        base: &Decoder,
        init_ids: &[u32],
        seed: u64,
        device: &Device,
    ) -> Result<Self, PeftError> {
        config.validate()?;
        config.expected_shapes(base.config())?;
        let (tokens, width) = (config.num_virtual_tokens, config.width(base.config()));
        let encoder = match config.kind {
            VirtualTokensKind::Prefix { encoder_hidden_size: Some(hidden) } => {
                let shape = (tokens, key_width(base.config()), hidden, width);
                Some(Encoder::init(shape, seed, device)?)
            }
            _ => None,
        };
        let start = match (&encoder, init_ids) {
            (Some(encoder), _) => encoder.encode()?.detach(),
            (None, []) => Random::named(seed, EMBEDDINGS).normal_tensor((tokens, width), 0.0, 1.0, device)?,
            (None, ids) => {
                let ids: Vec<u32> = ids.iter().copied().cycle().take(tokens).collect();
                embedding(base.embedding_weight(), &ids)?
            }
        };
        let variable = Var::from_tensor(&start)?;
        let embeddings = variable.as_tensor().clone();
        let (config, base) = (config.clone(), base.config().clone());
        Ok(Self { config, base, embeddings, variable: Some(variable), encoder })
    }

    pub(crate) fn read(
        config: &VirtualTokensConfig,
        stored: &mut Stored<impl Read>,
        (base, device): (&Decoder, &Device),
    ) -> Result<Self, PeftError> {
        let first = stored.read_next(|_, _| DType::F32, device)?;
        let (_, embeddings) = first.ok_or_else(|| PeftError::MissingTensor(EMBEDDINGS.to_owned()))?;
        let (config, base) = (config.clone(), base.config().clone());
        Ok(Self { config, base, embeddings, variable: None, encoder: None })
    }

    /// The settings they were made with.
    pub fn config(&self) -> &VirtualTokensConfig {
        &self.config
    }

    /// The variables to train, by name; empty when frozen.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        self.encoder.as_ref().map_or_else(|| self.differentiated(), Encoder::parameters)
    }

    /// The variables whose gradients the model gives; see [`VirtualTokens::pull_back`].
    pub fn differentiated(&self) -> Vec<(String, Var)> {
        self.variable.iter().map(|variable| (EMBEDDINGS.to_owned(), variable.clone())).collect()
    }

    /// Makes the embeddings anew of what is trained: what an optimizer has changed.
    ///
    /// # Errors
    /// When memory for them is not to be had.
    pub fn refresh(&self) -> candle_core::Result<()> {
        if let (Some(encoder), Some(variable)) = (&self.encoder, &self.variable) {
            variable.set(&encoder.encode()?.detach())?;
        }
        Ok(())
    }

    /// The gradients of [`VirtualTokens::parameters`], from those that the model gives.
    ///
    /// # Errors
    /// When memory for them is not to be had.
    pub fn pull_back(&self, gradients: Gradients) -> candle_core::Result<Gradients> {
        let (Some(encoder), Some(of_embeddings)) = (&self.encoder, gradients.0.get(EMBEDDINGS)) else {
            return Ok(gradients);
        };
        let gradients = encoder.gradients(&of_embeddings.dense()?)?;
        Ok(Gradients(gradients.into_iter().map(|(name, gradient)| (name, gradient.into())).collect()))
    }

    /// The same embeddings with nothing to train; they follow [`VirtualTokens::refresh`] and, without an encoder, every step.
    pub fn frozen(&self) -> Self {
        let (config, base) = (self.config.clone(), self.base.clone());
        Self { config, base, embeddings: self.embeddings.detach(), variable: None, encoder: None }
    }

    /// Bytes of the embeddings.
    pub fn bytes(&self) -> usize {
        self.embeddings.elem_count() * size_of::<f32>()
    }

    /// The contents of `adapter_config.json`.
    pub(crate) fn config_json(&self) -> String {
        self.config.to_json(&self.base)
    }

    /// The contents of `adapter_model.safetensors`.
    pub(crate) fn weights_bytes(&self) -> Result<Vec<u8>, PeftError> {
        self.refresh()?;
        tensor_file(vec![(EMBEDDINGS.to_owned(), self.embeddings.detach())])
    }
}

impl Adapter for VirtualTokens {
    fn update(&self, _: usize, _: Projection) -> Update<'_> {
        Update::default()
    }

    fn beginning(&self) -> Option<Beginning<'_>> {
        Some(match self.config.kind {
            VirtualTokensKind::Prompt { .. } => Beginning::Rows(&self.embeddings),
            VirtualTokensKind::Prefix { .. } => Beginning::States(&self.embeddings),
        })
    }
}
