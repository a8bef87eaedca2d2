//! Where the services are: one address for all, or one for each.
use http::Uri;
use tonic::Code;

use crate::ClientError;

/// Where `rootstock serve` listens unless told otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:7400";
/// Environment variable with the address of all services.
const ENDPOINT_VARIABLE: &str = "ROOTSTOCK_ENDPOINT";

/// A role that a server can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Artifacts, blobs and aliases.
    Checkpoint,
    /// Text to token ids and back.
    Tokenization,
    /// Training jobs.
    Training,
    /// Generation, adapters and evaluation.
    Inference,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Checkpoint, Self::Tokenization, Self::Training, Self::Inference];

    /// The name under which the service reports its health.
    pub fn health_name(self) -> &'static str {
        match self {
            Self::Checkpoint => "rootstock.checkpoint.v1.CheckpointService",
            Self::Tokenization => "rootstock.tokenization.v1.TokenizationService",
            Self::Training => "rootstock.training.v1.TrainingService",
            Self::Inference => "rootstock.inference.v1.GenerationService",
        }
    }

    /// The environment variable with the address of this service alone.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Checkpoint => "ROOTSTOCK_CHECKPOINT_ENDPOINT",
            Self::Tokenization => "ROOTSTOCK_TOKENIZATION_ENDPOINT",
            Self::Training => "ROOTSTOCK_TRAINING_ENDPOINT",
            Self::Inference => "ROOTSTOCK_INFERENCE_ENDPOINT",
        }
    }
}

/// The address of each service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Artifacts, blobs and aliases.
    pub checkpoint: Uri,
    /// Text to token ids and back.
    pub tokenization: Uri,
    /// Training jobs.
    pub training: Uri,
    /// Generation, adapters and evaluation.
    pub inference: Uri,
}

impl Endpoints {
    /// All services at one address: `http://host:port`, or `host:port`.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn single(address: &str) -> Result<Self, ClientError> {
        let uri = parse(address)?;
        Ok(Self { checkpoint: uri.clone(), tokenization: uri.clone(), training: uri.clone(), inference: uri })
    }

    /// What the environment says: `ROOTSTOCK_ENDPOINT` for all services (default [`DEFAULT_ENDPOINT`]), and
    /// `ROOTSTOCK_CHECKPOINT_ENDPOINT` and the like for one.
    ///
    /// # Errors
    /// When a variable holds no address.
    pub fn from_env() -> Result<Self, ClientError> {
        Self::from_lookup(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ClientError> {
        let mut endpoints = Self::single(lookup(ENDPOINT_VARIABLE).as_deref().unwrap_or(DEFAULT_ENDPOINT))?;
        for service in Service::ALL {
            if let Some(address) = lookup(service.variable()) {
                endpoints.set(service, &address)?;
            }
        }
        Ok(endpoints)
    }

    /// The environment variables that make [`from_env`](Self::from_env) give the same in a child process.
    pub fn to_env(&self) -> Vec<(&'static str, String)> {
        Service::ALL.into_iter().map(|service| (service.variable(), self.of(service).to_string())).collect()
    }

    /// The address of a service.
    pub fn of(&self, service: Service) -> &Uri {
        match service {
            Service::Checkpoint => &self.checkpoint,
            Service::Tokenization => &self.tokenization,
            Service::Training => &self.training,
            Service::Inference => &self.inference,
        }
    }

    /// Sets the address of one service.
    ///
    /// # Errors
    /// When it is no address.
    pub fn set(&mut self, service: Service, address: &str) -> Result<(), ClientError> {
        let uri = parse(address)?;
        match service {
            Service::Checkpoint => self.checkpoint = uri,
            Service::Tokenization => self.tokenization = uri,
            Service::Training => self.training = uri,
            Service::Inference => self.inference = uri,
        }
        Ok(())
    }
}

fn parse(address: &str) -> Result<Uri, ClientError> {
    let refuse = |why: &str| {
        ClientError::plain(
            Code::InvalidArgument,
            format!("endpoint `{address}` {why}; give http://host:port"),
        )
    };
    let full = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let uri: Uri = full.parse().map_err(|_| refuse("is not an address"))?;
    if uri.scheme_str() != Some("http") {
        return Err(refuse("has a scheme that is not supported"));
    }
    if uri.authority().is_none_or(|authority| authority.host().is_empty()) {
        return Err(refuse("has no host"));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_moves_all_and_another_moves_one() {
        let endpoints = Endpoints::from_lookup(|name| match name {
            "ROOTSTOCK_ENDPOINT" => Some("10.0.0.1:7400".into()),
            "ROOTSTOCK_TRAINING_ENDPOINT" => Some("http://trainer:1".into()),
            _ => None,
        })
        .unwrap();
        assert_eq!(endpoints.checkpoint, "http://10.0.0.1:7400/");
        assert_eq!(endpoints.training, "http://trainer:1/");
        let passed_on = endpoints.to_env();
        let again = Endpoints::from_lookup(|name| {
            passed_on.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.clone())
        });
        assert_eq!(again.unwrap(), endpoints);
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_give() {
        for address in ["", "http://", "https://host:1", "unix:///tmp/x", "host name"] {
            let error = Endpoints::single(address).unwrap_err();
            assert!(error.message.contains("give http://host:port"), "{error}");
        }
    }
}
