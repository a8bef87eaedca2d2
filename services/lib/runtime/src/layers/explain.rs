//! Gives the errors that tonic makes itself the details that every error of the contract carries.

use http::{HeaderName, Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};

use super::middleware::{Callee, Middleware, Next, code_of};
use crate::methods::Method;
use crate::status::from_bare;

/// Where the details of a status travel.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

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
        let failed = code_of(response.headers()).is_some_and(|code| code != Code::Ok);
        if !failed || response.headers().contains_key(DETAILS) {
            return response;
        }
        match Status::from_header_map(response.headers()).as_ref().and_then(from_bare) {
            Some(failure) => failure.into_response(),
            None => response,
        }
    }
}
