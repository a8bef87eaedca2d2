//! Builds the services of a process and mounts them on its server: the one place that sees them all.
use std::path::PathBuf;

use rootstock_client::{Clients, Endpoints};
use rootstock_inference::InProcess;
use rootstock_runtime::{Health, Metrics, Server, Shutdown, Tasks};

use super::{Role, ServeError, Settings};
use crate::worker;

/// What the services of one process share.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) endpoints: Endpoints,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) tasks: Tasks,
    pub(super) shutdown: Shutdown,
    pub(super) data_dir: PathBuf,
}

/// The services that were built.
#[derive(Debug, Default)]
pub(super) struct Services {
    checkpoint: Option<rootstock_checkpoint::Handle>,
    tokenizer: Option<rootstock_tokenizer::Handle>,
    trainer: Option<rootstock_trainer::Handle>,
    inference: Option<rootstock_inference::Handle>,
}

impl Services {
    /// Generation without a network, where this process generates.
    pub(super) fn in_process(&self) -> Option<InProcess> {
        self.inference.as_ref().map(rootstock_inference::Handle::in_process)
    }

    /// Closes what the services hold; the server has drained, and the tasks have ended.
    pub(super) async fn shutdown(self) {
        if let Some(inference) = self.inference {
            inference.shutdown().await;
        }
        if let Some(trainer) = self.trainer {
            trainer.shutdown().await;
        }
        if let Some(tokenizer) = self.tokenizer {
            tokenizer.shutdown().await;
        }
        if let Some(checkpoint) = self.checkpoint {
            checkpoint.shutdown().await;
        }
    }
}

/// Builds the services of these roles and mounts them.
pub(super) async fn assemble(
    roles: &[Role],
    settings: Settings,
    process: &Process,
    mut server: Server,
) -> Result<(Services, Server), ServeError> {
    let clients = Clients::new(process.endpoints.clone())?;
    let mut services = Services::default();
    if roles.contains(&Role::Checkpoint) {
        let built = rootstock_checkpoint::build(settings.checkpoint, process.checkpoint()).await;
        let handle = built.map_err(failed(Role::Checkpoint))?;
        server = handle.mount(server);
        services.checkpoint = Some(handle);
    }
    if roles.contains(&Role::Tokenizer) {
        let built = rootstock_tokenizer::build(settings.tokenizer, process.tokenizer(&clients)).await;
        let handle = built.map_err(failed(Role::Tokenizer))?;
        server = handle.mount(server);
        services.tokenizer = Some(handle);
    }
    if roles.contains(&Role::Trainer) {
        let mut config = settings.trainer;
        config.worker_args.extend(worker::telemetry_args(&settings.telemetry));
        let built = rootstock_trainer::build(config, process.trainer(&clients)).await;
        let handle = built.map_err(failed(Role::Trainer))?;
        server = handle.mount(server);
        services.trainer = Some(handle);
    }
    if roles.contains(&Role::Inference) {
        let built = rootstock_inference::build(settings.inference, process.inference(&clients)).await;
        let handle = built.map_err(failed(Role::Inference))?;
        server = handle.mount(server);
        services.inference = Some(handle);
    }
    Ok((services, server))
}

fn failed<E: std::error::Error + Send + Sync + 'static>(role: Role) -> impl Fn(E) -> ServeError {
    move |error| ServeError::Service { role, source: Box::new(error) }
}

impl Process {
    fn checkpoint(&self) -> rootstock_checkpoint::Deps {
        rootstock_checkpoint::Deps {
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            tasks: self.tasks.clone(),
            data_dir: self.data_dir.clone(),
        }
    }

    fn tokenizer(&self, clients: &Clients) -> rootstock_tokenizer::Deps {
        rootstock_tokenizer::Deps {
            clients: clients.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            tasks: self.tasks.clone(),
            data_dir: self.data_dir.clone(),
        }
    }

    fn trainer(&self, clients: &Clients) -> rootstock_trainer::Deps {
        rootstock_trainer::Deps {
            clients: clients.clone(),
            endpoints: self.endpoints.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            shutdown: self.shutdown.clone(),
            tasks: self.tasks.clone(),
            data_dir: self.data_dir.clone(),
        }
    }

    fn inference(&self, clients: &Clients) -> rootstock_inference::Deps {
        rootstock_inference::Deps {
            clients: clients.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            shutdown: self.shutdown.clone(),
            tasks: self.tasks.clone(),
            data_dir: self.data_dir.clone(),
        }
    }
}
