//! A JSON object whose entries stay in their order: of several patterns, the first that matches counts.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::PeftError;

/// Entries in order. A key that occurs twice has its first place and its last value, as in Python.
#[derive(Debug, Default)]
pub(super) struct Ordered(pub(super) Vec<(String, Value)>);

impl Ordered {
    /// The object that is a field of the object in `bytes`.
    pub(super) fn of(bytes: &[u8], field: &str) -> Result<Self, PeftError> {
        #[derive(Deserialize)]
        struct Patterns {
            rank_pattern: Option<Ordered>,
            alpha_pattern: Option<Ordered>,
        }
        let patterns: Patterns =
            serde_json::from_slice(bytes).map_err(|error| PeftError::Json(error.to_string()))?;
        let entries = if field == "rank_pattern" { patterns.rank_pattern } else { patterns.alpha_pattern };
        Ok(entries.unwrap_or_default())
    }
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Ordered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => entries.push((key, value)),
            }
        }
        Ok(Ordered(entries))
    }
}
