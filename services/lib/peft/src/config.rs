//! `adapter_config.json` as PEFT writes it, read into what a LoRA here can do; whatever asks for more is refused by name.

use serde_json::{Map, Value, json};

use crate::{PeftError, TargetModules, config::fields::Fields};

mod fields;

/// Largest `adapter_config.json` read, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Largest rank accepted.
pub const MAX_RANK: usize = 4096;
/// Largest `lora_alpha` accepted; published adapters have up to a few thousand.
pub const MAX_ALPHA: f64 = 1e6;
/// Number of the PEFT release whose fields are written.
const PEFT_VERSION: &str = "0.21.2";

/// Settings of a LoRA (Hu et al., 2021), named and defaulted as in PEFT's `LoraConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// Rank of the update.
    pub r: usize,
    /// Numerator of the scale.
    pub lora_alpha: f64,
    /// Probability with which an element of a module's input is dropped while training, in [0, 1).
    pub lora_dropout: f64,
    /// The modules that carry a pair.
    pub target_modules: TargetModules,
    /// Whether the scale is `lora_alpha / sqrt(r)` (Kalajdzievski, 2023, "rsLoRA") instead of `lora_alpha / r`.
    pub use_rslora: bool,
    /// What the adapter's maker called the base model; a label, not a path to follow.
    pub base_model_name_or_path: Option<String>,
    /// PEFT's kind of task: `CAUSAL_LM` or absent.
    pub task_type: Option<String>,
    /// PEFT's mark that the file is meant for inference; kept for writing back.
    pub inference_mode: bool,
}

impl Default for LoraConfig {
    /// PEFT's defaults, on every linear module.
    fn default() -> Self {
        Self {
            r: 8,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            target_modules: TargetModules::AllLinear,
            use_rslora: false,
            base_model_name_or_path: None,
            task_type: Some(fields::CAUSAL_LM.to_owned()),
            inference_mode: true,
        }
    }
}

impl LoraConfig {
    /// Parses PEFT's `adapter_config.json`. A field this crate does not know is accepted only while it is off
    /// (null, false, or empty), because what it would change is not computed here.
    ///
    /// # Errors
    /// Names the field that is missing, out of range, or asks for something that is not supported.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PeftError> {
        let fields = Fields::parse(bytes)?;
        fields.refuse_unsupported()?;
        let default = Self::default();
        let config = Self {
            r: fields.size_or("r", default.r)?,
            lora_alpha: fields.number_or("lora_alpha", default.lora_alpha)?,
            lora_dropout: fields.number_or("lora_dropout", default.lora_dropout)?,
            target_modules: TargetModules::from_json(fields.required("target_modules")?)?,
            use_rslora: fields.flag_or("use_rslora", false)?,
            base_model_name_or_path: fields.text("base_model_name_or_path")?,
            task_type: fields.text("task_type")?,
            inference_mode: fields.flag_or("inference_mode", false)?,
        };
        config.validate()?;
        Ok(config)
    }

    /// Checks the ranges; `from_json` has done so already.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn validate(&self) -> Result<(), PeftError> {
        if self.r == 0 || self.r > MAX_RANK {
            return Err(PeftError::field(
                "r",
                format!("is {}, but must be between 1 and {MAX_RANK}", self.r),
            ));
        }
        if !(self.lora_alpha > 0.0 && self.lora_alpha <= MAX_ALPHA) {
            let problem = format!("is {:e}, but must be above 0 and at most {MAX_ALPHA:e}", self.lora_alpha);
            return Err(PeftError::field("lora_alpha", problem));
        }
        if !(0.0..1.0).contains(&self.lora_dropout) {
            let problem = format!("is {}, but must be at least 0 and below 1", self.lora_dropout);
            return Err(PeftError::field("lora_dropout", problem));
        }
        if let Some(task) = self.task_type.as_deref().filter(|task| *task != fields::CAUSAL_LM) {
            return Err(fields::unsupported("task_type", &json!(task), "adapters here are for CAUSAL_LM"));
        }
        self.target_modules.validate()
    }

    /// What multiplies B A: `lora_alpha / r`, or `lora_alpha / sqrt(r)` with rsLoRA.
    pub fn scale(&self) -> f64 {
        let rank = self.r as f64;
        self.lora_alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }

    /// Writes PEFT's `adapter_config.json`, keys sorted, with a line feed at its end.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        object.insert("peft_type".to_owned(), json!(fields::LORA));
        object.insert("peft_version".to_owned(), json!(PEFT_VERSION));
        object.insert("task_type".to_owned(), json!(self.task_type));
        object.insert("base_model_name_or_path".to_owned(), json!(self.base_model_name_or_path));
        object.insert("inference_mode".to_owned(), json!(self.inference_mode));
        object.insert("r".to_owned(), json!(self.r));
        object.insert("lora_alpha".to_owned(), whole_if_possible(self.lora_alpha));
        object.insert("lora_dropout".to_owned(), json!(self.lora_dropout));
        object.insert("target_modules".to_owned(), self.target_modules.to_json());
        object.insert("use_rslora".to_owned(), json!(self.use_rslora));
        object.insert("bias".to_owned(), json!(fields::NO_BIAS));
        object.insert("init_lora_weights".to_owned(), json!(true));
        for (field, value) in fields::WRITTEN_OFF {
            object.insert(field.to_owned(), value.to_json());
        }
        object.sort_keys();
        format!("{:#}\n", Value::Object(object))
    }
}

/// PEFT declares `lora_alpha` an integer, and other readers insist on it.
fn whole_if_possible(number: f64) -> Value {
    const EXACT: f64 = (1_u64 << 53) as f64;
    if number.fract() == 0.0 && number.abs() < EXACT { json!(number as i64) } else { json!(number) }
}

#[cfg(test)]
mod tests;
