//! What a job's adapter is evaluated on before it is published, and whether there is a service that does it.

use rootstock_client::ErrorReason;
use rootstock_proto::checkpoint::v1::{Artifact, ArtifactKind};
use rootstock_text::RecordFormat;
use tonic::Code;

use super::Resolver;
use crate::{error::Error, spec::Spec};

const DATASET: &str = "spec.publication.dataset";
/// Asked for to hear whether evaluations are there at all.
const NO_EVALUATION: &str = "evaluations/none";

impl Resolver {
    /// The data set that the adapter is evaluated on, or nothing where it is not to be published.
    pub(super) async fn publication(&self, spec: &Spec) -> Result<String, Error> {
        let Some(publication) = &spec.publication else { return Ok(String::new()) };
        let dataset = self.artifact(DATASET, &publication.dataset, &[ArtifactKind::Dataset]).await?;
        check_rows(&dataset)?;
        self.check_inference().await?;
        Ok(dataset.digest)
    }

    async fn check_inference(&self) -> Result<(), Error> {
        match self.clients.evaluation().get_evaluation(NO_EVALUATION).await {
            Err(error) if error.code == Code::Unimplemented => Err(Error::NoInference),
            Err(error) if !error.is(ErrorReason::NotFound) => {
                Err(Error::remote(error, "inference", "spec.publication"))
            }
            _ => Ok(()),
        }
    }
}

fn check_rows(dataset: &Artifact) -> Result<(), Error> {
    let other = dataset.blobs.iter().find(|blob| RecordFormat::from_name(&blob.path).is_none());
    match other {
        None => Ok(()),
        Some(blob) => {
            let endings = RecordFormat::endings();
            let message = format!("holds {}, and only rows of {endings} files are evaluated", blob.path);
            Err(Error::invalid(DATASET, message))
        }
    }
}
