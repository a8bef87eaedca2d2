//! PEFT's `PromptTuningConfig` and `PrefixTuningConfig`, read into what virtual tokens can do here.

use std::collections::BTreeMap;

use rootstock_kernels::Format;
use rootstock_model::{Config, KvCache};
use serde_json::{Value, json};

use crate::{
    PeftError, TensorHeader,
    check::check_exactly,
    config::{CAUSAL_LM, Fields, PEFT_VERSION, unsupported},
};

/// The only tensor of virtual tokens in PEFT's files.
pub(super) const EMBEDDINGS: &str = "prompt_embeddings";
/// Most virtual tokens accepted.
pub const MAX_VIRTUAL_TOKENS: usize = 4096;
/// Largest hidden width accepted of what projects a prefix.
pub const MAX_ENCODER_WIDTH: usize = 1 << 16;
const PROMPT_TUNING: &str = "PROMPT_TUNING";
const PREFIX_TUNING: &str = "PREFIX_TUNING";
/// Fields of both that are read or checked. Those that tell the base model's shape are held by the tensor's own.
const READ: [&str; 10] = [
    "base_model_name_or_path",
    "inference_mode",
    "num_attention_heads",
    "num_layers",
    "num_transformer_submodules",
    "num_virtual_tokens",
    "peft_type",
    "peft_version",
    "task_type",
    "token_dim",
];
/// Fields that change nothing about what a finished adapter computes: labels, and where its training started.
const INERT: [&str; 5] =
    ["auto_mapping", "init_weights", "revision", "tokenizer_kwargs", "tokenizer_name_or_path"];

/// Settings of virtual tokens, named as in PEFT.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualTokensConfig {
    /// How many stand before each sequence.
    pub num_virtual_tokens: usize,
    /// What they are.
    pub kind: VirtualTokensKind,
    /// What the adapter's maker called the base model; a label, not a path to follow.
    pub base_model_name_or_path: Option<String>,
}

/// What stands in the places of virtual tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum VirtualTokensKind {
    /// Rows in the place of token embeddings: PEFT's `PROMPT_TUNING` (Lester et al., 2021).
    Prompt {
        /// The text whose embeddings training began with; without one it began with random numbers.
        init_text: Option<String>,
    },
    /// Keys and values of every layer: PEFT's `PREFIX_TUNING` (Li and Liang, 2021).
    Prefix {
        /// Hidden width of the two layers that made them while training, if they were not trained themselves.
        encoder_hidden_size: Option<usize>,
    },
}

impl VirtualTokensConfig {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, PeftError> {
        let (kind, of_kind) = match fields.text("peft_type")?.as_deref() {
            Some(PROMPT_TUNING) => (prompt(fields)?, ["prompt_tuning_init", "prompt_tuning_init_text"]),
            _ => (prefix(fields)?, ["encoder_hidden_size", "prefix_projection"]),
        };
        let known = |field: &str| READ.contains(&field) || INERT.contains(&field) || of_kind.contains(&field);
        fields.refuse_unless(known)?;
        let config = Self {
            num_virtual_tokens: fields.size_or("num_virtual_tokens", 0)?,
            kind,
            base_model_name_or_path: fields.text("base_model_name_or_path")?,
        };
        match fields.text("task_type")? {
            Some(task) if task != CAUSAL_LM => {
                Err(unsupported("task_type", &json!(task), "adapters here are for CAUSAL_LM"))
            }
            _ => config.validate().map(|()| config),
        }
    }

    /// Whether a `peft_type` is one of those read here.
    pub(crate) fn is_type(name: &str) -> bool {
        [PROMPT_TUNING, PREFIX_TUNING].contains(&name)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn validate(&self) -> Result<(), PeftError> {
        let within = |field, value: usize, most| match value {
            1.. if value <= most => Ok(()),
            _ => Err(PeftError::field(field, format!("is {value}, but must be between 1 and {most}"))),
        };
        within("num_virtual_tokens", self.num_virtual_tokens, MAX_VIRTUAL_TOKENS)?;
        match self.kind {
            VirtualTokensKind::Prefix { encoder_hidden_size: Some(width) } => {
                within("encoder_hidden_size", width, MAX_ENCODER_WIDTH)
            }
            _ => Ok(()),
        }
    }

    /// What PEFT's message calls the method.
    pub fn peft_type(&self) -> &'static str {
        match self.kind {
            VirtualTokensKind::Prompt { .. } => PROMPT_TUNING,
            VirtualTokensKind::Prefix { .. } => PREFIX_TUNING,
        }
    }

    /// Checks that an adapter's only tensor is `prompt_embeddings`, of the shape that goes with the base model.
    pub(crate) fn check_tensors(&self, base: &Config, tensors: &[TensorHeader]) -> Result<(), PeftError> {
        check_exactly(
            &self.expected_shapes(base)?,
            tensors,
            "virtual tokens are one tensor, prompt_embeddings",
        )
    }

    /// The shape of `prompt_embeddings` for this base model.
    pub(crate) fn expected_shapes(&self, base: &Config) -> Result<BTreeMap<String, Vec<usize>>, PeftError> {
        let (tokens, positions) = (self.num_virtual_tokens, base.max_position_embeddings);
        if tokens >= positions {
            let problem = format!("{tokens} virtual tokens leave nothing of its {positions} positions");
            return Err(PeftError::Base(problem));
        }
        Ok([(EMBEDDINGS.to_owned(), vec![tokens, self.width(base)])].into())
    }

    /// Bytes of the rows, and of the keys and values that are made of them once for all requests.
    pub(crate) fn resident_bytes(&self, base: &Config, format: Format) -> Result<usize, PeftError> {
        let rows = self.expected_shapes(base)?.values().flatten().product::<usize>() * size_of::<f32>();
        let blocks = self.num_virtual_tokens.div_ceil(KvCache::BLOCK);
        Ok(rows + blocks * KvCache::block_bytes(base, format))
    }

    /// Numbers of each virtual token.
    pub(super) fn width(&self, base: &Config) -> usize {
        match self.kind {
            VirtualTokensKind::Prompt { .. } => base.hidden_size,
            VirtualTokensKind::Prefix { .. } => base.num_hidden_layers * 2 * key_width(base),
        }
    }

    /// Writes PEFT's `adapter_config.json` for an adapter of this base model, keys sorted, with a line feed at its end.
    pub fn to_json(&self, base: &Config) -> String {
        let mut fields = BTreeMap::from([
            ("peft_type", json!(self.peft_type())),
            ("peft_version", json!(PEFT_VERSION)),
            ("task_type", json!(CAUSAL_LM)),
            ("base_model_name_or_path", json!(self.base_model_name_or_path)),
            ("inference_mode", json!(true)),
            ("num_virtual_tokens", json!(self.num_virtual_tokens)),
            ("num_layers", json!(base.num_hidden_layers)),
            ("num_transformer_submodules", json!(1)),
            ("revision", Value::Null),
        ]);
        match &self.kind {
            VirtualTokensKind::Prompt { init_text } => {
                let init = if init_text.is_some() { "TEXT" } else { "RANDOM" };
                // PEFT asks for a tokenizer beside a text, even where it doesn't read it.
                let tokenizer = init_text.as_ref().and(self.base_model_name_or_path.as_ref());
                fields.extend([
                    ("num_attention_heads", json!(base.num_attention_heads)),
                    ("token_dim", json!(base.hidden_size)),
                    ("prompt_tuning_init", json!(init)),
                    ("prompt_tuning_init_text", json!(init_text)),
                    ("tokenizer_name_or_path", json!(tokenizer)),
                ]);
            }
            VirtualTokensKind::Prefix { encoder_hidden_size } => fields.extend([
                ("num_attention_heads", json!(base.num_key_value_heads)),
                ("token_dim", json!(key_width(base))),
                ("prefix_projection", json!(encoder_hidden_size.is_some())),
                ("encoder_hidden_size", json!(encoder_hidden_size.unwrap_or(key_width(base)))),
            ]),
        }
        let text = serde_json::to_string_pretty(&fields).expect("a map of text keys has a JSON form");
        format!("{text}\n")
    }
}

/// Numbers of a layer's keys of one token.
pub(super) fn key_width(base: &Config) -> usize {
    base.num_key_value_heads * base.head_dim
}

fn prompt(fields: &Fields<'_>) -> Result<VirtualTokensKind, PeftError> {
    let from_text = fields.text("prompt_tuning_init")?.is_some_and(|init| init == "TEXT");
    let init_text = fields.text("prompt_tuning_init_text")?.filter(|_| from_text);
    Ok(VirtualTokensKind::Prompt { init_text })
}

fn prefix(fields: &Fields<'_>) -> Result<VirtualTokensKind, PeftError> {
    let projected = fields.flag_or("prefix_projection", false)?;
    let width = fields.size_or("encoder_hidden_size", 1)?;
    Ok(VirtualTokensKind::Prefix { encoder_hidden_size: projected.then_some(width) })
}
