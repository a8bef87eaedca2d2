//! Stores an artifact, however long the checkpoint service takes to answer again within reason.

use std::time::Duration;

use rootstock_client::{ArtifactDraft, CheckpointClient, Progress};

use super::fault::Fault;

/// Tries before the worker gives up, on top of those that the client makes by itself.
const TRIES: u32 = 8;
/// Pause after the first failed try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// Stores an artifact and returns its digest.
pub(super) async fn upload(
    client: &CheckpointClient,
    what: &str,
    draft: ArtifactDraft,
) -> Result<String, Fault> {
    let mut tried = 0;
    loop {
        let stored = client.upload_artifact(draft.clone(), &Progress::none()).await;
        tried += 1;
        match stored.map_err(|error| Fault::remote(what, &error)) {
            Ok(artifact) => return Ok(artifact.digest),
            Err(Fault::Passing(reason)) if tried < TRIES => {
                tracing::warn!(what, reason, "could not be stored; trying again");
                tokio::time::sleep(PAUSE * 2_u32.pow(tried - 1)).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}
