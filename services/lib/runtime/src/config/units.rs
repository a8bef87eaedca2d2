//! Units in the file as people write them: `"30s"` and `"512MiB"`, for use with `#[serde(with = "...")]`.

/// A [`Duration`](std::time::Duration) written like `"1m 30s"`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Parses the text.
    ///
    /// # Errors
    /// It is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

    /// Writes the text.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*value))
    }

    pub(super) fn parse(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text.trim())
            .map_err(|_| format!("{text:?} is no duration; write it like \"30s\" or \"2m\""))
    }
}

/// An optional [`Duration`](std::time::Duration); add `#[serde(default)]`.
pub mod optional_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Parses the text.
    ///
    /// # Errors
    /// It is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::duration::parse(&text).map_err(de::Error::custom)).transpose()
    }

    /// Writes the text.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// A number of bytes (`u64`) written like `"4MiB"` or `"1048576"`.
pub mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// The units, largest first; a number without one counts bytes.
    const UNITS: [(&str, u64); 5] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }

    /// Parses the text, or takes the number.
    ///
    /// # Errors
    /// It is no size.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Size::deserialize(deserializer)? {
            Size::Bytes(bytes) => Ok(bytes),
            Size::Text(text) => parse(&text).ok_or_else(|| {
                de::Error::custom(format!(
                    "{text:?} is no size in bytes; write it like \"512MiB\" or \"4GiB\""
                ))
            }),
        }
    }

    /// Writes the text, in the largest unit that divides it.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let (unit, size) =
            UNITS.into_iter().find(|(_, size)| *value > 0 && value.is_multiple_of(*size)).unwrap_or(("B", 1));
        serializer.collect_str(&format_args!("{}{unit}", value / size))
    }

    fn parse(text: &str) -> Option<u64> {
        let text = text.trim();
        let (number, size) = UNITS
            .into_iter()
            .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))
            .unwrap_or((text, 1));
        number.trim().parse::<u64>().ok()?.checked_mul(size)
    }
}
