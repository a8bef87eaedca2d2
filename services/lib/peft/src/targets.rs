//! PEFT's `target_modules` and `exclude_modules`: names, a pattern, or a word for all.

use regex::Regex;
use rootstock_model::Projection;
use serde_json::{Value, json};

use crate::{
    PeftError,
    pattern::{names_module, whole},
};

/// Most names accepted in the list.
const MAX_NAMES: usize = 4096;
/// PEFT's word for every linear module but the output head.
const ALL_LINEAR: &str = "all-linear";
/// What the paths of the layers' modules begin with.
const LAYERS: &str = "model.layers.";

/// Modules of a base model, in the three forms PEFT knows.
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
    pub(crate) fn from_json(field: &str, value: &Value) -> Result<Self, PeftError> {
        let targets = match value {
            Value::String(text) if text.eq_ignore_ascii_case(ALL_LINEAR) => Self::AllLinear,
            Value::String(pattern) => Self::Pattern(pattern.clone()),
            Value::Array(items) => {
                let name = |item: &Value| item.as_str().map(str::to_owned);
                let names: Option<_> = items.iter().take(MAX_NAMES + 1).map(name).collect();
                Self::Names(names.ok_or_else(|| PeftError::field(field, "holds an entry that is not text"))?)
            }
            _ => {
                return Err(PeftError::field(field, "must be a list of names, a pattern, or \"all-linear\""));
            }
        };
        targets.validate(field)?;
        Ok(targets)
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Names(names) => json!(names),
            Self::Pattern(pattern) => json!(pattern),
            Self::AllLinear => json!(ALL_LINEAR),
        }
    }

    pub(crate) fn validate(&self, field: &str) -> Result<(), PeftError> {
        match self {
            Self::Names(names) if names.is_empty() => Err(PeftError::field(field, "is empty")),
            Self::Names(names) if names.len() > MAX_NAMES => {
                Err(PeftError::field(field, format!("has more than {MAX_NAMES} entries")))
            }
            Self::Names(_) | Self::AllLinear => Ok(()),
            Self::Pattern(pattern) => whole(field, pattern).map(|_| ()),
        }
    }

    pub(crate) fn matcher(&self, field: &str) -> Result<Matcher<'_>, PeftError> {
        Ok(match self {
            Self::Names(names) => Matcher::Names(names),
            Self::Pattern(pattern) => Matcher::Pattern(whole(field, pattern)?),
            Self::AllLinear => Matcher::AllLinear,
        })
    }
}

/// The same, ready to be asked.
pub(crate) enum Matcher<'a> {
    Names(&'a [String]),
    Pattern(Regex),
    AllLinear,
}

/// How a module was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    No,
    /// By the end of its path, which PEFT lets `layers_to_transform` narrow.
    ByEnding,
    Yes,
}

impl Matcher<'_> {
    pub(crate) fn chooses(&self, path: &str) -> Chosen {
        let chosen = match self {
            Self::Names(names) if names.iter().any(|name| name == path) => true,
            Self::Names(names) if names.iter().any(|name| names_module(name, path)) => {
                return Chosen::ByEnding;
            }
            Self::Names(_) => false,
            Self::Pattern(regex) => regex.is_match(path),
            Self::AllLinear => path.starts_with(LAYERS),
        };
        if chosen { Chosen::Yes } else { Chosen::No }
    }
}
