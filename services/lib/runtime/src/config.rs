//! Layered configuration: defaults, then a TOML file, then the environment, then flags; unknown keys are refused.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use node::{Node, NodeError};

pub mod units;

mod nearest;
mod node;

/// What every environment variable of the configuration begins with.
pub const ENV_PREFIX: &str = "ROOTSTOCK_";

/// `ROOTSTOCK_<SECTION>_ENDPOINT` tells clients where a service is; it is no key of the service's own section.
const CLIENTS_ENV_KEY: &str = "endpoint";

/// What separates the levels of a nested key in a variable's name: `ROOTSTOCK_SERVER_LIMITS__CALLS`.
const ENV_LEVEL: &str = "__";

/// What a secret prints as.
const HIDDEN: &str = "[hidden]";

/// Where settings come from, the later winning over the earlier. Defaults are the config type's own:
/// `#[serde(default)]` over its `Default`.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A TOML file with one table per section.
    pub file: Option<PathBuf>,
    /// Environment variables; only `ROOTSTOCK_<SECTION>_<KEY>` are looked at.
    pub env: Vec<(String, String)>,
    /// Flags, as `section.key` and value.
    pub overrides: Vec<(String, String)>,
}

impl Sources {
    /// A file, if any, and this process's environment.
    pub fn from_process(file: Option<PathBuf>) -> Self {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        let env = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
        Self { file, env, overrides: Vec::new() }
    }

    /// Adds a flag; it wins over file and environment.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.overrides.push((key.into(), value.to_string()));
        self
    }

    /// Refuses a file with a table that no part of the process reads.
    ///
    /// # Errors
    /// The file can't be read, or it has a section that isn't among `known`.
    pub fn check_sections(&self, known: &[&str]) -> Result<(), ConfigError> {
        let Some(path) = &self.file else { return Ok(()) };
        match read(path)?.keys().find(|section| !known.contains(&section.as_str())) {
            None => Ok(()),
            Some(section) => Err(ConfigError::UnknownSection {
                path: path.clone(),
                section: section.clone(),
                hint: nearest::hint(section, known),
            }),
        }
    }
}

/// Why a configuration is refused; each message names the key and where it was set.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("config file {} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("config file {} is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        source: Box<toml::de::Error>,
    },
    /// The file has a table that nothing reads.
    #[error("config file {}: unknown section [{section}]{hint}", path.display())]
    UnknownSection {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
        /// The nearest known one, or all.
        hint: String,
    },
    /// A key that nothing reads.
    #[error("{origin}: unknown key {key}{hint}")]
    UnknownKey {
        /// Where it was set.
        origin: String,
        /// The key, with its section.
        key: String,
        /// The nearest known one, or all.
        hint: String,
    },
    /// A key with a value that can't be.
    #[error("{origin}: {key}: {message}")]
    Invalid {
        /// Where it was set.
        origin: String,
        /// The key, with its section.
        key: String,
        /// What is wrong with the value.
        message: String,
    },
}

/// Reads one section.
///
/// # Errors
/// The file can't be read, a key is unknown, or a value is wrong; the message names the key and its origin.
pub fn load<T: DeserializeOwned>(section: &str, sources: &Sources) -> Result<T, ConfigError> {
    let mut root = Node::empty(section, "defaults");
    if let Some(path) = &sources.file
        && let Some(value) = read(path)?.remove(section)
    {
        root.merge(Node::from_toml(section, &format!("config file {}", path.display()), value));
    }
    let prefix = format!("{ENV_PREFIX}{}_", section.to_ascii_uppercase());
    for (name, value) in &sources.env {
        let key = name.strip_prefix(&prefix).map(str::to_ascii_lowercase);
        if let Some(key) = key.filter(|key| key != CLIENTS_ENV_KEY) {
            root.set(key.split(ENV_LEVEL), &format!("environment variable {name}"), value);
        }
    }
    for (key, value) in &sources.overrides {
        if let Some(rest) = key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
            root.set(rest.split('.'), &format!("flag for {key}"), value);
        }
    }
    T::deserialize(root).map_err(|error| match error {
        NodeError::Unknown { origin, key, hint } => ConfigError::UnknownKey { origin, key, hint },
        NodeError::Invalid { at, message } => {
            let (key, origin) = at.unwrap_or_else(|| (section.to_owned(), "configuration".to_owned()));
            ConfigError::Invalid { origin, key, message }
        }
    })
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })
}

/// A section as TOML, secrets hidden: what `--print-config` and the first line of the log show.
///
/// # Errors
/// The type has a value that TOML can't hold.
pub fn print<T: Serialize>(section: &str, config: &T) -> Result<String, toml::ser::Error> {
    toml::to_string(&std::collections::BTreeMap::from([(section, config)]))
}

/// A value that never shows in logs or printed configuration.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; it must not be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}
