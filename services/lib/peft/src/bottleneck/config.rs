//! The `adapters` library's `BnConfig` (SeqBnConfig, DoubleSeqBnConfig, ParBnConfig), read into what a bottleneck can do here.

use std::collections::BTreeMap;

use rootstock_kernels::Format;
use rootstock_model::{Config, NonLinearity, Place, Reads};
use serde_json::{Map, Value, json};

use super::{PARTS, packed_size};
use crate::{PeftError, TensorHeader, check::check_exactly, config::unsupported};

/// Largest reduction factor accepted.
pub const MAX_REDUCTION_FACTOR: f64 = 65_536.0;
/// Smallest reduction factor: a bottleneck is at most 16 times as wide as the model.
pub const MIN_REDUCTION_FACTOR: f64 = 1.0 / 16.0;
/// Largest scaling accepted.
pub const MAX_SCALING: f64 = 1e6;
/// Number of the library's release whose fields are written.
const VERSION: &str = "adapters.1.2.0";
/// Longest name accepted, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Fields that must have these values, where they are there: others would be computed in another way.
const FIXED: [(&str, Value); 8] = [
    ("architecture", Value::Null),
    ("inv_adapter", Value::Null),
    ("ln_after", Value::Bool(false)),
    ("ln_before", Value::Bool(false)),
    ("original_ln_after", Value::Bool(true)),
    ("phm_layer", Value::Bool(false)),
    ("residual_before_ln", Value::Bool(true)),
    ("use_gating", Value::Bool(false)),
];
/// Fields that change nothing about what a finished adapter without those above computes.
const INERT: [&str; 17] = [
    "adapter_residual_before_ln",
    "cross_adapter",
    "dropout",
    "factorized_phm_W",
    "factorized_phm_rule",
    "hypercomplex_nonlinearity",
    "init_weights",
    "init_weights_seed",
    "inv_adapter_reduction_factor",
    "learn_phm",
    "phm_bias",
    "phm_c_init",
    "phm_dim",
    "phm_init_range",
    "phm_rank",
    "shared_W_phm",
    "shared_phm_rule",
];
const READ: [&str; 8] = [
    "is_parallel",
    "leave_out",
    "mh_adapter",
    "non_linearity",
    "original_ln_before",
    "output_adapter",
    "reduction_factor",
    "scaling",
];

/// Settings of bottlenecks, named as in the library.
#[derive(Clone, Debug, PartialEq)]
pub struct BottleneckConfig {
    /// What the adapter is called: a part of its tensors' names.
    pub name: String,
    /// Whether there is one for the attention of each layer.
    pub mh_adapter: bool,
    /// Whether there is one for the feed-forward block of each layer.
    pub output_adapter: bool,
    /// The model's width over the bottleneck's.
    pub reduction_factor: f64,
    /// The function between the two maps.
    pub non_linearity: NonLinearity,
    /// Whether it reads the residual stream behind the block, not the block's output alone.
    pub original_ln_before: bool,
    /// Whether it stands beside the block and reads what comes before it and its norm.
    pub is_parallel: bool,
    /// Multiplies what is added.
    pub scaling: f64,
    /// What the adapter's maker called the base model; a label, not a path to follow.
    pub base_model_name_or_path: Option<String>,
}

impl BottleneckConfig {
    /// Whether a configuration is one of this library's bottlenecks: its settings are an object in it.
    pub(crate) fn is_type(object: &Map<String, Value>) -> bool {
        object.get("config").is_some_and(Value::is_object)
    }

    pub(crate) fn read(object: &Map<String, Value>) -> Result<Self, PeftError> {
        let empty = Map::new();
        let fields = object.get("config").and_then(Value::as_object).unwrap_or(&empty);
        for (field, value) in fields {
            let fixed = FIXED.iter().find(|(name, _)| name == field);
            if fixed.is_some_and(|(_, only)| only != value) {
                return Err(unsupported(&format!("config.{field}"), value, "train the adapter without it"));
            }
            let known = fixed.is_some() || READ.contains(&field.as_str()) || INERT.contains(&field.as_str());
            let is_off = value.is_null() || *value == json!(0.0) || *value == json!(false);
            if !known && !is_off {
                return Err(unsupported(&format!("config.{field}"), value, "train the adapter without it"));
            }
        }
        if let Some(left_out) =
            fields.get("leave_out").filter(|value| **value != json!([]) && !value.is_null())
        {
            return Err(unsupported("config.leave_out", left_out, "all layers have bottlenecks here"));
        }
        let wrong =
            |field: &str| PeftError::field(&format!("config.{field}"), "is missing or of another type");
        let flag = |field: &str| fields.get(field).and_then(Value::as_bool);
        let number = |field: &str| fields.get(field).and_then(Value::as_f64);
        let text = |field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
        let function = fields.get("non_linearity").ok_or_else(|| wrong("non_linearity"))?;
        let config = Self {
            name: text("name").ok_or_else(|| PeftError::field("name", "is missing"))?,
            mh_adapter: flag("mh_adapter").ok_or_else(|| wrong("mh_adapter"))?,
            output_adapter: flag("output_adapter").ok_or_else(|| wrong("output_adapter"))?,
            reduction_factor: number("reduction_factor").ok_or_else(|| wrong("reduction_factor"))?,
            non_linearity: function
                .as_str()
                .and_then(NonLinearity::parse)
                .ok_or_else(|| unsupported("config.non_linearity", function, "relu, gelu and swish are"))?,
            original_ln_before: flag("original_ln_before").unwrap_or(false),
            is_parallel: flag("is_parallel").unwrap_or(false),
            scaling: fields
                .get("scaling")
                .map_or(Some(1.0), Value::as_f64)
                .ok_or_else(|| wrong("scaling"))?,
            base_model_name_or_path: text("model_name"),
        };
        config.validate().map(|()| config)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn validate(&self) -> Result<(), PeftError> {
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || self.name.contains('.') {
            return Err(PeftError::field("name", "must have 1 to 256 bytes and no dot"));
        }
        if !self.mh_adapter && !self.output_adapter {
            return Err(PeftError::field("config.output_adapter", "must be true, or mh_adapter must"));
        }
        if !(MIN_REDUCTION_FACTOR..=MAX_REDUCTION_FACTOR).contains(&self.reduction_factor) {
            let problem = format!(
                "is {}, but must be from {MIN_REDUCTION_FACTOR} to {MAX_REDUCTION_FACTOR}",
                self.reduction_factor
            );
            return Err(PeftError::field("config.reduction_factor", problem));
        }
        if !(self.scaling.abs() > 0.0 && self.scaling.abs() <= MAX_SCALING) {
            let problem = format!("is {}, but must not be 0, nor above {MAX_SCALING:e}", self.scaling);
            return Err(PeftError::field("config.scaling", problem));
        }
        Ok(())
    }

    /// What each of them reads.
    pub(super) fn reads(&self) -> Reads {
        match (self.is_parallel, self.original_ln_before) {
            (true, _) => Reads::Before,
            (false, true) => Reads::After,
            (false, false) => Reads::Output,
        }
    }

    /// Where there are bottlenecks, in forward order.
    pub(super) fn places(&self, base: &Config) -> Vec<(usize, Place)> {
        let has = |place: &Place| match place {
            Place::Attention => self.mh_adapter,
            Place::FeedForward => self.output_adapter,
        };
        let of_layer = |layer| Place::ALL.into_iter().filter(has).map(move |place| (layer, place));
        (0..base.num_hidden_layers).flat_map(of_layer).collect()
    }

    /// The library's name of a bottleneck's tensor.
    pub(super) fn tensor_name(&self, layer: usize, place: Place, part: &str) -> String {
        let module = match place {
            Place::Attention => "attention_adapters",
            Place::FeedForward => "output_adapters",
        };
        format!("model.layers.{layer}.{module}.adapters.{}.{part}", self.name)
    }

    /// The shape of every tensor for this base model, by name.
    pub(crate) fn expected_shapes(&self, base: &Config) -> BTreeMap<String, Vec<usize>> {
        let width = base.hidden_size;
        // The library divides as Python's // does, and never to nothing.
        let narrow = ((width as f64 / self.reduction_factor).floor() as usize).max(1);
        let shapes = [vec![narrow], vec![narrow, width], vec![width], vec![width, narrow]];
        let of_place = |(layer, place)| {
            let names = PARTS.map(|part| self.tensor_name(layer, place, part));
            names.into_iter().zip(shapes.clone())
        };
        self.places(base).into_iter().flat_map(of_place).collect()
    }

    pub(crate) fn check_tensors(&self, base: &Config, tensors: &[TensorHeader]) -> Result<(), PeftError> {
        let reason =
            "it is no part of a bottleneck that the settings ask for, or bears another adapter's name";
        check_exactly(&self.expected_shapes(base), tensors, reason)
    }

    pub(crate) fn resident_bytes(&self, base: &Config, format: Format) -> usize {
        packed_size(self.expected_shapes(base).values(), format)
    }

    /// Writes the library's `adapter_config.json` for an adapter of this base model, keys sorted, with a line feed at its end.
    pub fn to_json(&self, base: &Config) -> String {
        let mut config = BTreeMap::from(FIXED.map(|(field, value)| (field, value)));
        config.extend([
            ("is_parallel", json!(self.is_parallel)),
            ("leave_out", json!([])),
            ("mh_adapter", json!(self.mh_adapter)),
            ("non_linearity", json!(self.non_linearity.name())),
            ("original_ln_before", json!(self.original_ln_before)),
            ("output_adapter", json!(self.output_adapter)),
            ("reduction_factor", json!(self.reduction_factor)),
            ("scaling", json!(self.scaling)),
        ]);
        let fields = json!({
            "config": config,
            "hidden_size": base.hidden_size,
            "model_name": self.base_model_name_or_path,
            "name": self.name,
            "version": VERSION,
        });
        let text = serde_json::to_string_pretty(&fields).expect("a map of text keys has a JSON form");
        format!("{text}\n")
    }
}
