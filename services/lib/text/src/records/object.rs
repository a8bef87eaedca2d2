//! A record in JSON: an object and nothing else. What serde derives for a struct would take a list of its fields' values too.
use std::fmt::{Formatter, Result as Written};
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

/// Reads an object.
///
/// # Errors
/// JSON that is none, or not that of a record.
pub(super) fn object<Raw: DeserializeOwned>(text: &str) -> serde_json::Result<Raw> {
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = json.deserialize_map(Object(PhantomData))?;
    json.end()?;
    Ok(raw)
}

struct Object<Raw>(PhantomData<Raw>);

impl<'de, Raw: DeserializeOwned> Visitor<'de> for Object<Raw> {
    type Value = Raw;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> Written {
        formatter.write_str("an object of named fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Raw, A::Error> {
        Raw::deserialize(MapAccessDeserializer::new(fields))
    }
}
