//! Typed access to the fields of an `adapter_config.json`, and the list of those that may not be on.

use serde_json::{Map, Value, json};

use super::ordered::Ordered;
use crate::{Biases, InitLoraWeights, MAX_CONFIG_BYTES, Module, PeftError, SavedModule, TargetModules};

pub(crate) const LORA: &str = "LORA";
pub(crate) const CAUSAL_LM: &str = "CAUSAL_LM";
pub(crate) const GAUSSIAN: &str = "gaussian";

/// Fields with values of their own, read or checked one by one.
const READ: [&str; 19] = [
    "alpha_pattern",
    "base_model_name_or_path",
    "bias",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "r",
    "rank_pattern",
    "target_modules",
    "task_type",
    "use_dora",
    "use_rslora",
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
const INITS: [&str; 3] = [GAUSSIAN, "eva", "orthogonal"];
const SHOWN_VALUE_BYTES: usize = 80;

/// A value that switches a field off.
#[derive(Clone, Copy)]
pub(crate) enum Off {
    Null,
    False,
    EmptyObject,
}

impl Off {
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::False => json!(false),
            Self::EmptyObject => json!({}),
        }
    }
}

/// What is written for features this crate does not have, so that older readers need not know PEFT's defaults.
pub(crate) const WRITTEN_OFF: [(&str, Off); 4] = [
    ("fan_in_fan_out", Off::False),
    ("lora_bias", Off::False),
    ("revision", Off::Null),
    ("loftq_config", Off::EmptyObject),
];

pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    object: Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, PeftError> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(PeftError::Json(format!("it is larger than {MAX_CONFIG_BYTES} bytes")));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self { bytes, object }),
            Ok(_) => Err(PeftError::Json("it holds another JSON value".to_owned())),
            Err(error) => Err(PeftError::Json(error.to_string())),
        }
    }

    pub(crate) fn refuse_unsupported(&self) -> Result<(), PeftError> {
        self.must_be("peft_type", LORA)?;
        self.check_init()?;
        self.refuse_unless(|field| READ.contains(&field) || INERT.contains(&field))
    }

    /// Refuses a field that is neither off nor among those that are known.
    pub(crate) fn refuse_unless(&self, known: impl Fn(&str) -> bool) -> Result<(), PeftError> {
        match self.object.iter().find(|(field, value)| !known(field) && !is_off(value)) {
            Some((field, value)) => Err(unsupported(field, value, "turn it off and train the adapter again")),
            None => Ok(()),
        }
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

    /// How the pairs started; what is not known here makes no difference any more.
    pub(super) fn init(&self) -> InitLoraWeights {
        match self.get("init_lora_weights") {
            Some(value) if value == GAUSSIAN => InitLoraWeights::Gaussian,
            _ => InitLoraWeights::Kaiming,
        }
    }

    /// `bias`: which of the base's biases are brought along.
    pub(super) fn biases(&self) -> Result<Biases, PeftError> {
        const FIELD: &str = "bias";
        let Some(value) = self.get(FIELD) else { return Ok(Biases::None) };
        let known = value.as_str().and_then(Biases::from_name);
        known.ok_or_else(|| unsupported(FIELD, value, "known are none, all and lora_only"))
    }

    /// All fields.
    pub(crate) fn object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// A field that is present and not null.
    fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&self, field: &str) -> Result<&Value, PeftError> {
        self.get(field).ok_or_else(|| PeftError::field(field, "is missing"))
    }

    /// A list, empty if absent; something else than a list stands for a list of itself, as PEFT has it.
    pub(crate) fn list(&self, field: &str) -> &[Value] {
        match self.get(field) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(one) => std::slice::from_ref(one),
        }
    }

    /// `exclude_modules`, if it excludes anything.
    pub(crate) fn excluded(&self) -> Result<Option<TargetModules>, PeftError> {
        const FIELD: &str = "exclude_modules";
        match self.get(FIELD).filter(|value| !is_off(value)) {
            None => Ok(None),
            // Unlike `target_modules` it knows no word for all.
            Some(Value::String(pattern)) if pattern.is_empty() => Ok(None),
            Some(Value::String(pattern)) => Ok(Some(TargetModules::Pattern(pattern.clone()))),
            Some(value) => TargetModules::from_json(FIELD, value).map(Some),
        }
    }

    /// `layers_to_transform`: numbers of layers.
    pub(crate) fn layers(&self) -> Result<Option<Vec<usize>>, PeftError> {
        const FIELD: &str = "layers_to_transform";
        let Some(value) = self.get(FIELD) else { return Ok(None) };
        let number = |item: &Value| item.as_u64().and_then(|number| usize::try_from(number).ok());
        let numbers: Option<Vec<usize>> = self.list(FIELD).iter().map(number).collect();
        numbers.map(Some).ok_or_else(|| wrong(FIELD, value, "a layer's number or a list of them"))
    }

    /// `layers_pattern`: what may stand before a layer's number.
    pub(crate) fn layers_pattern(&self) -> Result<Vec<String>, PeftError> {
        const FIELD: &str = "layers_pattern";
        let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| wrong(FIELD, item, "text"));
        let patterns = self.list(FIELD).iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(if patterns.iter().all(String::is_empty) { Vec::new() } else { patterns })
    }

    /// `modules_to_save`: which ends of the model are replaced.
    pub(crate) fn modules_to_save(&self) -> Result<Vec<SavedModule>, PeftError> {
        const FIELD: &str = "modules_to_save";
        let Some(value) = self.get(FIELD) else { return Ok(Vec::new()) };
        let module = |item: &Value| {
            let path = |module: &SavedModule| Module::from(*module).path();
            let named = |module: &SavedModule| item == module.name() || *item == path(module);
            SavedModule::ALL.into_iter().find(named)
        };
        let modules: Option<Vec<SavedModule>> = self.list(FIELD).iter().map(module).collect();
        let mut modules =
            modules.ok_or_else(|| unsupported(FIELD, value, "only lm_head and embed_tokens are replaced"))?;
        modules.sort_unstable();
        modules.dedup();
        Ok(modules)
    }

    /// `rank_pattern`: ranks by pattern, the first that matches counting.
    pub(crate) fn ranks(&self) -> Result<Vec<(String, usize)>, PeftError> {
        const FIELD: &str = "rank_pattern";
        let rank = |value: &Value| value.as_u64().and_then(|rank| usize::try_from(rank).ok());
        self.pattern(FIELD, |value| rank(value).ok_or_else(|| wrong(FIELD, value, "a whole number")))
    }

    /// `alpha_pattern`: alphas by pattern, the first that matches counting.
    pub(crate) fn alphas(&self) -> Result<Vec<(String, f64)>, PeftError> {
        const FIELD: &str = "alpha_pattern";
        self.pattern(FIELD, |value| value.as_f64().ok_or_else(|| wrong(FIELD, value, "a number")))
    }

    fn pattern<T>(
        &self,
        field: &str,
        read: impl Fn(&Value) -> Result<T, PeftError>,
    ) -> Result<Vec<(String, T)>, PeftError> {
        match self.get(field) {
            None => return Ok(Vec::new()),
            Some(Value::Object(_)) => {}
            Some(value) => return Err(wrong(field, value, "an object")),
        }
        let Ordered(entries) = Ordered::of(self.bytes, field)?;
        entries.into_iter().map(|(key, value)| Ok((key, read(&value)?))).collect()
    }

    pub(crate) fn text(&self, field: &str) -> Result<Option<String>, PeftError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(field, value, "text"))?;
        Ok(Some(text.to_owned()))
    }

    pub(crate) fn size_or(&self, field: &str, default: usize) -> Result<usize, PeftError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| wrong(field, value, "a whole number"))
    }

    pub(crate) fn number_or(&self, field: &str, default: f64) -> Result<f64, PeftError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_f64().ok_or_else(|| wrong(field, value, "a number"))
    }

    pub(crate) fn flag_or(&self, field: &str, default: bool) -> Result<bool, PeftError> {
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

pub(crate) fn unsupported(field: &str, value: &Value, supported: &str) -> PeftError {
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
