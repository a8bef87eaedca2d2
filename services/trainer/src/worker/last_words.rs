//! What a worker that gives up says to the supervisor that started it: the training service may be out of its reach, and a job whose
//! workers all fail should say why. A worker that is killed has no last words.

use std::{fmt::Display, io::Write, time::Duration};

use tokio::{io::AsyncReadExt, process::Child, time::timeout};

/// Bytes that are said at most, and listened to: fewer than a pipe holds, so that nobody waits.
const MOST: usize = 4 << 10;
/// How long to listen to a process that has ended: one that it started may hold its output open.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says why this process gives up, on its standard output, which belongs to the supervisor.
pub fn say(error: &impl Display) {
    let mut words = error.to_string();
    words.truncate(words.floor_char_boundary(MOST));
    // Nobody may listen any more.
    let _ = std::io::stdout().write_all(words.as_bytes());
}

/// What a worker has said that has ended.
pub(crate) async fn hear(worker: &mut Child) -> String {
    let Some(output) = worker.stdout.take() else { return String::new() };
    let mut words = Vec::new();
    // What was heard until then is kept.
    let _ = timeout(PATIENCE, output.take(MOST as u64).read_to_end(&mut words)).await;
    String::from_utf8_lossy(&words).trim().to_owned()
}
