//! PEFT's `target_modules`: which projections of the base model carry a LoRA pair.

use regex::{Regex, RegexBuilder};
use rootstock_model::{Config, Projection};
use serde_json::{Value, json};

use crate::PeftError;

/// Longest pattern accepted, in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// Most names accepted in the list.
const MAX_NAMES: usize = 4096;
/// Memory a compiled pattern may take, in bytes.
const MAX_PATTERN_MEMORY: usize = 1 << 20;
const FIELD: &str = "target_modules";
/// PEFT's word for every linear module but the output head.
const ALL_LINEAR: &str = "all-linear";
/// Modules a pattern can reach in PEFT that can't be adapted here.
const NOT_ADAPTABLE: [&str; 2] = ["lm_head", "model.embed_tokens"];

/// The modules an adapter attaches to, in the three forms PEFT knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetModules {
    /// Names: a module is chosen when its path is one of them or ends in `.name`.
    Names(Vec<String>),
    /// A regular expression that must match a module's whole path (linear-time syntax: no look-around, no back-references).
    Pattern(String),
    /// Every linear module of the layers.
    AllLinear,
}

impl From<Vec<String>> for TargetModules {
    fn from(names: Vec<String>) -> Self {
        Self::Names(names)
    }
}

impl From<&[&str]> for TargetModules {
    fn from(names: &[&str]) -> Self {
        Self::Names(names.iter().map(|&name| name.to_owned()).collect())
    }
}

impl From<&[Projection]> for TargetModules {
    fn from(projections: &[Projection]) -> Self {
        Self::Names(projections.iter().map(|projection| projection.name().to_owned()).collect())
    }
}

impl TargetModules {
    pub(crate) fn from_json(value: &Value) -> Result<Self, PeftError> {
        let targets = match value {
            Value::String(text) if text.eq_ignore_ascii_case(ALL_LINEAR) => Self::AllLinear,
            Value::String(pattern) => Self::Pattern(pattern.clone()),
            Value::Array(items) => {
                let name = |item: &Value| item.as_str().map(str::to_owned);
                let names: Option<_> = items.iter().take(MAX_NAMES + 1).map(name).collect();
                Self::Names(names.ok_or_else(|| PeftError::field(FIELD, "holds an entry that is not text"))?)
            }
            _ => {
                return Err(PeftError::field(FIELD, "must be a list of names, a pattern, or \"all-linear\""));
            }
        };
        targets.validate()?;
        Ok(targets)
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Names(names) => json!(names),
            Self::Pattern(pattern) => json!(pattern),
            Self::AllLinear => json!(ALL_LINEAR),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), PeftError> {
        match self {
            Self::Names(names) if names.is_empty() => Err(PeftError::field(FIELD, "is empty")),
            Self::Names(names) if names.len() > MAX_NAMES => {
                Err(PeftError::field(FIELD, format!("has more than {MAX_NAMES} entries")))
            }
            Self::Names(_) | Self::AllLinear => Ok(()),
            Self::Pattern(pattern) => compile(pattern).map(|_| ()),
        }
    }

    /// The projections chosen in a base model, layer after layer in forward order.
    ///
    /// # Errors
    /// When nothing is chosen, when a name chooses nothing, or when a pattern also chooses a module that can't be adapted.
    pub fn select(&self, base: &Config) -> Result<Vec<(usize, Projection)>, PeftError> {
        let modules = (0..base.num_hidden_layers)
            .flat_map(|layer| Projection::ALL.map(|projection| (layer, projection)));
        let selected: Vec<_> = match self {
            Self::AllLinear => modules.collect(),
            Self::Names(names) => {
                let modules: Vec<_> = modules.collect();
                refuse_idle_names(names, &modules)?;
                modules
                    .into_iter()
                    .filter(|(layer, projection)| {
                        let path = projection.module_path(*layer);
                        names.iter().any(|name| names_module(name, &path))
                    })
                    .collect()
            }
            Self::Pattern(pattern) => {
                let regex = compile(pattern)?;
                if let Some(module) = NOT_ADAPTABLE.iter().find(|module| regex.is_match(module)) {
                    return Err(idle(&format!("also matches {module}, which can't be adapted")));
                }
                modules
                    .filter(|(layer, projection)| regex.is_match(&projection.module_path(*layer)))
                    .collect()
            }
        };
        if selected.is_empty() {
            return Err(idle("matches no linear module of the base model"));
        }
        Ok(selected)
    }
}

/// PEFT's rule for an entry of the list.
fn names_module(name: &str, path: &str) -> bool {
    path.strip_suffix(name).is_some_and(|head| !name.is_empty() && (head.is_empty() || head.ends_with('.')))
}

/// A name that chooses nothing was meant for another model: PEFT skips it, and would then train or serve less than was asked for.
fn refuse_idle_names(names: &[String], modules: &[(usize, Projection)]) -> Result<(), PeftError> {
    for name in names {
        let used =
            modules.iter().any(|(layer, projection)| names_module(name, &projection.module_path(*layer)));
        if !used {
            return Err(idle(&format!("{name:?} matches no linear module of the base model")));
        }
    }
    Ok(())
}

fn idle(problem: &str) -> PeftError {
    let known = Projection::ALL.map(Projection::name).join(", ");
    PeftError::field(FIELD, format!("{problem}; adaptable are {known}"))
}

fn compile(pattern: &str) -> Result<Regex, PeftError> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(PeftError::field(FIELD, format!("is a pattern of more than {MAX_PATTERN_BYTES} bytes")));
    }
    let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_PATTERN_MEMORY).build();
    // On its own first: "a)|(b" must not become valid by the parentheses put around it.
    build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z"))).map_err(|error| {
        PeftError::field(FIELD, format!("is not a pattern that can be used; give a list of names ({error})"))
    })
}

#[cfg(test)]
mod tests;
