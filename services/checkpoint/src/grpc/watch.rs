//! The stream of WatchAliases.
use futures::stream;
use rootstock_proto::checkpoint::v1::{WatchAliasesRequest, WatchAliasesResponse};
use rootstock_runtime::status;
use tonic::Status;

use super::{Grpc, Responses};
use crate::Error;
use crate::catalog::Catalog;
use crate::convert;
use crate::watch::{WatchMessage, Watcher};

impl<C: Catalog> Grpc<C> {
    /// Begins a watch; the messages are read as fast as the client takes them.
    pub(super) async fn watch(
        &self,
        request: WatchAliasesRequest,
    ) -> Result<Responses<WatchAliasesResponse>, Error> {
        let kind = convert::prefix(&request.prefix)?;
        let watcher = self.store.watch_aliases(kind, request.after_event_id).await?;
        Ok(Box::pin(stream::try_unfold(watcher, next_message)))
    }
}

async fn next_message<C: Catalog>(
    mut watcher: Watcher<C>,
) -> Result<Option<(WatchAliasesResponse, Watcher<C>)>, Status> {
    let message = watcher.next().await.map_err(status)?;
    Ok(message.map(|message| (message.into(), watcher)))
}

impl From<WatchMessage> for WatchAliasesResponse {
    fn from(message: WatchMessage) -> Self {
        match message {
            WatchMessage::Event(event) => {
                Self { event_id: event.event_id, alias: Some(event.alias.into()), synced: false }
            }
            WatchMessage::Synced(event_id) => Self { event_id, alias: None, synced: true },
        }
    }
}
