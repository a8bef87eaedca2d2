//! The place where a call is admitted or refused by who makes it; today everyone may call.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next};
use crate::methods::Method;
use crate::status::Failure;

/// Decides from a call's method and metadata whether it goes on. It must not block.
pub trait Admission: fmt::Debug + Send + Sync + 'static {
    /// Lets the call pass, or says why not.
    ///
    /// # Errors
    /// The caller may not make this call.
    fn admit(&self, method: &Method, metadata: &HeaderMap) -> Result<(), Failure>;
}

/// Admits every call: a server on a loopback address, or behind something that has asked already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everyone;

impl Admission for Everyone {
    fn admit(&self, _: &Method, _: &HeaderMap) -> Result<(), Failure> {
        Ok(())
    }
}

/// `arrived -> admitted | refused`; a refused call never reaches a handler.
#[derive(Clone)]
pub(crate) struct Gate {
    admission: Arc<dyn Admission>,
}

impl Gate {
    pub(crate) fn new(admission: Arc<dyn Admission>) -> Self {
        Self { admission }
    }
}

impl Middleware for Gate {
    async fn handle(
        &self,
        method: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        match self.admission.admit(method, request.headers()) {
            Ok(()) => next.run(request).await,
            Err(failure) => failure.into_response(),
        }
    }
}
