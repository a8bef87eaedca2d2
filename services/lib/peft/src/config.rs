//! `adapter_config.json` as PEFT writes it, read into what a LoRA here can do; whatever asks for more is refused by name.

use std::collections::BTreeMap;

use rootstock_model::Config;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Biases, Module, PeftError, SavedModule, TargetModules, config::ordered::Ordered, pattern::ending,
};

mod fields;
mod ordered;

pub(crate) use fields::{CAUSAL_LM, Fields, unsupported};

/// Largest `adapter_config.json` read, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Largest rank accepted.
pub const MAX_RANK: usize = 4096;
/// Largest `lora_alpha` accepted; published adapters have up to a few thousand.
pub const MAX_ALPHA: f64 = 1e6;
/// Number of the PEFT release whose fields are written.
pub(crate) const PEFT_VERSION: &str = "0.21.2";
/// Most entries accepted in `rank_pattern` and in `alpha_pattern`; EVA writes one for each module.
const MAX_PATTERNS: usize = 1024;

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
    /// Modules that carry none although they are among those; names or a pattern.
    pub exclude_modules: Option<TargetModules>,
    /// The layers whose modules carry a pair, where modules are named by the end of their path; all if absent or empty.
    pub layers_to_transform: Option<Vec<usize>>,
    /// Patterns of what stands before a layer's number in a path; empty is anything.
    pub layers_pattern: Vec<String>,
    /// Other ranks, by a pattern for the end of a path; the first that matches counts.
    pub rank_pattern: Vec<(String, usize)>,
    /// Other numerators of the scale, in the same way.
    pub alpha_pattern: Vec<(String, f64)>,
    /// Whether each output is rescaled to a learned magnitude (Liu et al., 2024, "DoRA").
    pub use_dora: bool,
    /// How the pairs start in training.
    pub init_lora_weights: InitLoraWeights,
    /// Modules that the adapter replaces whole.
    pub modules_to_save: Vec<SavedModule>,
    /// Which of the base's biases the adapter brings of its own.
    pub bias: Biases,
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
            exclude_modules: None,
            layers_to_transform: None,
            layers_pattern: Vec::new(),
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
            use_dora: false,
            init_lora_weights: InitLoraWeights::Kaiming,
            modules_to_save: Vec::new(),
            bias: Biases::None,
            use_rslora: false,
            base_model_name_or_path: None,
            task_type: Some(CAUSAL_LM.to_owned()),
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
            target_modules: TargetModules::from_json("target_modules", fields.required("target_modules")?)?,
            exclude_modules: fields.excluded()?,
            layers_to_transform: fields.layers()?,
            layers_pattern: fields.layers_pattern()?,
            rank_pattern: fields.ranks()?,
            alpha_pattern: fields.alphas()?,
            use_dora: fields.flag_or("use_dora", false)?,
            init_lora_weights: fields.init(),
            modules_to_save: fields.modules_to_save()?,
            bias: fields.biases()?,
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
        check_rank("r", self.r)?;
        check_alpha("lora_alpha", self.lora_alpha)?;
        if !(0.0..1.0).contains(&self.lora_dropout) {
            let problem = format!("is {}, but must be at least 0 and below 1", self.lora_dropout);
            return Err(PeftError::field("lora_dropout", problem));
        }
        if let Some(task) = self.task_type.as_deref().filter(|task| *task != CAUSAL_LM) {
            return Err(unsupported("task_type", &json!(task), "adapters here are for CAUSAL_LM"));
        }
        check_patterns("rank_pattern", &self.rank_pattern, check_rank)?;
        check_patterns("alpha_pattern", &self.alpha_pattern, check_alpha)?;
        self.check_layers()?;
        if let Some(excluded) = &self.exclude_modules {
            excluded.validate("exclude_modules")?;
        }
        self.target_modules.validate("target_modules")
    }

    /// As PEFT: layers narrow a list of names alone.
    fn check_layers(&self) -> Result<(), PeftError> {
        let names = matches!(self.target_modules, TargetModules::Names(_));
        match (&self.layers_to_transform, self.layers_pattern.is_empty()) {
            (Some(_), _) if !names => {
                Err(PeftError::field("layers_to_transform", "needs target_modules to be a list of names"))
            }
            (None, false) => {
                Err(PeftError::field("layers_pattern", "needs layers_to_transform to say which layers"))
            }
            _ => Ok(()),
        }
    }

    /// What an adapter of this configuration has beyond LoRA pairs on projections, by the field that asks for it; such adapters are
    /// served one at a time.
    ///
    /// # Errors
    /// As [`LoraConfig::targets`].
    pub fn beyond_lora(&self, base: &Config) -> Result<Option<&'static str>, PeftError> {
        if self.use_dora {
            return Ok(Some("use_dora"));
        }
        if !self.modules_to_save.is_empty() {
            return Ok(Some("modules_to_save"));
        }
        if !self.own_biases(base)?.is_empty() {
            return Ok(Some("bias"));
        }
        let ends = self.targets(base)?.iter().any(|target| !matches!(target.module, Module::Layer(..)));
        Ok(ends.then_some("target_modules"))
    }

    /// Writes PEFT's `adapter_config.json`, keys sorted, with a line feed at its end.
    pub fn to_json(&self) -> String {
        let saved = self.modules_to_save.iter().map(|module| module.name()).collect::<Vec<_>>();
        let some = |list: Value| if list.as_array().is_some_and(Vec::is_empty) { Value::Null } else { list };
        let mut fields = BTreeMap::from([
            ("peft_type", Entry::Value(json!(fields::LORA))),
            ("peft_version", Entry::Value(json!(PEFT_VERSION))),
            ("task_type", Entry::Value(json!(self.task_type))),
            ("base_model_name_or_path", Entry::Value(json!(self.base_model_name_or_path))),
            ("inference_mode", Entry::Value(json!(self.inference_mode))),
            ("r", Entry::Value(json!(self.r))),
            ("lora_alpha", Entry::Value(whole_if_possible(self.lora_alpha))),
            ("lora_dropout", Entry::Value(json!(self.lora_dropout))),
            ("target_modules", Entry::Value(self.target_modules.to_json())),
            ("layers_to_transform", Entry::Value(json!(self.layers_to_transform))),
            ("layers_pattern", Entry::Value(some(json!(self.layers_pattern)))),
            ("rank_pattern", Entry::pattern(&self.rank_pattern, |rank| json!(rank))),
            ("alpha_pattern", Entry::pattern(&self.alpha_pattern, |alpha| whole_if_possible(*alpha))),
            ("use_dora", Entry::Value(json!(self.use_dora))),
            ("use_rslora", Entry::Value(json!(self.use_rslora))),
            ("modules_to_save", Entry::Value(some(json!(saved)))),
            ("bias", Entry::Value(json!(self.bias.name()))),
            ("init_lora_weights", Entry::Value(self.init_lora_weights.to_json())),
        ]);
        // Absent where it is off, as before there was such a field: the same settings give the same bytes.
        let excluded = self.exclude_modules.as_ref().map(TargetModules::to_json);
        fields.extend(excluded.map(|excluded| ("exclude_modules", Entry::Value(excluded))));
        fields.extend(fields::WRITTEN_OFF.map(|(field, off)| (field, Entry::Value(off.to_json()))));
        let text = serde_json::to_string_pretty(&fields).expect("a map of text keys has a JSON form");
        format!("{text}\n")
    }
}

/// How the pairs of a new adapter start (PEFT's `init_lora_weights`); what a finished one computes doesn't depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitLoraWeights {
    /// A drawn evenly, as in torch's linear maps: PEFT's `true`.
    #[default]
    Kaiming,
    /// A drawn from N(0, 1/r^2): PEFT's `"gaussian"`.
    Gaussian,
}

impl InitLoraWeights {
    fn to_json(self) -> Value {
        match self {
            Self::Kaiming => json!(true),
            Self::Gaussian => json!(fields::GAUSSIAN),
        }
    }
}

/// A field's value as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Value(Value),
    Ordered(Ordered),
}

impl Entry {
    fn pattern<T>(entries: &[(String, T)], value: impl Fn(&T) -> Value) -> Self {
        Self::Ordered(Ordered(entries.iter().map(|(key, entry)| (key.clone(), value(entry))).collect()))
    }
}

fn check_rank(field: &str, rank: usize) -> Result<(), PeftError> {
    if rank == 0 || rank > MAX_RANK {
        return Err(PeftError::field(field, format!("is {rank}, but must be between 1 and {MAX_RANK}")));
    }
    Ok(())
}

fn check_alpha(field: &str, alpha: f64) -> Result<(), PeftError> {
    if alpha > 0.0 && alpha <= MAX_ALPHA {
        return Ok(());
    }
    let problem = format!("is {alpha:e}, but must be above 0 and at most {MAX_ALPHA:e}");
    Err(PeftError::field(field, problem))
}

fn check_patterns<T: Copy>(
    field: &str,
    patterns: &[(String, T)],
    check: impl Fn(&str, T) -> Result<(), PeftError>,
) -> Result<(), PeftError> {
    if patterns.len() > MAX_PATTERNS {
        return Err(PeftError::field(field, format!("has more than {MAX_PATTERNS} entries")));
    }
    for (pattern, value) in patterns {
        ending(field, pattern)?;
        check(&format!("{field}[{pattern:?}]"), *value)?;
    }
    Ok(())
}

/// PEFT declares `lora_alpha` an integer, and other readers insist on it.
fn whole_if_possible(number: f64) -> Value {
    const EXACT: f64 = (1_u64 << 53) as f64;
    if number.fract() == 0.0 && number.abs() < EXACT { json!(number as i64) } else { json!(number) }
}

#[cfg(test)]
mod tests;
