//! Waiting for something to become true, instead of sleeping and hoping.
use std::time::Duration;

use tokio::time::Instant;

/// How often it is looked.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `check` gives something.
///
/// # Panics
/// When it gave nothing for `timeout`.
pub async fn eventually<T, F, Fut>(timeout: Duration, what: &str, mut check: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {timeout:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}
