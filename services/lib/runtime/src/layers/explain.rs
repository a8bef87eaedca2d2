//! Gives the errors that tonic makes itself the details that every error of the contract carries.

use http::{Request, Response};
use tonic::body::Body;

use super::middleware::{Callee, Middleware, Next};
use crate::methods::Method;
use crate::status::from_bare;

/// `bare -> explained` for errors that come instead of a response; anything else passes as it is.
#[derive(Clone)]
pub(crate) struct Explain;

impl Middleware for Explain {
    async fn handle(
        &self,
        _: &'static Method,
        request: Request<Body>,
        next: Next<impl Callee>,
    ) -> Response<Body> {
        let response = next.run(request).await;
        match from_bare(response.headers()) {
            Some(failure) => failure.into_response(),
            None => response,
        }
    }
}
