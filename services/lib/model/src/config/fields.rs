//! Typed access to the fields of a `config.json`, so that each complaint names the field it is about.

use serde_json::{Map, Value};

use super::{ConfigError, invalid};

/// Fields that must be absent, null, false or 0, because no decoder here computes what they ask for.
const MUST_BE_OFF: [&str; 3] = ["attention_dropout", "quantization_config", "rope_interleaved"];

pub(crate) struct Fields {
    object: Map<String, Value>,
}

impl Fields {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self { object }),
            Ok(_) => Err(ConfigError::Json("it holds another JSON value".to_owned())),
            Err(error) => Err(ConfigError::Json(error.to_string())),
        }
    }

    /// A field that is present and not null.
    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// Whether a field is there, null included.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    pub(crate) fn size(&self, field: &str) -> Result<usize, ConfigError> {
        let value = self.get(field).ok_or_else(|| ConfigError::Missing { field: field.to_owned() })?;
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        size.ok_or_else(|| invalid(field, &format!("is {value}, but must be a whole number of at least 1")))
    }

    pub(crate) fn size_or(&self, field: &str, default: usize) -> Result<usize, ConfigError> {
        if self.get(field).is_some() { self.size(field) } else { Ok(default) }
    }

    /// A whole number that may be 0.
    pub(crate) fn count_or(&self, field: &str, default: usize) -> Result<usize, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| invalid(field, &format!("is {value}, but must be a whole number")))
    }

    pub(crate) fn number_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        self.get(field).map_or(Ok(default), |value| number(field, value))
    }

    pub(crate) fn flag_or(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_bool().ok_or_else(|| invalid(field, &format!("is {value}, but must be true or false")))
    }

    /// One id or a list of ids; empty when the field is absent.
    pub(crate) fn token_ids(&self, field: &str) -> Result<Vec<u32>, ConfigError> {
        let id = |value: &Value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| invalid(field, &format!("holds {value}, but token ids are whole numbers")))
        };
        match self.get(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    /// Refuses a field that is there and asks for something.
    pub(crate) fn refuse_on(&self, field: &str) -> Result<(), ConfigError> {
        let neutral = |value: &&Value| value.as_bool() == Some(false) || value.as_f64() == Some(0.0);
        match self.get(field).filter(|value| !neutral(value)) {
            Some(value) => {
                Err(invalid(field, &format!("is {value}, which is not supported; it must be off")))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn refuse_unsupported(&self) -> Result<(), ConfigError> {
        MUST_BE_OFF.into_iter().try_for_each(|field| self.refuse_on(field))?;
        if let Some(activation) = self.get("hidden_act").filter(|name| *name != "silu") {
            return Err(invalid("hidden_act", &format!("is {activation}, but only \"silu\" is supported")));
        }
        if self.number_or("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(invalid("partial_rotary_factor", "is not 1, which is not supported"));
        }
        Ok(())
    }
}

pub(crate) fn number(field: &str, value: &Value) -> Result<f64, ConfigError> {
    let number = value.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| invalid(field, &format!("is {value}, but must be a number")))
}
