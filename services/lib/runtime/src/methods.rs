//! What the contract says about each method: its names and whether it streams, read from the descriptors.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

/// How long a call lives and what it means to drain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one response.
    Unary,
    /// A stream, in either direction, that ends when its work is done.
    Stream,
    /// A stream that ends only when somebody hangs up: `Watch*` methods and reflection.
    Watch,
    /// A health check, which must be answered however busy the server is.
    Probe,
}

/// One method of the contract, as the layers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// The full name of the service, `rootstock.inference.v1.GenerationService`.
    pub service: Arc<str>,
    /// The name of the method, `Generate`.
    pub name: Arc<str>,
    /// What kind of call it is.
    pub kind: Kind,
}

impl Method {
    /// Whether it belongs to gRPC itself (health, reflection) and not to the contract.
    pub fn is_infrastructure(&self) -> bool {
        self.service.starts_with("grpc.")
    }
}

/// Every method this process may be asked for, by request path. Names come from here and never from a client, so
/// the labels of metrics are bounded.
static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    [
        rootstock_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    .flat_map(methods_of)
    .collect()
});

/// What a call to no known method is called.
static UNKNOWN: LazyLock<Method> =
    LazyLock::new(|| Method { service: "unknown".into(), name: "unknown".into(), kind: Kind::Unary });

/// The method behind a request path (`/package.Service/Method`).
pub fn lookup(path: &str) -> &'static Method {
    METHODS.get(path).unwrap_or(&UNKNOWN)
}

/// The full names of the services in a set of descriptors.
pub(crate) fn services_of(descriptors: &[u8]) -> Vec<String> {
    let mut names: Vec<_> =
        methods_of(descriptors).into_iter().map(|(_, method)| method.service.to_string()).collect();
    names.sort();
    names.dedup();
    names
}

fn methods_of(descriptors: &[u8]) -> Vec<(String, Method)> {
    // The sets are compiled in; one that doesn't decode shows in the first test that asks for a method.
    let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let service_name: Arc<str> = format!("{}.{}", file.package(), service.name()).into();
            for method in &service.method {
                let path = format!("/{service_name}/{}", method.name());
                let kind = kind(&service_name, method);
                let name = method.name().into();
                methods.push((path, Method { service: Arc::clone(&service_name), name, kind }));
            }
        }
    }
    methods
}

fn kind(service: &str, method: &MethodDescriptorProto) -> Kind {
    let streams = method.client_streaming() || method.server_streaming();
    match (service, method.name()) {
        ("grpc.health.v1.Health", "Check") => Kind::Probe,
        (_, "ServerReflectionInfo") => Kind::Watch,
        (_, name) if streams && name.starts_with("Watch") => Kind::Watch,
        _ if streams => Kind::Stream,
        _ => Kind::Unary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_path_with_their_kind() {
        let generate = lookup("/rootstock.inference.v1.GenerationService/Generate");
        assert_eq!(
            (&*generate.service, &*generate.name),
            ("rootstock.inference.v1.GenerationService", "Generate")
        );
        assert_eq!(generate.kind, Kind::Stream);
        assert_eq!(lookup("/rootstock.checkpoint.v1.CheckpointService/UploadBlob").kind, Kind::Stream);
        assert_eq!(lookup("/rootstock.checkpoint.v1.CheckpointService/WatchAliases").kind, Kind::Watch);
        assert_eq!(lookup("/rootstock.training.v1.TrainingService/GetTrainingJob").kind, Kind::Unary);
        assert_eq!(lookup("/grpc.health.v1.Health/Check").kind, Kind::Probe);
        assert_eq!(lookup("/grpc.health.v1.Health/Watch").kind, Kind::Watch);
        assert_eq!(
            lookup("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").kind,
            Kind::Watch
        );
    }

    #[test]
    fn a_path_made_up_by_a_client_is_unknown() {
        assert_eq!(&*lookup("/a.b.C/D?x=1").service, "unknown");
    }
}
