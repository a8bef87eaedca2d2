//! Streams of events: plain ones that end with the call, and watches that resume after a cut.
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use crate::{ClientError, backoff};

/// A stream of a server's messages. It ends after the first error.
pub type EventStream<T> = Pin<Box<dyn Stream<Item = Result<T, ClientError>> + Send>>;

/// A stream that is not resumed.
pub(crate) fn plain<T: Send + 'static>(streaming: Streaming<T>) -> EventStream<T> {
    streaming.map_err(ClientError::from).boxed()
}

/// What it means that the server ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is nothing more to come.
    Final,
    /// The stream has no end, so it was a cut.
    Cut,
}

/// How to open a watch, and how to go on after a cut.
pub(crate) struct Watch<O, I> {
    /// Opens the stream after an event.
    pub(crate) open: O,
    /// The id of an event.
    pub(crate) event_id: I,
    /// Go on after this event.
    pub(crate) after: i64,
    /// What the end means.
    pub(crate) end: End,
    /// How long the server may be away.
    pub(crate) max_outage: Duration,
}

struct Watching<T, O, I> {
    watch: Watch<O, I>,
    streaming: Option<Streaming<T>>,
    failures: u32,
    cut_at: Option<Instant>,
    ended: bool,
}

/// A stream that opens again after the last event seen when the connection breaks.
pub(crate) fn resuming<T, O, I, Fut>(watch: Watch<O, I>) -> EventStream<T>
where
    T: Send + 'static,
    O: Fn(i64) -> Fut + Send + 'static,
    I: Fn(&T) -> i64 + Send + 'static,
    Fut: Future<Output = Result<Streaming<T>, Status>> + Send,
{
    let state = Watching { watch, streaming: None, failures: 0, cut_at: None, ended: false };
    stream::unfold(state, |mut state| async {
        if state.ended {
            return None;
        }
        let item = state.next().await?;
        state.ended = item.is_err();
        Some((item, state))
    })
    .boxed()
}

impl<T, O, I, Fut> Watching<T, O, I>
where
    O: Fn(i64) -> Fut,
    I: Fn(&T) -> i64,
    Fut: Future<Output = Result<Streaming<T>, Status>>,
{
    async fn next(&mut self) -> Option<Result<T, ClientError>> {
        loop {
            let error = match self.step().await {
                Ok(Some(message)) => {
                    self.watch.after = self.watch.after.max((self.watch.event_id)(&message));
                    (self.failures, self.cut_at) = (0, None);
                    return Some(Ok(message));
                }
                Ok(None) if self.watch.end == End::Final => return None,
                Ok(None) => ClientError::plain(tonic::Code::Unavailable, "the server ended the watch"),
                Err(status) => ClientError::from(status),
            };
            self.streaming = None;
            self.failures += 1;
            let cut_at = *self.cut_at.get_or_insert_with(Instant::now);
            if !error.is_transient() || cut_at.elapsed() > self.watch.max_outage {
                return Some(Err(error));
            }
            tracing::debug!(%error, after = self.watch.after, "the watch was cut; going on");
            tokio::time::sleep(backoff::delay(self.failures, error.retry_after)).await;
        }
    }

    async fn step(&mut self) -> Result<Option<T>, Status> {
        if self.streaming.is_none() {
            self.streaming = Some((self.watch.open)(self.watch.after).await?);
        }
        match &mut self.streaming {
            Some(streaming) => streaming.message().await,
            None => Ok(None),
        }
    }
}
