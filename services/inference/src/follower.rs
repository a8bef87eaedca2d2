//! What a running request hears of its alias: that it has moved on, and what the request is to do about it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use rootstock_artifacts::Digest;

use crate::{
    adapters::Version,
    error::Error,
    store::{Alias, Running},
};

/// One request's ear at its alias. Moves are told under the lock of the alias table, under which it was made: it hears of
/// every move after the record that it was made from.
#[derive(Debug)]
pub(crate) struct Follower {
    key: String,
    base: Option<Digest>,
    /// Whether the request can go on with another version.
    switches: bool,
    state: Mutex<State>,
    /// Whether a step has to look at the news.
    has_news: AtomicBool,
}

#[derive(Debug)]
struct State {
    bound: Bound,
    news: News,
}

/// What a request computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) digest: Digest,
    pub(crate) generation: i64,
    pub(crate) canary: bool,
}

#[derive(Debug)]
enum News {
    None,
    /// Go on with this once somebody has loaded it.
    Awaits(Bound),
    /// Go on with this.
    Loaded(Bound, Arc<Version>),
    Replaced(Error),
}

impl Follower {
    /// A follower of what the record gives to a key, for a request that can go on with another version or can't.
    pub(crate) fn new(record: &Alias, key: String, switches: bool) -> Self {
        let state = State { bound: bound(record, &key), news: News::None };
        Self { key, base: record.base, switches, state: Mutex::new(state), has_news: AtomicBool::new(false) }
    }

    /// What the request is bound to now.
    pub(crate) fn bound(&self) -> Bound {
        self.state.lock().bound
    }

    /// Takes note of a move. A version that the alias still stands for is gone on with.
    pub(crate) fn moved(&self, record: &Alias) {
        let next = bound(record, &self.key);
        let mut state = self.state.lock();
        if record.retired || matches!(state.news, News::Replaced(_)) {
            return;
        }
        state.news = match record.running {
            // Whatever it was to go on with, the alias has come back.
            _ if next.digest == state.bound.digest => News::None,
            Running::Finish => return,
            // Keys and values of another base are of no use.
            Running::Switch if record.base != self.base || !self.switches => return,
            Running::Switch => News::Awaits(next),
            Running::Abort => News::Replaced(Error::AdapterReplaced(format!(
                "{} was published anew as generation {}, and running requests were to end; ask again",
                record.name, record.generation
            ))),
        };
        self.has_news.store(matches!(state.news, News::Replaced(_)), Ordering::Release);
    }

    /// The version that it waits for.
    pub(crate) fn awaits(&self) -> Option<Digest> {
        match &self.state.lock().news {
            News::Awaits(next) => Some(next.digest),
            _ => None,
        }
    }

    /// Brings a version that was loaded.
    pub(crate) fn supply(&self, version: &Arc<Version>) {
        let mut state = self.state.lock();
        match state.news {
            News::Awaits(next) if next.digest == *version.digest() => {
                state.news = News::Loaded(next, Arc::clone(version));
                self.has_news.store(true, Ordering::Release);
            }
            _ => {}
        }
    }

    /// Why the request must end, if it must.
    pub(crate) fn replaced(&self) -> Option<Error> {
        if !self.has_news.load(Ordering::Acquire) {
            return None;
        }
        match &self.state.lock().news {
            News::Replaced(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// The version to go on with, if it is another one and can; from here on the request is bound to that.
    pub(crate) fn switch(&self, from: &Version) -> Option<(Bound, Arc<Version>)> {
        if !self.has_news.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state.lock();
        match std::mem::replace(&mut state.news, News::None) {
            News::Loaded(next, version) => {
                self.has_news.store(false, Ordering::Release);
                if !version.takes_over(from) {
                    return None;
                }
                state.bound = next;
                Some((next, version))
            }
            other => {
                state.news = other;
                None
            }
        }
    }
}

fn bound(record: &Alias, key: &str) -> Bound {
    let (digest, canary) = record.version_for(key);
    Bound { digest, generation: record.generation, canary }
}

#[cfg(test)]
mod tests;
