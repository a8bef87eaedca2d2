//! Layers of configuration, and what happens to keys that nobody reads.

use std::path::PathBuf;
use std::time::Duration;

use rootstock_runtime::config::units::{bytes, duration};
use rootstock_runtime::config::{load, print};
use rootstock_runtime::{Secret, ServerConfig, Sources, TelemetryConfig};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    max_models: usize,
    temperature: f64,
    models: Vec<String>,
    #[serde(with = "duration")]
    patience: Duration,
    #[serde(with = "bytes")]
    cache: u64,
    token: Secret,
    executor: Executor,
    limits: Limits,
    note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Executor {
    Process,
    Inline,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Limits {
    prompt: u32,
    answer: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_models: 1,
            temperature: 1.0,
            models: Vec::new(),
            patience: Duration::from_secs(30),
            cache: 1 << 30,
            token: Secret::default(),
            executor: Executor::Process,
            limits: Limits { prompt: 10, answer: 20 },
            note: None,
        }
    }
}

fn sources(dir: &TempDir, file: &str, env: &[(&str, &str)]) -> Sources {
    let path: PathBuf = dir.path().join("rootstock.toml");
    std::fs::write(&path, file).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { file: Some(path), env, overrides: Vec::new() }
}

fn refused(file: &str, env: &[(&str, &str)]) -> String {
    let dir = TempDir::new().unwrap();
    load::<Config>("inference", &sources(&dir, file, env)).unwrap_err().to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let dir = TempDir::new().unwrap();
    let file = "[inference]\nmax_models = 2\ntemperature = 0.5\npatience = \"2m\"\n[inference.limits]\nprompt = 11\n";
    let env = [
        ("ROOTSTOCK_INFERENCE_TEMPERATURE", "0.25"),
        ("ROOTSTOCK_INFERENCE_MODELS", "baseModels/a, baseModels/b"),
        ("ROOTSTOCK_INFERENCE_CACHE", "512MiB"),
        ("ROOTSTOCK_INFERENCE_EXECUTOR", "inline"),
        ("ROOTSTOCK_INFERENCE_LIMITS__ANSWER", "21"),
        ("ROOTSTOCK_INFERENCE_NOTE", "17"),
        ("PATH", "/bin"),
    ];
    let sources = sources(&dir, file, &env).with("inference.max_models", 3).with("server.listen", "[::1]:1");
    let config: Config = load("inference", &sources).unwrap();
    let expected = Config {
        max_models: 3,
        temperature: 0.25,
        models: vec!["baseModels/a".to_owned(), "baseModels/b".to_owned()],
        patience: Duration::from_secs(120),
        cache: 512 << 20,
        executor: Executor::Inline,
        limits: Limits { prompt: 11, answer: 21 },
        note: Some("17".to_owned()),
        ..Config::default()
    };
    assert_eq!(config, expected);
    assert_eq!(load::<Config>("trainer", &sources).unwrap(), Config::default(), "other sections don't leak");
}

#[test]
fn an_unknown_key_is_refused_with_its_origin_and_the_nearest_known_one() {
    let message = refused("[inference]\nmax_model = 2\n", &[]);
    assert!(message.contains("rootstock.toml"), "{message}");
    assert!(message.ends_with("unknown key inference.max_model; did you mean max_models?"), "{message}");
    let message = refused("", &[("ROOTSTOCK_INFERENCE_LIMITS__PROMTP", "1")]);
    let expected = "environment variable ROOTSTOCK_INFERENCE_LIMITS__PROMTP: unknown key inference.limits.promtp; \
                    did you mean prompt?";
    assert_eq!(message, expected);
}

#[test]
fn a_wrong_value_is_refused_with_its_key_and_origin() {
    let message = refused("[inference.limits]\nprompt = \"many\"\n", &[]);
    assert!(message.contains("inference.limits.prompt: invalid type: string \"many\""), "{message}");
    let message = refused("", &[("ROOTSTOCK_INFERENCE_MAX_MODELS", "-1")]);
    assert!(message.starts_with("environment variable ROOTSTOCK_INFERENCE_MAX_MODELS: inference.max_models"));
    let message = refused("[inference]\npatience = \"soon\"\n", &[]);
    assert!(message.contains("inference.patience: \"soon\" is no duration"), "{message}");
    let message = refused("[inference]\nexecutor = \"kubernets\"\n", &[]);
    assert!(message.contains("inference.executor: unknown variant `kubernets`"), "{message}");
    assert!(refused("[inference\n", &[]).contains("is not valid TOML"));
}

#[test]
fn a_section_that_nothing_reads_is_refused() {
    let dir = TempDir::new().unwrap();
    let sources = sources(&dir, "[infernece]\nmax_models = 2\n", &[]);
    let message = sources.check_sections(&["inference", "server"]).unwrap_err().to_string();
    assert!(message.ends_with("unknown section [infernece]; did you mean inference?"), "{message}");
}

#[test]
fn where_clients_find_a_service_is_no_key_of_that_service() {
    let dir = TempDir::new().unwrap();
    let env = [("ROOTSTOCK_INFERENCE_ENDPOINT", "http://127.0.0.1:7400")];
    assert_eq!(load::<Config>("inference", &sources(&dir, "", &env)).unwrap(), Config::default());
}

#[test]
fn secrets_are_read_but_never_shown() {
    let dir = TempDir::new().unwrap();
    let env = [("ROOTSTOCK_INFERENCE_TOKEN", "hunter2")];
    let config: Config = load("inference", &sources(&dir, "", &env)).unwrap();
    assert_eq!(config.token.expose(), "hunter2");
    let printed = print("inference", &config).unwrap();
    assert!(!printed.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{printed}");
    assert!(printed.contains("patience = \"30s\"") && printed.contains("cache = \"1GiB\""), "{printed}");
}

#[test]
fn what_is_printed_can_be_read_back() {
    let dir = TempDir::new().unwrap();
    let server =
        ServerConfig { max_connection_age: Some(Duration::from_secs(1800)), ..ServerConfig::default() };
    let telemetry = TelemetryConfig::default();
    let file = print("server", &server).unwrap() + &print("telemetry", &telemetry).unwrap();
    let sources = sources(&dir, &file, &[]);
    assert_eq!(load::<ServerConfig>("server", &sources).unwrap(), server);
    assert_eq!(load::<TelemetryConfig>("telemetry", &sources).unwrap(), telemetry);
}
