//! JSON that is checked for its form without being kept.
use std::fmt;
use std::io::BufReader;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::AdmissionError;
use super::source::Source;
use super::utf8::Utf8Reader;

/// A JSON object of any content, of which nothing is kept.
#[derive(Debug)]
pub(super) struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = AnyObject;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyObject, A::Error> {
                while map.next_entry::<String, IgnoredAny>()?.is_some() {}
                Ok(AnyObject)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Checks that a file is one JSON object.
pub(super) fn check_object(source: Source) -> Result<(), AdmissionError> {
    let name = source.name.clone();
    let mut reader = Utf8Reader::new(source);
    let parsed = serde_json::from_reader::<_, AnyObject>(BufReader::new(&mut reader));
    match (parsed, reader.wrong()) {
        (Ok(AnyObject), _) => Ok(()),
        (Err(_), Some(at)) => Err(AdmissionError::file(&name, format!("is not UTF-8 at byte {at}"))),
        (Err(error), None) if error.is_io() => Err(AdmissionError::read(&name, error.into())),
        (Err(error), None) => Err(AdmissionError::file(&name, format!("must be a JSON object: {error}"))),
    }
}
