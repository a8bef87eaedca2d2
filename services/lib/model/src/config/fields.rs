//! Typed access to the fields of a `config.json`, so that each complaint names the field it is about.

use serde_json::{Map, Value};

use super::{ConfigError, SUPPORTED_ARCHITECTURE, SUPPORTED_MODEL_TYPE, invalid};

/// Fields that must be absent, null, false or neutral, because the decoder does not compute what they ask for.
const MUST_BE_OFF: [&str; 4] = ["attention_bias", "mlp_bias", "quantization_config", "sliding_window"];

pub(super) struct Fields {
    object: Map<String, Value>,
}

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self { object }),
            Ok(_) => Err(ConfigError::Json("it holds another JSON value".to_owned())),
            Err(error) => Err(ConfigError::Json(error.to_string())),
        }
    }

    /// A field that is present and not null.
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    pub(super) fn size(&self, field: &str) -> Result<usize, ConfigError> {
        let value = self.get(field).ok_or_else(|| ConfigError::Missing { field: field.to_owned() })?;
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        size.ok_or_else(|| invalid(field, &format!("is {value}, but must be a whole number of at least 1")))
    }

    pub(super) fn size_or(&self, field: &str, default: usize) -> Result<usize, ConfigError> {
        if self.get(field).is_some() { self.size(field) } else { Ok(default) }
    }

    pub(super) fn number_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        self.get(field).map_or(Ok(default), |value| number(field, value))
    }

    pub(super) fn flag_or(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        value.as_bool().ok_or_else(|| invalid(field, &format!("is {value}, but must be true or false")))
    }

    /// One id or a list of ids; empty when the field is absent.
    pub(super) fn token_ids(&self, field: &str) -> Result<Vec<u32>, ConfigError> {
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

    pub(super) fn check_architecture(&self) -> Result<(), ConfigError> {
        let unsupported =
            |field: &'static str, found: String| Err(ConfigError::Architecture { field, found });
        let architectures = self.get("architectures");
        if let Some(found) = architectures
            && !found.as_array().is_some_and(|names| names.iter().any(|name| name == SUPPORTED_ARCHITECTURE))
        {
            return unsupported("architectures", found.to_string());
        }
        match self.get("model_type") {
            Some(found) if found == SUPPORTED_MODEL_TYPE => Ok(()),
            Some(found) => unsupported("model_type", found.to_string()),
            None if architectures.is_some() => Ok(()),
            None => unsupported("model_type", "missing".to_owned()),
        }
    }

    pub(super) fn refuse_unsupported(&self) -> Result<(), ConfigError> {
        for field in MUST_BE_OFF {
            if let Some(value) = self.get(field).filter(|value| **value != Value::Bool(false)) {
                return Err(invalid(field, &format!("is {value}, which is not supported; it must be off")));
            }
        }
        if let Some(activation) = self.get("hidden_act").filter(|name| *name != "silu") {
            return Err(invalid("hidden_act", &format!("is {activation}, but only \"silu\" is supported")));
        }
        if self.number_or("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(invalid("partial_rotary_factor", "is not 1, which is not supported"));
        }
        Ok(())
    }
}

pub(super) fn number(field: &str, value: &Value) -> Result<f64, ConfigError> {
    let number = value.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| invalid(field, &format!("is {value}, but must be a number")))
}
