//! The roles a server can have, and where those it doesn't have are reached.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use rootstock_client::{ClientError, Endpoints, Service};

/// A service that a server can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// Artifacts, blobs and aliases.
    Checkpoint,
    /// Text to token ids and back.
    Tokenizer,
    /// Training jobs.
    Trainer,
    /// Generation, adapters and evaluation.
    Inference,
}

impl Role {
    /// All roles, those that others need first.
    pub const ALL: [Self; 4] = [Self::Checkpoint, Self::Tokenizer, Self::Trainer, Self::Inference];

    /// The service that clients know it as.
    pub fn service(self) -> Service {
        match self {
            Self::Checkpoint => Service::Checkpoint,
            Self::Tokenizer => Service::Tokenization,
            Self::Trainer => Service::Training,
            Self::Inference => Service::Inference,
        }
    }

    /// Its name in flags and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Tokenizer => "tokenizer",
            Self::Trainer => "trainer",
            Self::Inference => "inference",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where each service is: those of this server at its own listener, the others where the environment says
/// (`ROOTSTOCK_CHECKPOINT_ENDPOINT` and the like).
pub(super) fn endpoints(roles: &[Role], own: SocketAddr) -> Result<Endpoints, ClientError> {
    let mut endpoints = Endpoints::from_env()?;
    for role in roles {
        endpoints.set(role.service(), &url(own))?;
    }
    Ok(endpoints)
}

/// The address at which this machine reaches a listener; one that listens everywhere is reached at the loopback.
pub(super) fn url(listener: SocketAddr) -> String {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listener.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_at_the_loopback() {
        for (listener, reached) in [
            ("0.0.0.0:7400", "http://127.0.0.1:7400"),
            ("[::]:7400", "http://[::1]:7400"),
            ("10.1.2.3:9", "http://10.1.2.3:9"),
        ] {
            assert_eq!(url(listener.parse().unwrap()), reached);
        }
    }

    #[test]
    fn the_roles_of_this_server_are_reached_at_its_own_listener() {
        let own = "127.0.0.1:9999".parse().unwrap();
        let endpoints = endpoints(&[Role::Trainer, Role::Checkpoint], own).unwrap();
        assert_eq!(endpoints.training, "http://127.0.0.1:9999/");
        assert_eq!(endpoints.checkpoint, "http://127.0.0.1:9999/");
        assert_ne!(endpoints.inference, "http://127.0.0.1:9999/");
    }
}
