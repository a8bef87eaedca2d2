//! The rotary fields of a `config.json`: transformers wrote them at the top level with `rope_scaling`, later under `rope_parameters`.

use serde_json::{Map, Value, json};

use super::{
    ConfigError, RopeScaling,
    fields::{Fields, number},
    invalid,
};

const DEFAULT_THETA: f64 = 10_000.0;

/// Reads the frequency base and the scaling, wherever they stand.
pub(super) fn parse(fields: &Fields) -> Result<(f64, RopeScaling), ConfigError> {
    let mut theta = fields.number_or("rope_theta", DEFAULT_THETA)?;
    for group in ["rope_parameters", "rope_scaling"] {
        let Some(value) = fields.get(group) else { continue };
        let object = value.as_object().ok_or_else(|| invalid(group, "must be a JSON object"))?;
        let group = Group { name: group, object };
        theta = group.number_or("rope_theta", theta)?;
        return Ok((theta, group.scaling(fields)?));
    }
    Ok((theta, RopeScaling::None))
}

struct Group<'a> {
    name: &'static str,
    object: &'a Map<String, Value>,
}

impl Group<'_> {
    fn scaling(&self, fields: &Fields) -> Result<RopeScaling, ConfigError> {
        let kind = self.object.get("rope_type").or_else(|| self.object.get("type")).and_then(Value::as_str);
        match kind.unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: self.positive("factor")? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: self.positive("factor")?,
                low_freq_factor: self.positive("low_freq_factor")?,
                high_freq_factor: self.positive("high_freq_factor")?,
                original_max_position_embeddings: self.original_positions(fields)?,
            }),
            other => Err(invalid(
                &format!("{}.rope_type", self.name),
                &format!("is \"{other}\", but supported are \"default\", \"linear\" and \"llama3\""),
            )),
        }
    }

    fn original_positions(&self, fields: &Fields) -> Result<usize, ConfigError> {
        let field = "original_max_position_embeddings";
        if self.object.contains_key(field) {
            return Ok(self.positive(field)? as usize);
        }
        fields.size_or(field, fields.size_or("max_position_embeddings", 2048)?)
    }

    fn number_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        let value = self.object.get(field).filter(|value| !value.is_null());
        value.map_or(Ok(default), |value| number(&self.path(field), value))
    }

    fn positive(&self, field: &str) -> Result<f64, ConfigError> {
        let value = self.object.get(field).ok_or_else(|| ConfigError::Missing { field: self.path(field) })?;
        let value = number(&self.path(field), value)?;
        if value > 0.0 { Ok(value) } else { Err(invalid(&self.path(field), "must be positive")) }
    }

    fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }
}

/// The scaling as transformers' `rope_scaling` object, or null.
pub(super) fn scaling_json(scaling: &RopeScaling) -> Value {
    match scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings,
        } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_max_position_embeddings,
        }),
    }
}
