//! Typed access to the fields of an `adapter_config.json`, and the list of those that may not be on.

use serde_json::{Map, Value, json};

use crate::{MAX_CONFIG_BYTES, PeftError};

pub(super) const LORA: &str = "LORA";
pub(super) const CAUSAL_LM: &str = "CAUSAL_LM";
pub(super) const NO_BIAS: &str = "none";

/// Fields with values of their own, read or checked one by one.
const READ: [&str; 12] = [
    "base_model_name_or_path",
    "bias",
    "inference_mode",
    "init_lora_weights",
    "lora_alpha",
    "lora_dropout",
    "peft_type",
    "r",
    "target_modules",
    "task_type",
    "use_rslora",
    "peft_version",
];
/// Fields that change nothing about what a finished adapter computes: labels, and settings of features that are off
/// (their switches are other fields) or that only choose where training starts.
const INERT: [&str; 8] = [
    "auto_mapping",
    "corda_config",
    "eva_config",
    "loftq_config",
    "megatron_core",
    "qalora_group_size",
    "revision",
    "runtime_config",
];
/// Starts of training that leave the base model as it is; others subtract the start from the base's weights.
const INITS: [&str; 3] = ["gaussian", "eva", "orthogonal"];
const SHOWN_VALUE_BYTES: usize = 80;

/// A value that switches a field off.
#[derive(Clone, Copy)]
pub(super) enum Off {
    Null,
    False,
    EmptyObject,
}

impl Off {
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::False => json!(false),
            Self::EmptyObject => json!({}),
        }
    }
}

/// What is written for features this crate does not have, so that older readers need not know PEFT's defaults.
pub(super) const WRITTEN_OFF: [(&str, Off); 10] = [
    ("alpha_pattern", Off::EmptyObject),
    ("fan_in_fan_out", Off::False),
    ("layers_pattern", Off::Null),
    ("layers_to_transform", Off::Null),
    ("lora_bias", Off::False),
    ("modules_to_save", Off::Null),
    ("rank_pattern", Off::EmptyObject),
    ("revision", Off::Null),
    ("use_dora", Off::False),
    ("loftq_config", Off::EmptyObject),
];

pub(super) struct Fields {
    object: Map<String, Value>,
}

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PeftError> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(PeftError::Json(format!("it is larger than {MAX_CONFIG_BYTES} bytes")));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self { object }),
            Ok(_) => Err(PeftError::Json("it holds another JSON value".to_owned())),
            Err(error) => Err(PeftError::Json(error.to_string())),
        }
    }

    pub(super) fn refuse_unsupported(&self) -> Result<(), PeftError> {
        self.must_be("peft_type", LORA)?;
        if self.get("bias").is_some() {
            self.must_be("bias", NO_BIAS)?;
        }
        self.check_init()?;
        for (field, value) in &self.object {
            let known = READ.contains(&field.as_str()) || INERT.contains(&field.as_str());
            if !known && !is_off(value) {
                return Err(unsupported(field, value, "turn it off and train the adapter again"));
            }
        }
        Ok(())
    }

    fn must_be(&self, field: &str, only: &str) -> Result<(), PeftError> {
        match self.required(field)? {
            value if value == only => Ok(()),
            value => Err(unsupported(field, value, &format!("only \"{only}\" is"))),
        }
    }

    fn check_init(&self) -> Result<(), PeftError> {
        const FIELD: &str = "init_lora_weights";
        match self.get(FIELD) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(Value::String(name)) if INITS.contains(&name.as_str()) => Ok(()),
            Some(value) => {
                let advice = "it may have changed the base's weights; convert the adapter with PEFT's \
                              path_initial_model_for_weight_conversion";
                Err(unsupported(FIELD, value, advice))
            }
        }
    }

    /// A field that is present and not null.
    fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, field: &str) -> Result<&Value, PeftError> {
        self.get(field).ok_or_else(|| PeftError::field(field, "is missing"))
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<String>, PeftError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(field, value, "text"))?;
        Ok(Some(text.to_owned()))
    }

    pub(super) fn size_or(&self, field: &str, default: usize) -> Result<usize, PeftError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| wrong(field, value, "a whole number"))
    }

    pub(super) fn number_or(&self, field: &str, default: f64) -> Result<f64, PeftError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_f64().ok_or_else(|| wrong(field, value, "a number"))
    }

    pub(super) fn flag_or(&self, field: &str, default: bool) -> Result<bool, PeftError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_bool().ok_or_else(|| wrong(field, value, "true or false"))
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

pub(super) fn unsupported(field: &str, value: &Value, supported: &str) -> PeftError {
    PeftError::Unsupported { field: field.to_owned(), value: shown(value), supported: supported.to_owned() }
}

fn wrong(field: &str, value: &Value, wanted: &str) -> PeftError {
    PeftError::field(field, format!("is {}, but must be {wanted}", shown(value)))
}

/// The value as JSON, cut so that a message stays a message.
fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > SHOWN_VALUE_BYTES {
        let cut = (0..=SHOWN_VALUE_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
