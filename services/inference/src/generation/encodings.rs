//! Turning prompts into tokens, off the async runtime.

use rootstock_runtime::Tasks;

use crate::{error::Error, turns::Turns};

/// Bytes of text from which on it waits for its turn: to be tokenized it takes a hundred times as much memory as it has bytes.
const LONG: usize = 64 << 10;
/// How many such texts are tokenized at once.
const LONG_AT_ONCE: usize = 2;

/// Encodes texts for calls; clones share the turns.
#[derive(Clone, Debug)]
pub(super) struct Encodings {
    tasks: Tasks,
    long: Turns,
}

impl Encodings {
    pub(super) fn new(tasks: &Tasks) -> Self {
        Self { tasks: tasks.clone(), long: Turns::new(tasks.clone(), LONG_AT_ONCE, "long prompts") }
    }

    /// What becomes of so many bytes of text. Short ones never wait for long ones.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if bytes < LONG {
            return self.tasks.spawn_blocking("inference-encode", work).await?;
        }
        self.long.run(move |turn| turn.check().and_then(|()| work())).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use rootstock_runtime::{ErrorReason, Shutdown};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{tests::eventually, turns::MAX_WAITING};

    #[tokio::test(flavor = "multi_thread")]
    async fn long_texts_take_turns_and_a_short_one_passes_them() {
        let encodings = Encodings::new(&Tasks::new(Shutdown::new()));
        let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let long = || {
            let (encodings, gate, begun) = (encodings.clone(), Arc::clone(&gate), Arc::clone(&begun));
            let runtime = tokio::runtime::Handle::current();
            let work = move || {
                begun.fetch_add(1, Ordering::SeqCst);
                runtime.block_on(gate.acquire()).unwrap().forget();
                Ok(())
            };
            tokio::spawn(async move { encodings.run(LONG, work).await })
        };
        let calls: Vec<_> = (0..LONG_AT_ONCE + MAX_WAITING).map(|_| long()).collect();
        eventually("all places are taken", || encodings.long.waiting() == MAX_WAITING).await;
        let refused = encodings.run(LONG, || Ok(())).await.unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::Overloaded);
        assert_eq!(encodings.run(LONG - 1, || Ok(7)).await.unwrap(), 7);
        assert_eq!(begun.load(Ordering::SeqCst), LONG_AT_ONCE);

        gate.add_permits(calls.len());
        for call in calls {
            call.await.unwrap().unwrap();
        }
        encodings.run(LONG, || Ok(())).await.unwrap();
    }
}
