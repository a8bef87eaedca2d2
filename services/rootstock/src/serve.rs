//! `rootstock serve`: any set of services on one gRPC port, from one configuration, until a signal ends it.

mod assembly;
mod error;
mod lock;
mod role;
mod running;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use rootstock_runtime::config::Sources;
use rootstock_runtime::{Health, Metrics, Server, Shutdown, Tasks, Telemetry};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use error::ServeError;
pub use role::Role;
pub use running::Running;
pub use settings::Settings;

use assembly::Process;
use lock::DataLock;
use running::Driver;

/// Any free port of this machine.
const FREE_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Arguments of `rootstock serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The services to run, separated by commas [default: all]
    #[arg(long, value_enum, value_name = "ROLE,..", value_delimiter = ',')]
    role: Vec<Role>,
    /// Where to listen for gRPC [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where to listen for /metrics and /healthz [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// Where everything is kept; no two servers share it
    #[arg(long, value_name = "DIR", default_value = "./rootstock-data")]
    data: PathBuf,
    /// A TOML file with the sections server, telemetry, checkpoint, tokenizer, trainer and inference
    ///
    /// `ROOTSTOCK_<SECTION>_<KEY>` in the environment wins over the file, and flags win over both: `ROOTSTOCK_INFERENCE_WEIGHT_DTYPE=int8`
    /// is `weight_dtype = "int8"` in the section inference. --print-config prints every key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration as it results from file, environment and flags, and end
    #[arg(long)]
    print_config: bool,
}

/// What a server in this process is started with.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Which services to run.
    pub roles: Vec<Role>,
    /// How they are configured.
    pub settings: Settings,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// What ends it.
    pub shutdown: Shutdown,
}

impl ServeOptions {
    /// All services on free ports of this machine; their workers print warnings only.
    pub fn on_free_ports(data_dir: PathBuf) -> Self {
        let mut settings = Settings::default();
        settings.server.listen = FREE_PORT;
        settings.server.metrics_listen = FREE_PORT;
        settings.telemetry.log = "warn".to_owned();
        Self { roles: Role::ALL.to_vec(), settings, data_dir, shutdown: Shutdown::new() }
    }
}

/// Runs the services until SIGTERM or SIGINT has drained them.
///
/// # Errors
/// When the configuration is wrong, an address or the data directory can't be had, or a service fails.
pub fn run(args: ServeArgs) -> Result<(), ServeError> {
    let settings = Settings::load(&sources(&args))?;
    if args.print_config {
        println!("{}", settings.print()?);
        return Ok(());
    }
    let telemetry = Telemetry::init(&settings.telemetry)?;
    let runtime = Runtime::new().map_err(|source| ServeError::io("the async runtime", source))?;
    let served = runtime.block_on(Box::pin(serve(args, settings)));
    drop(runtime);
    telemetry.shutdown();
    served
}

async fn serve(args: ServeArgs, settings: Settings) -> Result<(), ServeError> {
    let shutdown = Shutdown::on_signals().map_err(|source| ServeError::io("the signal handler", source))?;
    let roles = if args.role.is_empty() { Role::ALL.to_vec() } else { args.role };
    let running = match start(ServeOptions { roles, settings, data_dir: args.data, shutdown }).await {
        Ok(running) => running,
        // A signal while it waited for other servers: it has ended as it was asked to.
        Err(ServeError::NotReady) => return Ok(()),
        Err(error) => return Err(error),
    };
    println!("rootstock is serving on {} (metrics {}/metrics)", running.endpoint, running.metrics_endpoint);
    running.join().await
}

fn sources(args: &ServeArgs) -> Sources {
    let mut sources = Sources::from_process(args.config.clone());
    if let Some(listen) = args.listen {
        sources = sources.with("server.listen", listen);
    }
    if let Some(listen) = args.metrics_listen {
        sources = sources.with("server.metrics_listen", listen);
    }
    sources
}

/// Starts the services and returns when they serve.
///
/// # Errors
/// When an address or the data directory can't be had, a service can't be built, or shutdown is requested meanwhile.
pub async fn start(options: ServeOptions) -> Result<Running, ServeError> {
    let ServeOptions { roles, settings, data_dir, shutdown } = options;
    let (data_dir, lock) = DataLock::take(data_dir).await?;
    let listener = bind(settings.server.listen).await?;
    let metrics_listener = bind(settings.server.metrics_listen).await?;
    let process = Process {
        endpoints: role::endpoints(&roles, local(&listener)?)?,
        metrics: Metrics::new(),
        health: Health::new(),
        tasks: Tasks::new(shutdown.clone()),
        shutdown,
        data_dir,
    };
    let server = Server::new(settings.server.clone(), process.metrics.clone(), process.health.clone());
    let (services, server) = Box::pin(assembly::assemble(&roles, settings, &process, server)).await?;
    let endpoint = role::url(local(&listener)?);
    let metrics_endpoint = role::url(local(&metrics_listener)?);
    let driver = Driver { server, services, listener, metrics_listener, process, lock };
    let running = Running::begin(endpoint, metrics_endpoint, driver);
    running.ready().await
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|source| ServeError::io("the listener", source))
}
