//! The clients of all services over shared, lazily opened connections.
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::call::Caller;
use crate::{
    AdapterClient, CheckpointClient, ClientError, EncoderClient, Endpoints, EvaluationClient,
    GenerationClient, Propagate, Service, TokenizationClient, TrainingClient, Transport, WorkerClient,
};

/// Largest message in either direction, as the servers have it.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// How often an idle connection is probed.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long a probe may take before the connection is given up.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What can be chosen about the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// Deadline of a unary call, all its retries together. Commits, verification and training a tokenizer get half an
    /// hour if this is shorter.
    pub deadline: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a watch keeps trying while the server is away.
    pub max_outage: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_outage: Duration::from_secs(120),
        }
    }
}

/// The clients of all services; cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients {
    channels: Arc<[(Service, Uri, Channel)]>,
    propagate: Propagate,
    pub(crate) caller: Caller,
}

impl Clients {
    /// Clients for these addresses, with the default options. Nothing is connected before the first call. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn new(endpoints: Endpoints) -> Result<Self, ClientError> {
        Self::with_options(endpoints, ClientOptions::default())
    }

    /// Clients with other options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(endpoints: Endpoints, options: ClientOptions) -> Result<Self, ClientError> {
        let mut channels: Vec<(Service, Uri, Channel)> = Vec::with_capacity(Service::ALL.len());
        for service in Service::ALL {
            let uri = endpoints.of(service).clone();
            let open =
                channels.iter().find(|(_, other, _)| *other == uri).map(|(.., channel)| channel.clone());
            let channel = open.unwrap_or_else(|| connect(uri.clone(), &options));
            channels.push((service, uri, channel));
        }
        let caller = Caller::new(options.deadline, options.max_outage);
        Ok(Self { channels: channels.into(), propagate: Propagate::default(), caller })
    }

    /// The same clients with another deadline for unary calls.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { caller: self.caller.with_deadline(deadline), ..self.clone() }
    }

    /// The same clients, whose calls are for a tenant; servers share their work among tenants.
    ///
    /// # Errors
    /// When metadata can't hold the name: it must be printable ASCII.
    pub fn with_tenant(&self, tenant: &str) -> Result<Self, ClientError> {
        let refused = || {
            ClientError::plain(Code::InvalidArgument, format!("tenant {tenant:?} must be printable ASCII"))
        };
        Ok(Self { propagate: Propagate::with_tenant(tenant).ok_or_else(refused)?, ..self.clone() })
    }

    /// Artifacts, blobs and aliases.
    pub fn checkpoint(&self) -> CheckpointClient {
        CheckpointClient::new(self.transport(Service::Checkpoint), self.caller.clone())
    }

    /// Text to token ids and back.
    pub fn tokenization(&self) -> TokenizationClient {
        TokenizationClient::new(self.transport(Service::Tokenization), self.caller.clone())
    }

    /// Training jobs.
    pub fn training(&self) -> TrainingClient {
        TrainingClient::new(self.transport(Service::Training), self.caller.clone())
    }

    /// What a training worker says to the training service.
    pub fn worker(&self) -> WorkerClient {
        WorkerClient::new(self.transport(Service::Training), self.caller.clone())
    }

    /// Generation.
    pub fn generation(&self) -> GenerationClient {
        GenerationClient::new(self.transport(Service::Inference))
    }

    /// Classification and masked tokens.
    pub fn encoders(&self) -> EncoderClient {
        EncoderClient::new(self.transport(Service::Inference))
    }

    /// Publishing of adapters.
    pub fn adapters(&self) -> AdapterClient {
        AdapterClient::new(self.transport(Service::Inference), self.caller.clone())
    }

    /// Evaluations.
    pub fn evaluation(&self) -> EvaluationClient {
        EvaluationClient::new(self.transport(Service::Inference), self.caller.clone())
    }

    /// The connection to a service, for calls that these clients don't have.
    pub fn transport(&self, service: Service) -> Transport {
        let (_, channel) = self.channel(service);
        Transport::new(channel, self.propagate.clone())
    }

    pub(crate) fn channel(&self, service: Service) -> (Uri, Channel) {
        // `with_options` makes one entry for each service, in the order of `Service::ALL`.
        let (_, uri, channel) = &self.channels[service as usize];
        (uri.clone(), channel.clone())
    }
}

fn connect(uri: Uri, options: &ClientOptions) -> Channel {
    Endpoint::from(uri)
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_lazy()
}

/// Makes the type of a service's client: the generated client, and how calls are made.
macro_rules! service_client {
    ($(#[$doc:meta])* $name:ident, $raw:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            raw: $raw,
            caller: $crate::call::Caller,
        }

        impl $name {
            pub(crate) fn new(transport: $crate::Transport, caller: $crate::call::Caller) -> Self {
                let raw = <$raw>::new(transport)
                    .max_decoding_message_size($crate::clients::MAX_MESSAGE_BYTES)
                    .max_encoding_message_size($crate::clients::MAX_MESSAGE_BYTES);
                Self { raw, caller }
            }

            /// The generated client, for calls without deadline or retries.
            pub fn raw(&self) -> $raw {
                self.raw.clone()
            }
        }
    };
}
pub(crate) use service_client;
