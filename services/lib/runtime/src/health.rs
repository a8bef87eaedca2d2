//! Which services can be called: one table behind grpc.health.v1 and behind `/healthz`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use rootstock_proto::common::v1::ErrorReason;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::status::{Failure, status};

/// The serving state of each service of this process; clones share it.
///
/// Per service: `unregistered -> NOT_SERVING <-> SERVING -> (draining) NOT_SERVING for good`. The empty name stands
/// for the process and serves when every registered service does.
#[derive(Clone, Debug, Default)]
pub struct Health {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    draining: bool,
    services: BTreeMap<String, bool>,
    version: watch::Sender<u64>,
}

impl Health {
    /// No service yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether `service` (its full protobuf name) can be called.
    pub fn set(&self, service: &str, serving: bool) {
        let mut table = self.table.lock();
        if table.services.insert(service.to_owned(), serving) != Some(serving) {
            tracing::info!(service, serving, "health changed");
            table.version.send_modify(|version| *version += 1);
        }
    }

    /// Makes a service known, as NOT_SERVING until [`Health::set`] says otherwise.
    pub(crate) fn register(&self, service: &str) {
        let known = self.table.lock().services.contains_key(service);
        if !known {
            self.set(service, false);
        }
    }

    /// Everything is NOT_SERVING from now on, whatever [`Health::set`] says later.
    pub(crate) fn drain(&self) {
        let mut table = self.table.lock();
        table.draining = true;
        table.version.send_modify(|version| *version += 1);
    }

    /// Whether `service` (or, for "", the whole process) serves; `None` for a name nobody registered.
    pub fn is_serving(&self, service: &str) -> Option<bool> {
        let table = self.table.lock();
        let serving = match service {
            "" => table.services.values().all(|serving| *serving),
            name => *table.services.get(name)?,
        };
        Some(serving && !table.draining)
    }

    /// Every registered service and whether it serves, by name.
    pub fn snapshot(&self) -> BTreeMap<String, bool> {
        let table = self.table.lock();
        table.services.iter().map(|(name, serving)| (name.clone(), *serving && !table.draining)).collect()
    }

    /// grpc.health.v1 over this table.
    pub(crate) fn server(&self) -> HealthServer<Checker> {
        HealthServer::new(Checker(self.clone()))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.table.lock().version.subscribe()
    }
}

/// The handler of grpc.health.v1.
#[derive(Debug)]
pub struct Checker(Health);

fn response(serving: Option<bool>) -> HealthCheckResponse {
    let status = match serving {
        None => ServingStatus::ServiceUnknown,
        Some(false) => ServingStatus::NotServing,
        Some(true) => ServingStatus::Serving,
    };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl HealthRpc for Checker {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.0.is_serving(&service) {
            None => Err(status(Failure::new(
                ErrorReason::NotFound,
                format!("no service {service:?} here; reflection lists those there are"),
            ))),
            known => Ok(Response::new(response(known))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let health = self.0.clone();
        let states = WatchStream::new(health.changes()).map(move |_| health.is_serving(&service));
        let changes = states.scan(None, |last, state| {
            let changed = last.replace(state) != Some(state);
            std::future::ready(Some(changed.then(|| Ok(response(state)))))
        });
        Ok(Response::new(changes.flat_map(stream::iter).boxed()))
    }
}
