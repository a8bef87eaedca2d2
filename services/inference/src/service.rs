//! Puts the service together, starts its background work, and says when it is ready.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rootstock_artifacts::{ArtifactName, Cache, Kind};
use rootstock_client::Clients;
use rootstock_proto::inference::v1::{
    adapter_service_server::{AdapterServiceServer, SERVICE_NAME as ADAPTERS},
    encoder_service_server::{EncoderServiceServer, SERVICE_NAME as ENCODERS},
    evaluation_service_server::{EvaluationServiceServer, SERVICE_NAME as EVALUATION},
    generation_service_server::{GenerationServiceServer, SERVICE_NAME as GENERATION},
};
use rootstock_runtime::{Health, MAX_MESSAGE_BYTES, Metrics as Registry, Server, Shutdown, Tasks};

use crate::{
    adapters::{Adapters, Caps, Leases, Pace, Proved, Tenants},
    aliases::Aliases,
    bind::Binder,
    config::{Config, ConfigProblem},
    encoders::Encoders,
    engine::{Engine, Limits},
    error::Error,
    evaluation::{Book, Evaluations, Parts},
    generation::Generation,
    grpc,
    in_process::InProcess,
    metrics::Metrics,
    models::Models,
    publish::Publisher,
    residency::Residency,
    residents::{Kind as ResidentKind, Residents},
    store::{Store, local::Local, remote::Remote},
    warm::Warm,
};

/// What is mounted, by the names that health goes by.
const SERVICES: [&str; 4] = [GENERATION, ENCODERS, ADAPTERS, EVALUATION];
/// Folder of the artifact cache below the data directory; the services of a process share it.
const CACHE_DIR: &str = "cache";
/// Folder of this service.
const OWN_DIR: &str = "inference";
/// The file of the evaluations in it.
const EVALUATIONS_FILE: &str = "evaluations.sqlite";
/// What opening an adapter's files and packing its matrices cost beside reading them, as so many bytes more to read.
const ADAPTER_LOAD_COST: u64 = 1 << 20;
/// How long a retry of what must be there before the service is ready waits.
const PRELOAD_RETRY: Duration = Duration::from_secs(1);

/// What the service is given by the process it runs in.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The other services.
    pub clients: Clients,
    /// Where metrics are registered.
    pub metrics: Registry,
    /// Where the service says whether it can be called.
    pub health: Health,
    /// Asks to stop.
    pub shutdown: Shutdown,
    /// Supervises background work.
    pub tasks: Tasks,
    /// Where files are kept.
    pub data_dir: PathBuf,
}

/// The running service.
#[derive(Debug)]
pub struct Handle {
    core: Core,
}

/// Everything but the network.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) aliases: Aliases,
    pub(crate) generation: Generation,
    pub(crate) encoders: Encoders,
    pub(crate) publisher: Publisher,
    pub(crate) evaluations: Evaluations,
    engine: Engine,
    book: Book,
}

/// Builds the service and starts its background work. It is SERVING once the aliases are known, and the models of the
/// configuration and the pinned adapters are loaded.
///
/// # Errors
/// When a setting can't be, or the data directory can't be used.
pub async fn build(config: Config, deps: Deps) -> Result<Handle, Error> {
    config.validate()?;
    let cache_dir = deps.data_dir.join(CACHE_DIR);
    let own_dir = deps.data_dir.join(OWN_DIR);
    let cache_bytes = config.cache_bytes;
    let open = move || {
        std::fs::create_dir_all(&own_dir)?;
        Cache::open(cache_dir, cache_bytes)
    };
    let cache = deps.tasks.spawn_blocking("inference-open", open).await?;
    let cache = cache.map_err(|error| Error::internal("the data directory can't be used", error))?;
    let evaluations = deps.data_dir.join(OWN_DIR).join(EVALUATIONS_FILE);
    let book = Book::open(&evaluations, config.max_queued_evaluations).await?;
    let (local, tasks) = (Local::default(), deps.tasks.clone());
    let store = Arc::new(Remote { clients: deps.clients, cache, local, tasks });
    let core = Core::start(&config, store, book, &deps.metrics, &deps.tasks).await?;
    for service in SERVICES {
        deps.health.set(service, false);
    }
    let (ready, health, shutdown) = (core.clone(), deps.health, deps.shutdown);
    deps.tasks.spawn("inference-ready", async move {
        if shutdown.unless_requested(ready.prepare()).await.is_some() {
            for service in SERVICES {
                health.set(service, true);
            }
        }
    });
    Ok(Handle { core })
}

impl Handle {
    /// Adds the four services to a server.
    #[must_use]
    pub fn mount(&self, server: Server) -> Server {
        let core = &self.core;
        let generation = grpc::generation::Api { generation: core.generation.clone() };
        let encoders = grpc::encoder::Api { encoders: core.encoders.clone() };
        let adapters = grpc::adapters::Api { publisher: core.publisher.clone() };
        let evaluation = grpc::evaluation::Api { evaluations: core.evaluations.clone() };
        server
            .mount(
                GenerationServiceServer::new(generation)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
            .mount(
                EncoderServiceServer::new(encoders)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
            .mount(
                AdapterServiceServer::new(adapters)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
            .mount(
                EvaluationServiceServer::new(evaluation)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
    }

    /// The same generation without a network.
    pub fn in_process(&self) -> InProcess {
        InProcess { generation: self.core.generation.clone() }
    }

    /// Ends what is still running and closes the files. Call it after the server has drained.
    pub async fn shutdown(self) {
        self.core.shutdown().await;
    }
}

impl Core {
    /// Starts the engine, the watch of the aliases and the evaluations.
    pub(crate) async fn start(
        config: &Config,
        store: Arc<dyn Store>,
        book: Book,
        registry: &Registry,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let metrics = Metrics::default();
        metrics.register(registry);
        let engine = Engine::start(limits(config), metrics.clone(), tasks)?;
        let aliases = Aliases::new(Arc::clone(&store), metrics.clone());
        let binder = binder(config, &store, &aliases, &metrics, tasks)?;
        let residency = Residency {
            store: Arc::clone(&store),
            aliases: aliases.clone(),
            adapters: binder.adapters.clone(),
            tasks: tasks.clone(),
        };
        let warm = Warm::new(binder.clone());
        let publisher = Publisher {
            store: Arc::clone(&store),
            aliases: aliases.clone(),
            binder: binder.clone(),
            residency,
            warm: warm.clone(),
        };
        let generation = Generation::new(binder.clone(), engine.clone(), tasks);
        let encoders = Encoders::new(binder.clone(), tasks.clone());
        let parts = Parts {
            book: book.clone(),
            store,
            binder,
            publisher: publisher.clone(),
            engine: engine.clone(),
            tasks: tasks.clone(),
        };
        let evaluations = Evaluations::new(parts);
        evaluations.recover().await?;
        tasks.spawn("inference-aliases", aliases.clone().follow(tasks.shutdown().clone()));
        tasks.spawn("inference-moves", engine.clone().wake_on(aliases.changes(), tasks.shutdown().clone()));
        tasks.spawn("inference-warm", warm.run(tasks.shutdown().clone()));
        let (waiting, shutdown) = (evaluations.clone(), tasks.shutdown().clone());
        tasks.spawn("inference-evaluations", waiting.run(shutdown));
        Ok(Self { aliases, generation, encoders, publisher, evaluations, engine, book })
    }

    /// Waits for all that must be there before the first call.
    pub(crate) async fn prepare(&self) {
        self.aliases.synced().await;
        let binder = &self.generation.binder;
        for name in &binder.configured {
            while let Err(error) = self.preload(name).await {
                tracing::warn!(%name, %error, "a model of the configuration can't be loaded; retrying");
                tokio::time::sleep(PRELOAD_RETRY).await;
            }
        }
        self.publisher.warm.restore().await;
    }

    async fn preload(&self, name: &ArtifactName) -> Result<(), Error> {
        let binder = &self.generation.binder;
        binder.models.preload(binder.model(name, "model").await?).await
    }

    pub(crate) async fn shutdown(&self) {
        self.engine.stop();
        self.book.close().await;
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        threads: config.compute_threads,
        max_running: config.max_running,
        max_queued: config.max_queued,
        max_queued_per_tenant: config.max_queued_per_tenant,
        max_queued_tokens: config.max_queued_tokens,
        tenant_weights: Arc::new(config.tenant_weights.clone()),
        prefix_cache: config.prefix_cache,
        cache_bytes: config.kv_cache_bytes,
        output_buffer: config.output_buffer,
        stall_timeout: config.stall_timeout,
    }
}

fn binder(
    config: &Config,
    store: &Arc<dyn Store>,
    aliases: &Aliases,
    metrics: &Metrics,
    tasks: &Tasks,
) -> Result<Binder, Error> {
    let models = ResidentKind {
        what: "base models",
        key: "max_models",
        capacity: config.max_models as u64,
        load_cost: 0,
        count: metrics.models_resident.clone(),
        used: Default::default(),
    };
    let encoders = ResidentKind {
        what: "encoders",
        count: metrics.encoders_resident.clone(),
        used: Default::default(),
        ..models.clone()
    };
    let adapters = ResidentKind {
        what: "adapters",
        key: "adapter_memory_bytes",
        capacity: config.adapter_memory_bytes,
        load_cost: ADAPTER_LOAD_COST,
        count: metrics.adapters_resident.clone(),
        used: metrics.adapter_bytes.clone(),
    };
    let adapters = Residents::new(adapters, tasks.clone(), metrics.clone());
    Ok(Binder {
        aliases: aliases.clone(),
        models: Models {
            store: Arc::clone(store),
            residents: Residents::new(models, tasks.clone(), metrics.clone()),
            encoders: Residents::new(encoders, tasks.clone(), metrics.clone()),
            tasks: tasks.clone(),
            dtype: config.weight_dtype,
        },
        adapters: Adapters {
            store: Arc::clone(store),
            tenants: Tenants::new(tenant_caps(config), adapters.clone()),
            residents: adapters,
            tasks: tasks.clone(),
            pace: Pace::new(tasks.clone(), metrics),
            leases: Leases::default(),
            proved: Proved::default(),
            max_bytes: config.max_adapter_bytes,
        },
        configured: configured(&config.models)?,
    })
}

fn tenant_caps(config: &Config) -> Caps {
    let Config { max_adapters_per_tenant: adapters, max_adapter_bytes_per_tenant: bytes, .. } = *config;
    Caps { adapters: (adapters > 0).then_some(adapters), bytes: (bytes > 0).then_some(bytes) }
}

fn configured(names: &[String]) -> Result<Vec<ArtifactName>, ConfigProblem> {
    let wrong = |name: &str| ConfigProblem {
        key: "models",
        problem: format!("has {name:?}; each must be a digest or a name in baseModels/"),
    };
    let parse = |name: &String| match name.parse::<ArtifactName>() {
        Ok(ArtifactName::Alias(alias) | ArtifactName::Version(alias, _))
            if alias.kind() != Kind::BaseModel =>
        {
            Err(wrong(name))
        }
        Ok(parsed) => Ok(parsed),
        Err(_) => Err(wrong(name)),
    };
    names.iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
