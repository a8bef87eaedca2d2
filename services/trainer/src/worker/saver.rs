//! Saves training states beside the training, at most one at a time, and tells of each once it is durable.

use std::sync::Arc;

use parking_lot::Mutex;
use rootstock_client::{ArtifactDraft, CheckpointClient, Clients, Kind};
use rootstock_proto::training::v1::{self as proto, training_event::Event};
use tokio::{runtime::Handle, task::JoinHandle};
use tracing::Instrument;

use super::{
    fault::Fault, prepare::Origin, reporter::Reporter, snapshot::Snapshot, train::Finished, upload::upload,
};

/// Saves states; used from the compute thread.
pub(super) struct Saver {
    runtime: Handle,
    save: Arc<Save>,
    in_flight: Mutex<Option<JoinHandle<Result<(), Fault>>>>,
    newest: Arc<Mutex<Option<String>>>,
}

struct Save {
    client: CheckpointClient,
    reporter: Reporter,
    base_digest: String,
    tokenizer_digest: String,
}

impl Saver {
    /// Must be called within the runtime that the states are to be saved by.
    pub(super) fn start(clients: &Clients, origin: &Origin, reporter: Reporter) -> Self {
        let save = Save {
            client: clients.checkpoint(),
            reporter,
            base_digest: origin.base_digest.clone(),
            tokenizer_digest: origin.tokenizer_digest.clone(),
        };
        let (save, newest) = (Arc::new(save), Arc::default());
        Self { runtime: Handle::current(), save, in_flight: Mutex::new(None), newest }
    }

    /// Takes a snapshot as soon as the one before is saved, and saves it while training goes on.
    pub(super) fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault> {
        self.settle()?;
        let (save, snapshot) = (Arc::clone(&self.save), snapshot()?);
        let newest = Arc::clone(&self.newest);
        let task = async move {
            let digest = save.save(snapshot).await?;
            *newest.lock() = Some(digest);
            Ok(())
        };
        let task = self.runtime.spawn(task.in_current_span());
        *self.in_flight.lock() = Some(task);
        Ok(())
    }

    /// Saves the state that a finished run has not saved, and waits until it is durable.
    pub(super) fn keep(&self, finished: &Finished) -> Result<(), Fault> {
        if let Some(snapshot) = finished.unsaved() {
            self.save(|| snapshot)?;
        }
        self.settle()
    }

    /// The newest state that is durable.
    pub(super) fn newest(&self) -> Option<String> {
        self.newest.lock().clone()
    }

    /// Waits until nothing is being saved.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        let Some(task) = self.in_flight.lock().take() else { return Ok(()) };
        let done = self.runtime.block_on(task);
        done.unwrap_or_else(|error| Err(Fault::passing("saving a state ended", error)))
    }
}

impl Save {
    async fn save(&self, snapshot: Snapshot) -> Result<String, Fault> {
        let (step, chain_digest) = (snapshot.state.step, snapshot.state.chain.digest());
        let mut draft = ArtifactDraft::new(Kind::TrainingState);
        draft.base_digest.clone_from(&self.base_digest);
        draft.tokenizer_digest.clone_from(&self.tokenizer_digest);
        draft.files = snapshot.files()?;
        let digest = upload(&self.client, "a training state", draft).await?;
        tracing::info!(step, digest, "training state saved");
        let event = proto::TrainingStateSaved { step: step as i64, digest: digest.clone(), chain_digest };
        self.reporter.event(Event::StateSaved(event)).await?;
        Ok(digest)
    }
}
