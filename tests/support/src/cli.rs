//! The binary's verbs as a person or a script runs them.
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::server::without_settings;

/// What a verb printed and how it ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Its standard output, if it ended well.
    ///
    /// # Panics
    /// When it didn't.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The JSON of its last line, if it ended well.
    ///
    /// # Panics
    /// When it didn't, or printed none.
    #[track_caller]
    pub fn json(self) -> Value {
        let stdout = self.ok();
        let last = stdout.lines().last().expect("it printed something");
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
    }

    /// Its standard error, if it was refused with exit code 1 and printed no result.
    ///
    /// # Panics
    /// When it wasn't.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(self.stdout.is_empty(), "a refusal prints no result: {}", self.stdout);
        self.stderr
    }
}

/// Runs `binary args..` against a server.
///
/// # Panics
/// When the binary can't be started.
pub async fn rootstock(binary: &str, endpoint: &str, args: &[&str]) -> Outcome {
    run(binary, args, &[("ROOTSTOCK_ENDPOINT", endpoint)]).await
}

/// Runs `binary args..` with these variables.
///
/// # Panics
/// When the binary can't be started.
pub async fn run(binary: &str, args: &[&str], env: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(binary);
    without_settings(&mut command);
    command.args(args).envs(env.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("the binary can be started");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
