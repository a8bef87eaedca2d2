//! The merged tree of settings and its deserializer, which knows where each value came from and reads text by type.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::nearest;

/// One value of the tree, with its key and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Node {
    key: String,
    origin: Arc<str>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    /// A typed value of the file.
    Typed(toml::Value),
    /// A value of the environment or of a flag; the type that is asked for decides what it means.
    Text(String),
}

/// Why the tree isn't the type that was asked for.
#[derive(Debug)]
pub(super) enum NodeError {
    /// A key the type hasn't.
    Unknown { origin: String, key: String, hint: String },
    /// A value the type can't take; `at` is key and origin, filled in on the way up.
    Invalid { at: Option<(String, String)>, message: String },
}

impl NodeError {
    fn at(self, key: &str, origin: &str) -> Self {
        match self {
            Self::Invalid { at: None, message } => {
                Self::Invalid { at: Some((key.to_owned(), origin.to_owned())), message }
            }
            placed => placed,
        }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, hint, .. } => write!(f, "unknown key {key}{hint}"),
            Self::Invalid { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for NodeError {}

impl de::Error for NodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Invalid { at: None, message: message.to_string() }
    }
}

impl Node {
    /// A table with nothing in it.
    pub(super) fn empty(key: &str, origin: &str) -> Self {
        Self { key: key.to_owned(), origin: origin.into(), value: Value::Table(BTreeMap::new()) }
    }

    /// The tree of a parsed file.
    pub(super) fn from_toml(key: &str, origin: &str, value: toml::Value) -> Self {
        let value = match value {
            toml::Value::Table(table) => {
                let child = |(name, value)| {
                    let node = Self::from_toml(&format!("{key}.{name}"), origin, value);
                    (name, node)
                };
                Value::Table(table.into_iter().map(child).collect())
            }
            toml::Value::Array(items) => {
                let child = |(i, value)| Self::from_toml(&format!("{key}[{i}]"), origin, value);
                Value::Array(items.into_iter().enumerate().map(child).collect())
            }
            leaf => Value::Typed(leaf),
        };
        Self { key: key.to_owned(), origin: origin.into(), value }
    }

    /// Lays `over` on top: tables merge key by key, anything else replaces.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over) {
            (Value::Table(table), Self { value: Value::Table(entries), .. }) => {
                for (name, node) in entries {
                    match table.get_mut(&name) {
                        Some(below) => below.merge(node),
                        None => drop(table.insert(name, node)),
                    }
                }
            }
            (_, over) => *self = over,
        }
    }

    /// Lays one text value on top, at a path of names.
    pub(super) fn set<'a>(&mut self, path: impl Iterator<Item = &'a str>, origin: &str, text: &str) {
        let names: Vec<&str> = path.collect();
        let mut key = format!("{}.{}", self.key, names.join("."));
        let mut node = Self { key: key.clone(), origin: origin.into(), value: Value::Text(text.to_owned()) };
        for name in names.into_iter().rev() {
            key.truncate(key.len() - name.len() - 1);
            let table = Value::Table(BTreeMap::from([(name.to_owned(), node)]));
            node = Self { key: key.clone(), origin: origin.into(), value: table };
        }
        self.merge(node);
    }

    fn refuse_unknown(&self, known: &[&str]) -> Result<(), NodeError> {
        let Value::Table(table) = &self.value else { return Ok(()) };
        match table.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, node)) => Err(NodeError::Unknown {
                origin: node.origin.to_string(),
                key: node.key.clone(),
                hint: nearest::hint(name, known),
            }),
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text.trim()),
            _ => None,
        }
    }
}

impl<'de> IntoDeserializer<'de, NodeError> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a table; an error in a value is placed at its key.
struct Entries {
    entries: std::collections::btree_map::IntoIter<String, Node>,
    next: Option<Node>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = NodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NodeError> {
        let Some((name, node)) = self.entries.next() else { return Ok(None) };
        self.next = Some(node);
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NodeError> {
        let node = self.next.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        let (key, origin) = (node.key.clone(), Arc::clone(&node.origin));
        seed.deserialize(node).map_err(|error| error.at(&key, &origin))
    }
}

/// Text is parsed as the number that is asked for; a typed value speaks for itself.
macro_rules! numbers {
    ($($method:ident: $parsed:ty => $visit:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
            match self.text() {
                Some(text) => match text.parse::<$parsed>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(de::Error::invalid_value(de::Unexpected::Str(text), &visitor)),
                },
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = NodeError;

    numbers! {
        deserialize_bool: bool => visit_bool,
        deserialize_i8: i64 => visit_i64,
        deserialize_i16: i64 => visit_i64,
        deserialize_i32: i64 => visit_i64,
        deserialize_i64: i64 => visit_i64,
        deserialize_u8: u64 => visit_u64,
        deserialize_u16: u64 => visit_u64,
        deserialize_u32: u64 => visit_u64,
        deserialize_u64: u64 => visit_u64,
        deserialize_f32: f64 => visit_f64,
        deserialize_f64: f64 => visit_f64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self.value {
            Value::Table(table) => visitor.visit_map(Entries { entries: table.into_iter(), next: None }),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Value::Text(text) => visitor.visit_string(text),
            Value::Typed(toml::Value::Boolean(value)) => visitor.visit_bool(value),
            Value::Typed(toml::Value::Integer(value)) => visitor.visit_i64(value),
            Value::Typed(toml::Value::Float(value)) => visitor.visit_f64(value),
            Value::Typed(toml::Value::String(value)) => visitor.visit_string(value),
            Value::Typed(other) => visitor.visit_string(other.to_string()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self.text() {
            Some("") => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        let Some(text) = self.text() else { return self.deserialize_any(visitor) };
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty()).enumerate();
        let item = |(i, item): (usize, &str)| Self {
            key: format!("{}[{i}]", self.key),
            origin: Arc::clone(&self.origin),
            value: Value::Text(item.to_owned()),
        };
        visitor.visit_seq(SeqDeserializer::new(items.map(item)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        self.refuse_unknown(fields)?;
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        match self.value {
            Value::Table(table) => visitor
                .visit_enum(de::value::MapAccessDeserializer::new(MapDeserializer::new(table.into_iter()))),
            _ => {
                let name = String::deserialize(self)?;
                visitor.visit_enum(name.into_deserializer())
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier
    }
}
