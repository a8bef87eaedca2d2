//! One unary call: with a deadline, and with retries if it is idempotent.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::retry::RetryBudget;
use crate::{ClientError, backoff};

/// Most tries of one call.
const MAX_ATTEMPTS: u32 = 5;
/// The deadline of calls that read or compute a lot: commits, verification, training a tokenizer.
const LONG_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Makes calls; clones share the retry budget.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    budget: Arc<RetryBudget>,
    deadline: Duration,
    pub(crate) max_outage: Duration,
}

impl Caller {
    pub(crate) fn new(deadline: Duration, max_outage: Duration) -> Self {
        Self { budget: Arc::new(RetryBudget::new()), deadline, max_outage }
    }

    /// The same with another deadline.
    pub(crate) fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same with the deadline of long calls.
    pub(crate) fn long(&self) -> Self {
        self.with_deadline(self.deadline.max(LONG_DEADLINE))
    }

    /// Makes a call that must not be made twice.
    pub(crate) async fn once<M, R, F, Fut>(&self, message: M, call: F) -> Result<R, ClientError>
    where
        F: FnOnce(Request<M>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        let response = call(request).await?;
        self.budget.earn();
        Ok(response.into_inner())
    }

    /// Makes a call that may be made again if its answer is lost. The deadline covers all tries together.
    pub(crate) async fn idempotent<M, R, F, Fut>(&self, message: M, call: F) -> Result<R, ClientError>
    where
        M: Clone,
        F: Fn(Request<M>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let deadline = Instant::now() + self.deadline;
        let mut failures = 0;
        loop {
            let mut request = Request::new(message.clone());
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            let error = match call(request).await {
                Ok(response) => {
                    self.budget.earn();
                    return Ok(response.into_inner());
                }
                Err(status) => ClientError::from(status),
            };
            failures += 1;
            let delay = backoff::delay(failures, error.retry_after);
            let in_time = Instant::now() + delay < deadline;
            if !error.is_transient() || failures >= MAX_ATTEMPTS || !in_time || !self.budget.spend() {
                return Err(error);
            }
            tracing::debug!(%error, failures, "calling again");
            tokio::time::sleep(delay).await;
        }
    }
}

/// Makes a unary call of the generated client: `unary!(self.idempotent, get_artifact, request)`.
macro_rules! unary {
    ($client:ident . $mode:ident, $method:ident, $request:expr) => {
        $crate::call::unary!($client, $client.caller, $mode, $method, $request)
    };
    ($client:ident, $caller:expr, $mode:ident, $method:ident, $request:expr) => {
        $caller
            .$mode($request, |request| {
                let mut raw = $client.raw.clone();
                async move { raw.$method(request).await }
            })
            .await
    };
}
pub(crate) use unary;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "these tests play the server")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn caller() -> Caller {
        Caller::new(Duration::from_secs(10), Duration::ZERO)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idempotent_call_survives_a_server_that_restarts() {
        let calls = AtomicU32::new(0);
        let answer = caller()
            .idempotent((), |_| async {
                match calls.fetch_add(1, Ordering::SeqCst) {
                    0..3 => Err(Status::unavailable("connection refused")),
                    _ => Ok(Response::new("served")),
                }
            })
            .await;
        assert_eq!(answer.unwrap(), "served");
        assert_eq!(calls.into_inner(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final() {
        let calls = AtomicU32::new(0);
        let call = |_| async {
            calls.fetch_add(1, Ordering::SeqCst);
            Err::<Response<()>, _>(Status::not_found("gone"))
        };
        assert_eq!(caller().idempotent((), call).await.unwrap_err().code, tonic::Code::NotFound);
        assert_eq!(calls.into_inner(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end_with_the_budget_and_each_carries_what_is_left_of_the_deadline() {
        let caller = caller();
        let calls = AtomicU32::new(0);
        for _ in 0..20 {
            let call = |request: Request<()>| {
                assert!(request.metadata().contains_key("grpc-timeout"));
                calls.fetch_add(1, Ordering::SeqCst);
                async { Err::<Response<()>, _>(Status::unavailable("down")) }
            };
            assert!(caller.idempotent((), call).await.is_err());
        }
        assert_eq!(calls.into_inner(), 20 + 10, "one retry for each token of the budget");
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_be_repeated_is_not() {
        let calls = AtomicU32::new(0);
        let call = |_| async {
            calls.fetch_add(1, Ordering::SeqCst);
            Err::<Response<()>, _>(Status::unavailable("down"))
        };
        assert!(caller().once((), call).await.is_err());
        assert_eq!(calls.into_inner(), 1);
    }
}
