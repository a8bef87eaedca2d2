//! Computing beside the async runtime: on threads that may block, until whoever wants the result is told to stop or is gone.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::DropGuard;

use super::{fault::Fault, inputs::blocking, stop::Stop};

/// Where a worker or a call computes; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    stop: Stop,
    /// A place among those that compute, given back when the last work has ended.
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Beside {
    /// Of a worker, which computes until it is to stop.
    pub(super) fn of_worker(stop: &Stop) -> Self {
        Self { stop: stop.clone(), place: None }
    }

    /// Of a call that holds a place. Work goes on until the guard, which is the call's, is dropped.
    pub(crate) fn of_call(place: OwnedSemaphorePermit) -> (Self, DropGuard) {
        let stop = Stop::default();
        let guard = stop.on_drop();
        (Self { stop, place: Some(Arc::new(place)) }, guard)
    }

    /// Does work on a thread; it looks at the stop now and then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stop) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let Self { stop, place } = self.clone();
        blocking(move || {
            let _place = place;
            stop.check()?;
            work(&stop)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn work_ends_soon_after_its_call_and_holds_the_place_until_then() {
        let places = Arc::new(Semaphore::new(1));
        let place = || Arc::clone(&places).try_acquire_owned();
        let (beside, guard) = Beside::of_call(place().unwrap());
        let (begun, begins) = mpsc::channel();
        let (go_on, waits) = mpsc::channel::<()>();
        let (told, ends) = mpsc::channel();
        let call = tokio::spawn(async move {
            let _guard = guard;
            let work = move |stop: &Stop| {
                begun.send(()).unwrap();
                waits.recv().unwrap();
                told.send(stop.check().is_err()).unwrap();
                Ok(())
            };
            beside.run(work).await
        });
        tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert!(place().is_err(), "the thread still computes");
        go_on.send(()).unwrap();
        let stopped = tokio::task::spawn_blocking(move || ends.recv().unwrap()).await.unwrap();
        assert!(stopped, "the thread is told that nobody waits");
        places.acquire().await.unwrap().forget();
    }
}
