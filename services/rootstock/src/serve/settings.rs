//! The configuration of a whole process: one section for each part.
use rootstock_runtime::config::{self, Sources};
use rootstock_runtime::{ConfigError, ServerConfig, TelemetryConfig};

use super::ServeError;

/// The sections that a file may have.
const SECTIONS: [&str; 6] = ["server", "telemetry", "checkpoint", "tokenizer", "trainer", "inference"];

/// Every setting of a process.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where it listens and what it allows.
    pub server: ServerConfig,
    /// What it logs, and where it sends traces.
    pub telemetry: TelemetryConfig,
    /// The checkpoint service.
    pub checkpoint: rootstock_checkpoint::Config,
    /// The tokenization service.
    pub tokenizer: rootstock_tokenizer::Config,
    /// The training service.
    pub trainer: rootstock_trainer::Config,
    /// The inference service.
    pub inference: rootstock_inference::Config,
}

impl Settings {
    /// Defaults, then the file, then the environment, then flags.
    ///
    /// # Errors
    /// When the file can't be read, or a key is unknown or wrong; the message names the key and where it was set.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        sources.check_sections(&SECTIONS)?;
        Ok(Self {
            server: config::load("server", sources)?,
            telemetry: config::load("telemetry", sources)?,
            checkpoint: config::load("checkpoint", sources)?,
            tokenizer: config::load("tokenizer", sources)?,
            trainer: config::load("trainer", sources)?,
            inference: config::load("inference", sources)?,
        })
    }

    /// The configuration as a file that gives the same, secrets hidden.
    ///
    /// # Errors
    /// When a value can't be written as TOML.
    pub fn print(&self) -> Result<String, ServeError> {
        let failed = |error| ServeError::Print(Box::new(error));
        let sections = [
            config::print("server", &self.server).map_err(failed)?,
            config::print("telemetry", &self.telemetry).map_err(failed)?,
            config::print("checkpoint", &self.checkpoint).map_err(failed)?,
            config::print("tokenizer", &self.tokenizer).map_err(failed)?,
            config::print("trainer", &self.trainer).map_err(failed)?,
            config::print("inference", &self.inference).map_err(failed)?,
        ];
        Ok(sections.join("\n").trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_loads_as_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut settings = Settings::default();
        settings.trainer.workers = 3;
        settings.server.listen = "127.0.0.1:9".parse().unwrap();
        let printed = settings.print().unwrap();
        std::fs::write(file.path(), &printed).unwrap();
        let sources = Sources { file: Some(file.path().into()), ..Sources::default() };
        let loaded = Settings::load(&sources).unwrap();
        assert_eq!(loaded.print().unwrap(), printed);
        assert_eq!(loaded.trainer.workers, 3);
    }

    #[test]
    fn a_mistyped_section_or_key_is_refused_with_the_nearest_one() {
        let refusal = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let sources = Sources { file: Some(file.path().into()), ..Sources::default() };
            Settings::load(&sources).unwrap_err().to_string()
        };
        assert!(refusal("[trainr]\n").contains("did you mean trainer?"));
        assert!(refusal("[trainer]\nworkerz = 1\n").contains("did you mean workers?"));
    }
}
