//! Puts the training service together: store, supervisor, janitor, and the two gRPC services.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rootstock_client::{Clients, Endpoints};
use rootstock_proto::training::v1::{
    training_service_server::TrainingServiceServer,
    training_worker_service_server::TrainingWorkerServiceServer,
};
use rootstock_runtime::{Health, MAX_MESSAGE_BYTES, Metrics, Server, Shutdown, Tasks};
use tokio::sync::{Notify, Semaphore};
use tonic::server::NamedService;

use crate::{
    config::Config,
    data::DataDesk,
    error::Error,
    grpc::{Api, worker::WorkerApi},
    jobs::Jobs,
    metrics,
    resolve::Resolver,
    states::Janitor,
    store::{Room, Store},
    supervisor::{Launcher, Leases, SCRATCH, Supervisor},
    verification::Verifier,
    watch::{Bells, Watches},
};

/// The service's folder in the data directory.
const FOLDER: &str = "trainer";
/// Its database.
const DATABASE: &str = "jobs.sqlite";
/// How often, and after which pause, a folder is removed again to which somebody still writes: longer than a worker takes to see that its
/// server is gone.
const REMOVALS: usize = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(100);

/// What the training service needs from the process it lives in.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The other services.
    pub clients: Clients,
    /// Where a worker process finds the services, this one among them.
    pub endpoints: Endpoints,
    /// The process's metrics.
    pub metrics: Metrics,
    /// The process's health.
    pub health: Health,
    /// When the process ends.
    pub shutdown: Shutdown,
    /// The process's tasks.
    pub tasks: Tasks,
    /// Where data lies; the service uses the folder `trainer` in it, its workers the folder `cache`.
    pub data_dir: PathBuf,
}

/// The running service.
#[derive(Debug)]
pub struct Handle {
    jobs: Jobs,
    data: DataDesk,
    health: Health,
}

type TrainingServer = TrainingServiceServer<Api>;
type WorkerServer = TrainingWorkerServiceServer<WorkerApi>;

/// Opens the job store, queues again what ran when the process last ended, and begins to work.
///
/// # Errors
/// When the configuration can't be, or the job store can't be opened.
pub async fn build(config: Config, deps: Deps) -> Result<Handle, Error> {
    config.validate()?;
    let store = open(&deps.data_dir).await?;
    let metrics = metrics::Metrics::default();
    metrics.register(&deps.metrics);
    for job in store.recover().await? {
        tracing::info!(%job, "training job queued again after a restart");
    }
    let config = Arc::new(config);
    let resolver = Resolver { clients: deps.clients.clone(), memory_bytes: config.memory_bytes };
    let data = DataDesk::new(deps.clients.clone(), resolver);
    let launcher = Launcher {
        config: Arc::clone(&config),
        endpoints: deps.endpoints.clone(),
        scratch_dir: deps.data_dir.join(FOLDER).join(SCRATCH),
        data_dir: deps.data_dir.clone(),
    };
    let verifier = Verifier::new(store.clone(), launcher.clone(), deps.shutdown.clone());
    let jobs = jobs(&config, &deps, store.clone(), metrics.clone(), verifier);
    let supervisor = Supervisor {
        store: store.clone(),
        launcher,
        leases: jobs.leases.clone(),
        bells: jobs.bells.clone(),
        metrics,
        config,
        call: Arc::clone(&jobs.supervisor),
        janitor: Arc::clone(&jobs.janitor),
    };
    let janitor = Janitor { store, clients: deps.clients.clone(), call: Arc::clone(&jobs.janitor) };
    deps.tasks.spawn("trainer supervisor", supervisor.run(deps.shutdown.clone()));
    deps.tasks.spawn("trainer janitor", janitor.run(deps.shutdown.clone()));
    for service in [TrainingServer::NAME, WorkerServer::NAME] {
        deps.health.set(service, true);
    }
    Ok(Handle { jobs, data, health: deps.health })
}

impl Handle {
    /// Adds the service's two gRPC services to a server.
    #[must_use]
    pub fn mount(&self, server: Server) -> Server {
        let api = TrainingServer::new(Api { jobs: self.jobs.clone(), data: self.data.clone() });
        let workers = WorkerServer::new(WorkerApi { jobs: self.jobs.clone() });
        let api =
            api.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES);
        let workers =
            workers.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES);
        server.mount(api).mount(workers)
    }

    /// Closes the job store; the process's tasks have ended by then.
    pub async fn shutdown(self) {
        for service in [TrainingServer::NAME, WorkerServer::NAME] {
            self.health.set(service, false);
        }
        self.jobs.store.close().await;
    }
}

/// Removes what workers wrote, which belongs to nobody any more. One whose server was killed a moment ago may still write until it sees
/// that it is alone.
async fn remove_scratch(folder: &Path) -> io::Result<()> {
    let mut attempts = 0;
    loop {
        match tokio::fs::remove_dir_all(folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && attempts < REMOVALS => {
                attempts += 1;
                tokio::time::sleep(REMOVAL_PAUSE).await;
            }
            removed => return removed,
        }
    }
}

async fn open(data_dir: &Path) -> Result<Store, Error> {
    let folder = data_dir.join(FOLDER);
    let made = tokio::fs::create_dir_all(&folder).await;
    made.map_err(|source| Error::Io { what: "the folder of the job store can't be made", source })?;
    let removed = remove_scratch(&folder.join(SCRATCH)).await;
    removed.map_err(|source| Error::Io { what: "the folder of earlier workers can't be removed", source })?;
    Store::open(&folder.join(DATABASE)).await
}

fn jobs(config: &Config, deps: &Deps, store: Store, metrics: metrics::Metrics, verifier: Verifier) -> Jobs {
    let bells = Bells::default();
    let watches = Watches {
        store: store.clone(),
        bells: bells.clone(),
        shutdown: deps.shutdown.clone(),
        metrics: metrics.clone(),
        slots: Arc::new(Semaphore::new(config.max_watchers)),
        limit: config.max_watchers,
    };
    Jobs {
        store,
        resolver: Resolver { clients: deps.clients.clone(), memory_bytes: config.memory_bytes },
        watches,
        verifier,
        bells,
        leases: Leases::default(),
        metrics,
        room: Room { queued: config.max_queued, of_tenant: config.max_queued_per_tenant },
        supervisor: Arc::new(Notify::new()),
        janitor: Arc::new(Notify::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_to_which_somebody_still_writes_is_removed_in_the_end() {
        let dir = tempfile::TempDir::new().unwrap();
        let folder = dir.path().join(SCRATCH);
        std::fs::create_dir(&folder).unwrap();
        let (end, written) = (std::time::Instant::now() + Duration::from_millis(300), folder.clone());
        let writer = std::thread::spawn(move || {
            let files = (0..).take_while(|_| std::time::Instant::now() < end);
            files.map_while(|i: u32| std::fs::write(written.join(i.to_string()), "x").ok()).count()
        });
        remove_scratch(&folder).await.unwrap();
        writer.join().unwrap();
        assert!(!folder.exists());
        remove_scratch(&folder).await.unwrap();
    }
}
