//! A watch over aliases: the present records, a sign that these were all, and then each move.
use std::collections::VecDeque;

use rootstock_artifacts::Kind;
use tokio::sync::watch;

use crate::catalog::{Catalog, EventRange};
use crate::{AliasEvent, Error};

/// Moves read from the catalog at a time: all that a watch keeps in memory.
const READ_AHEAD: usize = 64;

/// What a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WatchMessage {
    /// A record or a move.
    Event(Box<AliasEvent>),
    /// All up to this event has been told.
    Synced(i64),
}

/// Where a watch stands: `present records -> moves since they were read -> live`.
///
/// The present records come in the order of their last moves, so that whoever is cut in between resumes after the last
/// one seen and gets the others as moves. A record that moves meanwhile drops out of the present ones and comes with
/// the moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Present { upto: i64 },
    CatchUp { upto: i64 },
    Live,
}

/// A watch. It reads the log of moves at the pace of whoever asks it for messages, so a slow reader costs nothing and
/// misses nothing.
#[derive(Debug)]
pub(crate) struct Watcher<C> {
    catalog: C,
    moved: watch::Receiver<i64>,
    kind: Option<Kind>,
    phase: Phase,
    at: i64,
    ready: VecDeque<WatchMessage>,
}

impl<C: Catalog> Watcher<C> {
    /// A watch after an event, or with 0 from the present records on.
    pub(crate) async fn new(
        catalog: C,
        moved: watch::Receiver<i64>,
        kind: Option<Kind>,
        after: i64,
    ) -> Result<Self, Error> {
        let upto = catalog.last_event().await?;
        if !(0..=upto).contains(&after) {
            let problem = format!("must be an event of this store, whose last is {upto}; begin again with 0");
            return Err(Error::field("after_event_id", problem));
        }
        let phase = if after == 0 { Phase::Present { upto } } else { Phase::CatchUp { upto } };
        Ok(Self { catalog, moved, kind, phase, at: after, ready: VecDeque::new() })
    }

    /// The next message; `None` when the store closes.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchMessage>, Error> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.phase {
                Phase::Present { upto } => {
                    if !self.read(upto, true).await? {
                        self.at = upto;
                        self.phase = Phase::CatchUp { upto: self.catalog.last_event().await? };
                    }
                }
                Phase::CatchUp { upto } => {
                    if !self.read(upto, false).await? {
                        self.at = self.at.max(upto);
                        self.ready.push_back(WatchMessage::Synced(self.at));
                        self.phase = Phase::Live;
                    }
                }
                Phase::Live => {
                    // Marked as seen before the read, so that a move after the read wakes the wait.
                    self.moved.borrow_and_update();
                    if !self.read(i64::MAX, false).await? && self.moved.changed().await.is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads the next moves; says whether there were any.
    async fn read(&mut self, upto: i64, last_only: bool) -> Result<bool, Error> {
        let range = EventRange { kind: self.kind, after: self.at, upto, last_only };
        let events = self.catalog.events(range, READ_AHEAD).await?;
        if let Some(last) = events.last() {
            self.at = last.event_id;
        }
        let found = !events.is_empty();
        self.ready.extend(events.into_iter().map(|event| WatchMessage::Event(Box::new(event))));
        Ok(found)
    }
}
