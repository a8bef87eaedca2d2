//! Generation for the process that the service runs in, with no protobuf and no HTTP/2 between: what gRPC costs is measured against it.

use std::time::Instant;

use futures::{Stream, StreamExt, future, stream::select_all};
use rootstock_artifacts::Digest;
use rootstock_proto::inference::v1::GenerateRequest;

use crate::{
    convert::NO_TENANT,
    engine::Event,
    error::Error,
    generation::{Caller, Generation, Request},
};

/// Asks the engine of a service in this process, for no tenant and without a deadline. Clones ask the same engine.
#[derive(Clone, Debug)]
pub struct InProcess {
    pub(crate) generation: Generation,
}

impl InProcess {
    /// Admits a request: gives the digest of the adapter that it is bound to, if it is one, and the ids of its tokens as they come.
    ///
    /// # Errors
    /// As `GenerationService.Generate`; what goes wrong later is the last item.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<(Option<Digest>, impl Stream<Item = Result<u32, Error>> + use<>), Error> {
        let caller = Caller { tenant: NO_TENANT.into(), received: Instant::now(), deadline: None };
        let request: Request = request.try_into()?;
        if request.completions > 1 {
            return Err(Error::invalid("sampling.n", "must be 1 in process"));
        }
        let (started, completions) = self.generation.generate(request, caller).await?;
        Ok((started.adapter, select_all(completions).filter_map(|event| future::ready(token(event)))))
    }
}

fn token(event: Event) -> Option<Result<u32, Error>> {
    match event {
        Event::Delta(delta) => Some(Ok(delta.token.id)),
        Event::Failed(error) => Some(Err(error)),
        Event::Finished(_) | Event::Scored(_) | Event::Prompt(_) => None,
    }
}
