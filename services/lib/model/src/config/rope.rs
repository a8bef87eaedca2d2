//! The rotary fields of a `config.json`: transformers wrote them at the top level with `rope_scaling`, later under `rope_parameters`.

use serde_json::{Map, Value, json};

use super::{
    ConfigError, RopeScaling,
    fields::{Fields, number},
    invalid,
};

/// The keys that are read; any other one asks for something that isn't computed.
const KEYS: [&str; 14] = [
    "rope_type",
    "type",
    "rope_theta",
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "partial_rotary_factor",
];
/// YaRN's ramp, unless said otherwise.
const BETA_FAST: f64 = 32.0;
const BETA_SLOW: f64 = 1.0;

/// Reads the frequency base, of which the family has a default, and the scaling, wherever they stand.
pub(super) fn parse(
    fields: &Fields,
    default_theta: f64,
    positions: usize,
) -> Result<(f64, RopeScaling), ConfigError> {
    let mut theta = fields.number_or("rope_theta", default_theta)?;
    let is_given =
        |group| fields.get(group).and_then(Value::as_object).is_some_and(|object| !object.is_empty());
    if is_given("rope_parameters") && is_given("rope_scaling") {
        return Err(invalid("rope_scaling", "stands beside rope_parameters, its later name; take one out"));
    }
    for group in ["rope_parameters", "rope_scaling"] {
        let Some(value) = fields.get(group) else { continue };
        let object = value.as_object().ok_or_else(|| invalid(group, "must be a JSON object"))?;
        if object.is_empty() {
            continue;
        }
        let group = Group { name: group, object };
        group.check_keys()?;
        theta = group.number_or("rope_theta", theta)?;
        return Ok((theta, group.scaling(fields, positions)?));
    }
    Ok((theta, RopeScaling::None))
}

struct Group<'a> {
    name: &'static str,
    object: &'a Map<String, Value>,
}

impl Group<'_> {
    fn check_keys(&self) -> Result<(), ConfigError> {
        if let Some(unknown) = self.object.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(invalid(&self.path(unknown), "is not known, and may not be ignored"));
        }
        if self.number_or("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(invalid(&self.path("partial_rotary_factor"), "is not 1, which is not supported"));
        }
        Ok(())
    }

    fn kind(&self) -> Result<&str, ConfigError> {
        for name in ["rope_type", "type"] {
            match self.object.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(kind)) => return Ok(kind),
                Some(_) => return Err(invalid(&self.path(name), "must be a string")),
            }
        }
        if self.object.contains_key("factor") {
            return Err(invalid(&self.path("rope_type"), "is missing beside factor"));
        }
        Ok("default")
    }

    fn scaling(&self, fields: &Fields, positions: usize) -> Result<RopeScaling, ConfigError> {
        match self.kind()? {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: self.positive("factor")? }),
            "dynamic" => Ok(RopeScaling::Dynamic {
                factor: self.positive("factor")?,
                original_max_position_embeddings: positions,
            }),
            "yarn" => self.yarn(fields, positions),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: self.positive("factor")?,
                low_freq_factor: self.positive("low_freq_factor")?,
                high_freq_factor: self.positive("high_freq_factor")?,
                original_max_position_embeddings: self.original_positions(fields, positions)?,
            }),
            other => Err(invalid(
                &format!("{}.rope_type", self.name),
                &format!(
                    "is \"{other}\", but supported are \"default\", \"linear\", \"dynamic\", \"yarn\" and \"llama3\""
                ),
            )),
        }
    }

    fn yarn(&self, fields: &Fields, positions: usize) -> Result<RopeScaling, ConfigError> {
        let original_max_position_embeddings = self.original_positions(fields, positions)?;
        let factor = self.positive("factor")?;
        // The paper's temperature, or the ratio of two of them.
        let magnitude = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
        let (mscale, of_all) = (self.number_or("mscale", 0.0)?, self.number_or("mscale_all_dim", 0.0)?);
        let suggested = if mscale == 0.0 || of_all == 0.0 {
            magnitude(1.0)
        } else {
            magnitude(mscale) / magnitude(of_all)
        };
        Ok(RopeScaling::Yarn {
            factor,
            original_max_position_embeddings,
            beta_fast: self.number_or("beta_fast", BETA_FAST)?,
            beta_slow: self.number_or("beta_slow", BETA_SLOW)?,
            attention_factor: self.number_or("attention_factor", suggested)?,
            truncate: self.flag_or("truncate", true)?,
        })
    }

    fn original_positions(&self, fields: &Fields, positions: usize) -> Result<usize, ConfigError> {
        let field = "original_max_position_embeddings";
        if self.object.contains_key(field) {
            return Ok(self.positive(field)? as usize);
        }
        fields.size_or(field, positions)
    }

    fn flag_or(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.object.get(field).filter(|value| !value.is_null()) else { return Ok(default) };
        value.as_bool().ok_or_else(|| invalid(&self.path(field), "must be true or false"))
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
        RopeScaling::Dynamic { factor, .. } => json!({ "rope_type": "dynamic", "factor": factor }),
        RopeScaling::Yarn {
            factor,
            original_max_position_embeddings,
            beta_fast,
            beta_slow,
            attention_factor,
            truncate,
        } => json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": original_max_position_embeddings,
            "beta_fast": beta_fast,
            "beta_slow": beta_slow,
            "attention_factor": attention_factor,
            "truncate": truncate,
        }),
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
